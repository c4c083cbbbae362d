"""What a user chooses of an environment."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_swegym.env.tasks import TaskSource
from pytest_swegym.errors import ConfigError
from pytest_swegym.grading.judge import Judge
from pytest_swegym.grading.reward import check_reward
from pytest_swegym.lab import Lab
from pytest_swegym.rows.check_writer import CheckWriter
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.session import SessionLimits
from pytest_swegym.session.rewards import StepFunction
from pytest_swegym.session.rewards import check_step_reward
from pytest_swegym.task import Grade


OBSERVATIONS = ("text", "dict")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvConfig:
    """Every keyword of ``gymnasium.make("SWEGym-v0", ...)``."""

    tasks: TaskSource = "curriculum"
    """What is played: a file or folder, ``curriculum``, ``lite``, ``OWNER/NAME``, a :class:`Task`, a list of them."""
    split: str | None = None
    """Split of a data set."""
    revision: str | None = None
    """Commit, tag or branch of a data set of Hugging Face."""
    filters: tuple[str, ...] = ()
    """Rows that are played, as ``--swegym-filter`` says it; all must hold."""
    limit: int | None = None
    """The first so many rows of each source."""
    environments: Path | str | None = None
    """Map of what instances and repositories need to run."""
    order: str = "sequential"
    """Which task is next: ``sequential``, ``shuffled`` (anew for each pass, by the seed), ``indexed`` (always told)."""
    seed: int = 0
    """Seed of the order until ``reset(seed=)`` gives another."""

    sandbox: str | Backend = "auto"
    """Where it runs: ``auto``, ``bubblewrap``, ``docker``, ``podman``, ``unsafe-host``, ``module:attr``, a backend."""
    lab: Lab | None = None
    """A lab to share with others; it stays open. The options of the sandbox are then those of the lab."""
    tools: tuple[str, ...] = ()
    """Tools in the sandbox: names of shipped ones, or folders."""
    mirror: Path | str | None = None
    """Folder of bare git repositories to use instead of the network."""
    offline: bool = False
    """Fetch nothing."""
    registry: str = ""
    """Mirror to pull the images of Docker Hub from."""

    protocol: str = "json"
    """How text becomes an action: ``json``, ``execute``, ``execute-plan``, ``patch``, ``edits``, ``tools``, or
    ``module:attr``."""
    observation: str = "text"
    """What ``reset`` and ``step`` return: ``text``, or a ``dict`` of all parts."""
    watch: bool = True
    """Whether every observation has the diff since the start and the tree's name."""
    limits: SessionLimits | Mapping[str, Any] | None = None
    """Limits of an episode, all together; those below go before it."""
    steps: int | None = None
    """Actions, bad ones too."""
    seconds: float | None = None
    """Wall time since the start."""
    command_seconds: float | None = None
    """Time of one command. Default: 120"""
    step_output: int | None = None
    """Bytes of what one command prints that are kept. Default: 65536"""
    cost: float | None = None
    """What ``env.spend`` may sum up to."""

    reward: str | Callable[[Grade], float] = "resolved"
    """The reward at the end: ``resolved``, ``fraction``, ``weighted``, ``delta``, ``module:attr``, or a function."""
    step_reward: str | StepFunction = "none"
    """The reward of a step: ``none``, ``tests``, ``similarity``, ``distance``, ``module:attr``, or a function."""
    grade_steps: bool | None = None
    """Grade after every step that changed the files, and end when it is resolved. Default: with protocol ``patch``."""
    judge: str | Judge | None = None
    """Who grades tasks that only prose says how to check: a function, or ``module:attr``."""
    check_writer: str | CheckWriter | None = None
    """Who writes checks for such tasks: a function, or ``module:attr``."""
    output: Path | str | None = None
    """Folder of records and trajectories, laid out as those of a pytest run."""
    player: str = "gymnasium"
    """Who plays: the solver's name in records."""
    cache: bool = True
    """Take the grade of a patch that the same tests graded before."""
    render_mode: str | None = None
    """``ansi``, or nothing."""

    def __post_init__(self) -> None:
        if self.observation not in OBSERVATIONS:
            raise ConfigError(f"observation={self.observation!r}: choose from {', '.join(OBSERVATIONS)}")
        for name in ("tools", "filters"):
            if isinstance(getattr(self, name), str):
                raise ConfigError(f"{name}={getattr(self, name)!r}: expected a list, even of one")
        for name, least in (("seed", 0), ("limit", 1)):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (whole and value >= least):
                raise ConfigError(f"{name}={value!r}: expected a whole number of at least {least}")
        if self.grade_steps not in (None, True, False):
            raise ConfigError(f"grade_steps={self.grade_steps!r}: expected True, False or None")
        if isinstance(self.reward, str):
            check_reward(self.reward)
        if isinstance(self.step_reward, str):
            check_step_reward(self.step_reward)
        for name in ("reward", "step_reward"):
            if not isinstance(getattr(self, name), str) and not callable(getattr(self, name)):
                raise ConfigError(f"{name}={getattr(self, name)!r}: expected a name or a function")
        if self.lab is not None and (self.tools or self.mirror or self.registry or self.sandbox != "auto"):
            raise ConfigError("lab: it has its own sandbox, tools, mirror and registry; give these to it")
        self.session_limits()

    def session_limits(self) -> SessionLimits:
        """The limits of one episode. Raises :class:`ConfigError`."""
        given = self.limits if self.limits is not None else SessionLimits()
        names = [each.name for each in fields(SessionLimits)]
        if not isinstance(given, SessionLimits):
            unknown = sorted(set(given) - {*names})
            if unknown:
                raise ConfigError(f"limits: unknown {unknown[0]!r}; choose from {', '.join(names)}")
            given = SessionLimits(**given)
        own = {name: getattr(self, name) for name in names if name != "output"}
        limits = replace(given, **{name: value for name, value in own.items() if value is not None})
        for name in names:
            value = getattr(limits, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0):
                raise ConfigError(f"{name}={value!r}: expected a number above 0")
        return limits


def make_config(options: Mapping[str, Any]) -> EnvConfig:
    """Options by name. Raises :class:`ConfigError` for an unknown one, with the choices."""
    names = [each.name for each in fields(EnvConfig)]
    unknown = sorted(set(options) - {*names})
    if unknown:
        raise ConfigError(f"unknown option {unknown[0]!r}; choose from {', '.join(sorted(names))}")
    return EnvConfig(**options)
