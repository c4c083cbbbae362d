"""Who solves an item's task, in which sandbox, and how its grade becomes a reward: the plugin's own answers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from pytest_swegym._support.loading import load
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import LoadError
from pytest_swegym.errors import SolverError
from pytest_swegym.plugin.options import SETTINGS


if TYPE_CHECKING:
    from pytest_swegym.episode import Attempt
    from pytest_swegym.plugin.live import LiveAttempt
    from pytest_swegym.plugin.run import Run
    from pytest_swegym.sandbox.base import Backend
    from pytest_swegym.session import Action
    from pytest_swegym.session import Observation
    from pytest_swegym.session import Session
    from pytest_swegym.session import StepReward
    from pytest_swegym.solvers import LoadedSolver
    from pytest_swegym.task import Grade
    from pytest_swegym.task import TaskSpec
    from pytest_swegym.tools import Toolset
    from pytest_swegym.workspace import Workspace


COMMAND_LINE = "swegym-command-line-solver"
LIVE: pytest.StashKey[LiveAttempt] = pytest.StashKey()
RUN: pytest.StashKey[Run] = pytest.StashKey()
TOOLS: pytest.StashKey[Toolset] = pytest.StashKey()
#: Why ``--swegym-sandbox=auto`` chose what it chose.
WHY = pytest.StashKey[str]()
NO_SOLVER = "no solver: give --swegym-solver=NAME, or define pytest_swegym_solve in a conftest.py"


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the tools and the solver of the command line at once: a wrong name must not cost a collection."""
    if config.option.help or config.option.version:
        return
    if config.stash[SETTINGS].executor != "local" and _distributed(config):
        raise pytest.UsageError("--swegym-executor=ray makes attempts on many machines by itself: no pytest-xdist")
    _load_tools(config)
    for option in ("judge", "check_writer"):
        _check_name(config, option)
    name = config.stash[SETTINGS].solver
    if name is None:
        return
    from pytest_swegym.solvers import load_solver

    import_from(config, str(config.invocation_params.dir))
    try:
        solver = load_solver(name, root=config.invocation_params.dir, agent=config.stash[SETTINGS].agent)
    except LoadError as error:
        raise pytest.UsageError(f"--swegym-solver: {error}") from error
    except ConfigError as error:
        raise pytest.UsageError(f"--swegym-solver={name}: {error}") from error
    settings = config.stash[SETTINGS]
    if solver.alone and (settings.jobs > 1 or settings.executor != "local" or _distributed(config)):
        raise pytest.UsageError(
            f"--swegym-solver={name} needs the terminal for itself: no --swegym-jobs above 1, no --swegym-executor, no"
            " pytest-xdist"
        )
    _add_tools(config, solver.tools)
    config.pluginmanager.register(CommandLineSolver(solver), COMMAND_LINE)


def _distributed(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput") or config.getoption("dist", "no") != "no"


def _load_tools(config: pytest.Config) -> None:
    names = config.stash[SETTINGS].tools
    if not names:
        return
    from pytest_swegym.tools import Toolset

    try:
        config.stash[TOOLS] = Toolset.load(names, root=config.invocation_params.dir)
    except ConfigError as error:
        raise pytest.UsageError(f"--swegym-tools: {error}") from None


def _add_tools(config: pytest.Config, folders: Sequence[Path]) -> None:
    """What the solver's workspaces must have, besides the run's tools."""
    if folders:
        from pytest_swegym.tools import with_folders

        config.stash[TOOLS] = with_folders(config.stash.get(TOOLS, None), folders)


def _check_name(config: pytest.Config, setting: str) -> None:
    name = getattr(config.stash[SETTINGS], setting)
    if name is None:
        return
    import_from(config, str(config.invocation_params.dir))
    option = f"--swegym-{setting.replace('_', '-')}"
    try:
        found = load(name, what="function", root=config.invocation_params.dir)
    except LoadError as error:
        raise pytest.UsageError(f"{option}: {error}") from error
    if not callable(found):
        raise pytest.UsageError(f"{option}={name}: expected a function, got {type(found).__name__}")


def import_from(config: pytest.Config, folder: str) -> None:
    """``mymod:solve`` works from the folder where pytest is started, as with ``python -m``; last, to shadow nothing."""
    if folder not in sys.path:
        sys.path.append(folder)
        config.add_cleanup(lambda: sys.path.remove(folder) if folder in sys.path else None)


class CommandLineSolver:
    """The solver of ``--swegym-solver``, before every conftest."""

    def __init__(self, solver: LoadedSolver) -> None:
        self.solver = solver

    @pytest.hookimpl(tryfirst=True)
    def pytest_swegym_solve(self, item: pytest.Item, task: TaskSpec, workspace: Workspace) -> Any:
        __tracebackhide__ = True
        live = item.stash[LIVE]
        given = live.prepared.task if self.solver.trusted and live.prepared is not None else task
        with _terminal(item.config) if self.solver.alone else nullcontext():
            patch = self.solver(given, workspace)
        return "" if patch is None else patch


@contextmanager
def _terminal(config: pytest.Config) -> Iterator[None]:
    """The terminal as it was before pytest began to capture."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    if capture is None:
        yield
        return
    capture.suspend(in_=True)
    try:
        yield
    finally:
        capture.resume()


@pytest.hookimpl(trylast=True)
def pytest_swegym_make_sandbox(config: pytest.Config, name: str) -> Backend:
    from pytest_swegym.sandbox import choose

    settings = config.stash[SETTINGS]
    backend, why = choose(name, offline=settings.offline, registry=settings.registry)
    if name == "auto":
        config.stash[WHY] = why
    return backend


@pytest.hookimpl(trylast=True)
def pytest_swegym_compute_reward(item: pytest.Item, task: TaskSpec, grade: Grade) -> float:
    from pytest_swegym.grading import compute_reward

    return compute_reward(item.config.stash[SETTINGS].reward, grade)


class ItemSolver:
    """The solver of one item, through the hook: the command line's, else that of the nearest conftest."""

    def __init__(self, item: pytest.Item, live: LiveAttempt | None) -> None:
        self._item, self._live = item, live
        self._loaded: CommandLineSolver | None = item.config.pluginmanager.get_plugin(COMMAND_LINE)

    @property
    def name(self) -> str:
        return self._loaded.solver.name if self._loaded else "conftest"

    @property
    def identity(self) -> str:
        """Changes when the solver's code does."""
        from pytest_swegym._support.keys import content_key

        if self._loaded is not None:
            return self._loaded.solver.identity
        return content_key(*(_code_of(found.function) for found in self.implementations()))

    @property
    def graded(self) -> bool:
        """Whether it searches by the graded reward."""
        return self._wants("graded")

    @property
    def oracle(self) -> bool:
        """Whether it is told which paths the known solution changes."""
        return self._wants("oracle")

    def _wants(self, what: str) -> bool:
        if self._loaded is not None:
            return bool(getattr(self._loaded.solver, what))
        return any(getattr(found.function, what, False) is True for found in self.implementations())

    def implementations(self) -> list[Any]:
        return list(self._item.ihook.pytest_swegym_solve.get_hookimpls())

    def __call__(self, task: TaskSpec, workspace: Workspace) -> str | None:
        __tracebackhide__ = True
        hook = self._item.ihook.pytest_swegym_solve
        if self._live is None or not self._live.ahead:
            patch = hook(item=self._item, task=task, workspace=workspace)
        else:
            with self._live.collecting():
                patch = hook(item=self._item, task=task, workspace=workspace)
        if patch is None:
            raise SolverError(f"no solver took {task.instance_id}: every pytest_swegym_solve returned None")
        return None if patch == "" else patch


class ItemReward:
    """The reward of one item, through the hook."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    @property
    def own(self) -> bool:
        """Whether it is a user's own answer to the hook."""
        return bool(_own(self._item.ihook.pytest_swegym_compute_reward))

    @property
    def identity(self) -> str:
        return _identity(self._item.config.stash[SETTINGS].reward, self._item.ihook.pytest_swegym_compute_reward)

    def __call__(self, task: TaskSpec, grade: Grade) -> float:
        reward = self._item.ihook.pytest_swegym_compute_reward(item=self._item, task=task, grade=grade)
        if isinstance(reward, bool) or not isinstance(reward, (int, float)):
            raise ConfigError(f"pytest_swegym_compute_reward returned {reward!r:.80}, not a number")
        return float(reward)


class ItemStepReward:
    """The reward of one item's steps: that of the hook, else the named one. Fulfils :class:`StepReward`.

    ``attempt`` is asked when the first episode begins: only then its task has the hidden part in full.
    """

    def __init__(self, item: pytest.Item, attempt: Callable[[], Attempt | None]) -> None:
        self._item, self._attempt = item, attempt
        self._name = item.config.stash[SETTINGS].step_reward
        self._hook = item.ihook.pytest_swegym_step_reward
        self._named: StepReward | None = None

    @property
    def wanted(self) -> bool:
        return self._name != "none" or bool(self._hook.get_hookimpls())

    @property
    def identity(self) -> str:
        return _identity(self._name, self._hook)

    def begin(self, session: Session) -> None:
        from pytest_swegym.session.rewards import make_step_reward

        attempt = self._attempt()
        if self._named is None and attempt is not None:
            self._named = make_step_reward(self._name, attempt.checkout().task, peek=attempt.peek)
        if self._named is not None:
            self._named.begin(session)

    def after(self, session: Session, action: Action, observation: Observation) -> float:
        from pytest_swegym.session.rewards import blameless
        from pytest_swegym.session.rewards import number

        hook = "pytest_swegym_step_reward"
        given = {"task": session.task, "session": session, "action": action, "observation": observation}
        with blameless(hook):
            reward = self._hook(item=self._item, **given)
            if reward is not None:
                return number(reward, hook)
        return self._named.after(session, action, observation) if self._named is not None else 0.0


def _identity(name: str, hook: Any) -> str:
    """Changes when the reward called ``name`` is another, or a user's answer to ``hook``."""
    return "\n".join([name, *map(_code_of, _own(hook))])


def _own(hook: Any) -> list[Any]:
    """The answers to a hook that are a user's."""
    functions = [found.function for found in hook.get_hookimpls()]
    return [function for function in functions if not function.__module__.startswith("pytest_swegym.")]


def _code_of(function: Any) -> str:
    """The text of the file that holds ``function``."""
    try:
        return Path(function.__code__.co_filename).read_text(encoding="utf-8", errors="replace")
    except (AttributeError, OSError):
        return repr(getattr(function, "__qualname__", ""))
