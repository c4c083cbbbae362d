"""Rewards of single steps, by name. The final reward is not theirs: it is always the graded one.

``tests``, ``similarity`` and ``distance`` are differences of a potential: over an episode they sum up to its value at
the end less that at the start, however many steps lead there, so that nothing is gained by going round in circles.
What they are made from stays here: neither tests nor gold patch are ever in the sandbox.
"""

from __future__ import annotations

import math
import posixpath
import re
from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from difflib import SequenceMatcher
from typing import Any

from pytest_swegym._support.loading import load
from pytest_swegym._support.loading import looks_like_name
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import PatchError
from pytest_swegym.grading.headers import patch_paths
from pytest_swegym.grading.reward import delta
from pytest_swegym.session.actions import Action
from pytest_swegym.session.actions import Command
from pytest_swegym.session.actions import ToolCall
from pytest_swegym.session.actions import WriteFile
from pytest_swegym.session.observation import Observation
from pytest_swegym.session.session import Session
from pytest_swegym.session.session import StepReward
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec


StepFunction = Callable[[TaskSpec, Action, Observation], float]
STEP_REWARDS = ("none", "tests", "similarity", "distance")
#: Lines of a patch that are compared; of longer ones, the first.
_LINES = 2000
#: Words of a command that are looked at for paths.
_WORDS = 200
_COMMENT = re.compile(r"\s*(#|//|/\*|\*/?(\s|$))")
_REMARK = re.compile(r"\s+(#|//)\s[^'\"]*$")


def make_step_reward(name: str | StepFunction, task: Task, *, peek: Callable[[], Grade]) -> StepReward | None:
    """The step reward called ``name``: one of :data:`STEP_REWARDS`, or ``module:attr``; ``None`` for ``none``.

    ``module:attr`` is a function ``(task, action, observation) -> float``, which may be given itself as well. ``peek``
    grades what is in the workspace. Raises :class:`ConfigError` for an unknown name, and where the task lacks what it
    needs.
    """
    if callable(name):
        return Process(getattr(name, "__name__", "own"), name)
    if name == "none":
        return None
    if name == "tests":
        return TestDelta(peek, tree=task.spec.submission == "tree")
    if name in ("similarity", "distance") and not task.hidden.patch:
        raise ConfigError(f"step reward {name!r}: {task.id} has no gold patch to compare with")
    if name == "similarity":
        return Similarity(task.hidden.patch)
    if name == "distance":
        return Distance(task.hidden.patch, task.spec.workdir)
    check_step_reward(name)
    return Process(name, load(name, what="step reward"))


def check_step_reward(name: str) -> None:
    """Raise :class:`ConfigError` for what is neither of :data:`STEP_REWARDS` nor ``module:attr``."""
    if name not in STEP_REWARDS and not looks_like_name(name):
        raise ConfigError(f"unknown step reward {name!r}; choose from {', '.join(STEP_REWARDS)}, or give 'module:attr'")


class Potential(ABC):
    """A step is worth what it raised the potential by."""

    def __init__(self) -> None:
        self._last = 0.0

    def begin(self, session: Session) -> None:
        self._last = self.potential(session, None)

    def after(self, session: Session, action: Action, observation: Observation) -> float:
        before = self._last
        with suppress(PatchError):  # what cannot be shown as a patch is worth what it was
            self._last = self.potential(session, action)
        return self._last - before

    @abstractmethod
    def potential(self, session: Session, action: Action | None) -> float:
        """How good it is to be here; ``action`` is what led here, if anything has."""


class TestDelta(Potential):
    """The tests that hold now: the share of FAIL_TO_PASS gained less the share of PASS_TO_PASS lost (from -1 to 1).

    They run in a fresh fork, after steps that changed the files; what was graded before is remembered by its files.
    A task whose whole folder is handed in is graded after every step: its files do not tell all of it.
    """

    __test__ = False  # not a test class of pytest's

    def __init__(self, peek: Callable[[], Grade], *, tree: bool = False) -> None:
        super().__init__()
        self._peek, self._whole = peek, tree
        self._known: dict[str, float] = {}

    def begin(self, session: Session) -> None:
        if not session.observation.step:
            self._known[_tree(session)] = 0.0  # the start is the baseline
        super().begin(session)

    def potential(self, session: Session, action: Action | None) -> float:
        tree = _tree(session)
        if tree not in self._known or (self._whole and action is not None):
            try:
                self._known[tree] = delta(self._peek())
            except PatchError:
                self._known[tree] = 0.0
        return self._known[tree]


class Similarity(Potential):
    """How alike the changes are to the gold patch, from 0 to 1; comments and blank lines do not count."""

    def __init__(self, gold: str) -> None:
        super().__init__()
        self._matcher = SequenceMatcher(None, autojunk=False)
        self._matcher.set_seq2(_changes(gold))
        self._known: dict[str, float] = {}

    def potential(self, session: Session, action: Action | None) -> float:
        tree = _tree(session)
        if tree not in self._known:
            self._matcher.set_seq1(_changes(session.observation.diff or session.workspace.diff()))
            self._known[tree] = self._matcher.ratio()
        return self._known[tree]


class Distance(Potential):
    """How near the player is to a file that the gold patch edits: 1 at the file, less for each folder between.

    The player is in its shell's folder, and at the paths that its action names.
    """

    def __init__(self, gold: str, workdir: str) -> None:
        super().__init__()
        self._workdir = workdir
        self._goals = [posixpath.join(workdir, path) for path in sorted(patch_paths(gold))]

    def potential(self, session: Session, action: Action | None) -> float:
        here = self._workdir
        if action is not None or session.observation.step:
            here = session.location() or here
        places = [here, *(posixpath.normpath(posixpath.join(here, word)) for word in _words(action))]
        return max(1 / (1 + _hops(place, goal)) for place in places for goal in self._goals)


class Process:
    """A function of the user's, ``(task, action, observation) -> float``."""

    def __init__(self, name: str, function: StepFunction) -> None:
        self._name, self._function = name, function

    def begin(self, session: Session) -> None:
        """It keeps nothing of an episode."""

    def after(self, session: Session, action: Action, observation: Observation) -> float:
        what = f"step reward {self._name!r}"
        with blameless(what):
            return number(self._function(session.task, action, observation), what)


@contextmanager
def blameless(what: str) -> Iterator[None]:
    """A user's reward is asked here: if it fails, that is an :class:`InfraError`, and no player is to blame."""
    try:
        yield
    except InfraError:
        raise
    except ConfigError as error:
        raise InfraError(str(error)) from error
    except Exception as error:
        raise InfraError(f"{what} raised {type(error).__name__}: {error}") from error


def number(value: Any, what: str) -> float:
    """A finite number. Raises :class:`ConfigError` that names ``what`` returned something else."""
    try:
        if not isinstance(value, (str, bytes)) and math.isfinite(value):
            return float(value)
    except TypeError:
        pass
    raise ConfigError(f"{what} returned {value!r:.80}, not a finite number")


def _tree(session: Session) -> str:
    return session.observation.tree or session.workspace.tree()


def _changes(patch: str) -> list[str]:
    """What a patch takes away and adds: the sign and the code of each line."""
    found = []
    for line in patch.splitlines():
        if line[:1] not in ("+", "-") or line.startswith(("+++ ", "--- ")):
            continue
        code = _REMARK.sub("", line[1:]).strip()
        if code and not _COMMENT.match(code):
            found.append(line[0] + code)
        if len(found) == _LINES:
            break
    return found


def _words(action: Action | None) -> list[str]:
    """What an action names that may be a path."""
    if isinstance(action, WriteFile):
        return [action.path]
    if isinstance(action, ToolCall):
        return [value for value in action.arguments.values() if isinstance(value, str) and "\n" not in value]
    if isinstance(action, Command):
        return [word for word in re.split(r"[\s'\"=;|&<>()]+", action.command)[:_WORDS] if word.strip(".-")]
    return []


def _hops(place: str, goal: str) -> int:
    """Folders between two paths, up and down."""
    here, there = place.strip("/").split("/"), goal.strip("/").split("/")
    common = 0
    for one, other in zip(here, there, strict=False):
        if one != other:
            break
        common += 1
    return len([part for part in here[common:] if part]) + len(there) - common
