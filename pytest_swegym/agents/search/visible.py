"""What the tests that everybody can see say of a patch: how many it mends, how many it breaks."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

from pytest_swegym.agents.search.candidate import Seen
from pytest_swegym.errors import GradingError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SpecError
from pytest_swegym.grading import measure
from pytest_swegym.grading.command import visible_tests
from pytest_swegym.grading.protect import protect_files
from pytest_swegym.grading.protect import touched_paths
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import Hidden
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


log = logging.getLogger("pytest_swegym.agents")


class VisibleTests:
    """The task's test command, run on the base and on each patch in fresh branches; nothing hidden is among it.

    The files of the tests are the base's: what a patch does to them counts for nothing. ``problem`` says why there is
    nothing to go by, if so. A run may take ``limit`` seconds, and took ``seconds`` on the base.
    """

    def __init__(self, spec: TaskSpec, workspace: Workspace, start: Snapshot, *, limit: float) -> None:
        timeout = max(min(spec.limits.timeout, limit), 1.0)
        # Without its hidden part a task is all that is visible of it: its whole test command.
        self._task = Task(spec=replace(spec, limits=replace(spec.limits, timeout=timeout)))
        self._workspace, self._start = workspace, start
        self._before: Mapping[str, Outcome] = {}
        self.problem = "" if visible_tests(spec) else "the task has no tests that can be seen"
        begin = time.monotonic()
        if not self.problem:
            self._measure_base()
        self.seconds = time.monotonic() - begin

    def _measure_base(self) -> None:
        try:
            with self._workspace.branch(self._start) as branch:
                self._before = measure(self._task, branch)
        except (GradingError, SpecError, SandboxClosed) as error:
            self.problem = f"the tests that can be seen cannot be run: {error}"
        if not self.problem and not self._before:
            self.problem = "there are no tests that can be seen"

    def look(self, patch: str) -> Seen:
        """What a patch does to them: nothing broken is better than anything mended."""
        after = self._after(patch)
        broken = sum(was in P2P_OK and after.get(name) not in P2P_OK for name, was in self._before.items())
        fixed = sum(was not in P2P_OK and after.get(name) in F2P_OK for name, was in self._before.items())
        about = {"tests": {"fixed": fixed, "broken": broken, "run": len(after)}}
        return Seen(score=float(fixed - broken), rank=(float(-broken), float(fixed)), about=about)

    def _after(self, patch: str) -> Mapping[str, Outcome]:
        with self._workspace.branch(self._start) as branch:
            branch.apply(patch)
            protect_files(branch, Hidden(), touched_paths(branch, patch), runner=self._task.spec.runner)
            try:
                return measure(self._task, branch)
            except (GradingError, SandboxClosed) as error:
                log.info("%s: a candidate's tests cannot be run: %s", self._task.id, error)
                return {}
