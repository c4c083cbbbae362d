"""``replay:TRAJECTORY``: the actions of an earlier episode again, and where what is seen first differs."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.text import one_line
from pytest_swegym.agents.base import Player
from pytest_swegym.agents.base import Policy
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SolverError
from pytest_swegym.session import Observation
from pytest_swegym.session import Session
from pytest_swegym.task import TaskSpec
from pytest_swegym.trajectory import Trajectory
from pytest_swegym.trajectory import find_trajectories
from pytest_swegym.trajectory import read_trajectory


log = logging.getLogger("pytest_swegym.agents")
#: What is compared of an observation. ``tree`` names every file that git does not ignore.
COMPARED = ("exit_code", "timed_out", "tree", "notice", "output")
# What differs between two runs of the same program: times, addresses, names of temporary files.
_VARIES = re.compile(
    r"\b\d{4}-\d\d-\d\d\b"
    r"|\b[A-Z][a-z]{2} +\d{1,2} +(?=\d\d:\d\d|\d{4}\b)"
    r"|\b\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?\b"
    r"|\b\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s|sec|seconds?)\b"
    r"|\b0x[0-9a-fA-F]{6,}\b"
    r"|/tmp/[\w.\-]+"
)


class ReplayPlayer(Player):
    """A trajectory, or the folder of a run: each attempt then plays the one of its own name.

    Raises :class:`ConfigError` for a file that cannot be read, and a folder without a trajectory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_dir():
            self._only: Trajectory | None = read_trajectory(path)
            self.identity = content_key(self._only.header, [step["action"] for step in self._only.steps])
            return
        self._only = None
        self._found = {each.parent.name: each for each in find_trajectories(path)}
        states = {name: each.stat() for name, each in self._found.items()}
        self.identity = content_key([(name, state.st_size, state.st_mtime_ns) for name, state in states.items()])

    def make(self, task: TaskSpec, *, number: int = 0, seed: int = 0) -> Policy:
        trajectory = self._only or self._of(task, number)
        recorded = trajectory.header.get("instance_id")
        if recorded != task.instance_id:
            raise SolverError(f"{self._path} is a trajectory of {recorded!s:.200}, not of {task.instance_id}")
        if trajectory.header.get("protocol") == "command":
            raise SolverError(
                f"{self._path} is of a program of which only its model's calls were seen: it cannot be replayed"
            )
        return ReplayPolicy(trajectory)

    def _of(self, task: TaskSpec, number: int) -> Trajectory:
        name = f"{task.instance_id}.{number}" if number else task.instance_id
        if name not in self._found:
            raise SolverError(f"{self._path} has no trajectory of {name}")
        try:
            return read_trajectory(self._found[name])
        except ConfigError as error:
            raise SolverError(str(error)) from None


class ReplayPolicy(Policy):
    """Plays the steps that led to the trajectory's end, then submits.

    ``told["replay"]`` says how many steps were compared, and the first ``difference``: its step, the name of what
    differs, and both values.
    """

    def __init__(self, trajectory: Trajectory) -> None:
        super().__init__()
        self.protocol = str(trajectory.header.get("protocol") or "json")
        self._steps = trajectory.steps
        self._expected = [trajectory.first or {}, *(step["observation"] for step in self._steps)]
        self._played = 0
        self._compared = -1
        self.difference: Mapping[str, Any] | None = None

    def begin(self, session: Session) -> None:
        super().begin(session)
        self._compare(session.observation)

    def act(self, observation: Observation) -> str:
        self._compare(observation)
        if self._played == len(self._steps):
            self._played += 1
            return self.submit()
        self._played += 1
        return str(self._steps[self._played - 1]["action"])

    def end(self) -> None:
        self._compare(self.session.observation)
        report = {"steps": len(self._steps), "compared": max(self._compared, 0), "difference": self.difference}
        self.told["replay"] = report
        name = self.session.task.instance_id
        if self.difference is None:
            log.info("%s: replayed: %d of %d steps, no difference", name, report["compared"], report["steps"])
        else:
            found = {key: one_line(str(value)) for key, value in self.difference.items()}
            log.warning("%s: replayed: the %s of step %s differs: %s", name, found["what"], found["step"], found)

    def _compare(self, observation: Observation) -> None:
        """Hold what is seen against what was seen after the same step; once for each step."""
        if self._compared >= self._played or self._played >= len(self._expected):
            return
        self._compared = self._played
        if self.difference is None:
            self.difference = difference(self._expected[self._played], observation.to_dict(), step=self._played)


def difference(expected: Mapping[str, Any], found: Mapping[str, Any], *, step: int) -> dict[str, Any] | None:
    """The first of ``COMPARED`` that differs between two observations, or ``None``.

    Texts may differ in times, addresses and names below ``/tmp``; a tree that was not watched is not compared.
    """
    for what in COMPARED:
        before, now = expected.get(what), found.get(what)
        if before is None and what not in expected:
            continue
        if what == "tree" and not (before and now):
            continue
        if _normal(before) != _normal(now):
            return {"step": step, "what": what, "expected": _cut(before), "found": _cut(now)}
    return None


def _normal(value: Any) -> Any:
    return _VARIES.sub("~", value) if isinstance(value, str) else value


def _cut(value: Any) -> Any:
    return f"{value[:2000]}..." if isinstance(value, str) and len(value) > 2000 else value
