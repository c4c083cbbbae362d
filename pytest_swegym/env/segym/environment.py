"""SEGym's environment: a patch in, a state out; every state is a fresh sandbox, graded by the hidden tests."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any
from typing import TypeVar
from typing import overload

from pytest_swegym.env.config import make_config
from pytest_swegym.env.course import Course
from pytest_swegym.env.segym.rows import Rows
from pytest_swegym.env.segym.rows import get_ds
from pytest_swegym.env.segym.state import InvalidState
from pytest_swegym.env.segym.state import Log
from pytest_swegym.env.segym.state import State
from pytest_swegym.episode import Attempt
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SandboxError
from pytest_swegym.errors import SolverError
from pytest_swegym.grading.reward import resolved
from pytest_swegym.lab import Lab
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import Verdict
from pytest_swegym.workspace import Workspace


S = TypeVar("S", bound=State)
#: The data set of ``make()``, SEGym's own.
DEFAULT = "princeton-nlp/SWE-bench_Lite/dev"
#: Bytes of a repository that is copied out for :attr:`State.path`.
_EXPORT_LIMIT = 512 * 2**20


def make(
    dataset: str | Mapping[str, Sequence[Any]] | Sequence[Task] = DEFAULT, *, seed: int = 15, **options: Any
) -> Environment:
    """An environment over a data set, see :func:`get_ds`; ``options`` are those of :class:`EnvConfig`.

    Raises :class:`ConfigError`.
    """
    return Environment(get_ds(dataset), seed=seed, **options)


class Environment:
    """Issues to solve by patches. ``seed`` makes the choice of ``reset()`` without an index."""

    def __init__(self, dataset: Rows, *, seed: int = 15, **options: Any) -> None:
        self._course = Course(make_config({"tasks": dataset.tasks, **options}))
        self._course.join()
        self.dataset = dataset
        self.num_challenges = len(dataset)
        self.current_index: int | None = None
        self._random = random.Random(seed)
        self._state: State | None = None
        self._shown = time.monotonic()
        self._folders: list[str] = []
        self._closed = False

    # -- playing ---------------------------------------------------------------------------------

    def reset(self, index: int | None = None) -> State:
        """The state that issue ``index`` starts with; without one, of an issue chosen by chance.

        Raises :class:`InfraError` if it cannot be prepared.
        """
        index = self._random.randrange(self.num_challenges) if index is None else index
        task = self.dataset.tasks[index]
        self.current_index = index
        with self._workspace(task, ()) as workspace:
            tree = workspace.tree()
        self._state = State(
            repo=task.spec.repo,
            setup_commit=task.spec.base_commit or "",
            issue=task.spec.problem_statement,
            tree=tree,
            fail_to_pass=task.hidden.fail_to_pass,
            export=lambda state: self._export(task, state),
        )
        self._shown = time.monotonic()
        return self._state

    @overload
    def step(self, action: str, state: State | None = None) -> State: ...
    @overload
    def step(self, action: list[str], state: State | None = None) -> list[State]: ...
    def step(self, action: str | list[str], state: State | None = None) -> State | list[State]:
        """Apply a patch on top of ``state`` (default: the last state), and run the tests.

        A list gives a list: each patch on top of the one before it, or, where ``state`` is given, each on top of that.
        A patch that is empty or does not apply gives an :class:`InvalidState`. Raises :class:`InfraError` if
        the machinery failed.
        """
        if not isinstance(action, str):
            return [self.step(each, state) for each in action]
        before = state or self._state
        if before is None or self.current_index is None:
            raise ConfigError("no issue is being played: call reset() first")
        self._state = self._after(self.dataset.tasks[self.current_index], before, action)
        self._shown = time.monotonic()
        return self._state

    def _after(self, task: Task, before: State, patch: str) -> State:
        if not patch.strip():
            return self._invalid(before, "the patch is empty")
        seen: dict[str, str] = {}

        def solve(task: TaskSpec, workspace: Workspace) -> str | None:
            for each in (*before.previous_patches, patch):
                workspace.apply(each)
            seen["tree"] = workspace.tree()
            return None  # its files are the answer

        attempt = Attempt(task, solve, self._lab(), reward=lambda _spec, grade: resolved(grade))
        try:
            grade = attempt.grade()
        except (PatchError, SolverError) as error:  # or a patch with which the sandbox no longer works
            return self._invalid(before, str(error))
        finally:
            attempt.close()
        if grade.verdict is Verdict.INVALID_PATCH:
            return self._invalid(before, "; ".join(grade.reasons))
        return self._next(
            State,
            before,
            tree=seen["tree"],
            logs=(*before.logs, _log(grade)),
            previous_patches=(*before.previous_patches, patch),
            resolved=grade.resolved,
        )

    def _invalid(self, before: State, reason: str) -> InvalidState:
        """As it was, with a log in which nothing could be run."""
        task = self.dataset.tasks[self.current_index or 0]
        names = before.logs[-1] if before.logs else (*task.hidden.fail_to_pass, *task.hidden.pass_to_pass)
        log = {name: {"status": "error", "message": reason} for name in names}
        return self._next(InvalidState, before, logs=(*before.logs, log), resolved=False, reason=reason)

    def _next(self, kind: type[S], before: State, **changes: Any) -> S:
        kept = {each.name: getattr(before, each.name) for each in fields(State)}
        kept.update(steps=before.steps + 1, seconds=time.monotonic() - self._shown)
        return kind(**{**kept, **changes})

    # -- where it runs ---------------------------------------------------------------------------

    def _lab(self) -> Lab:
        if self._closed:
            raise ConfigError("the environment is closed: make another")
        return self._course.lab()

    def _workspace(self, task: Task, patches: Sequence[str]) -> Workspace:
        lab = self._lab()
        prepared = lab.prepare(task)
        try:
            workspace = lab.workspace(prepared.task.spec, prepared.snapshot)
        finally:
            lab.release(task)
        try:
            for patch in patches:
                workspace.apply(patch)
        except BaseException:
            workspace.close()
            raise
        return workspace

    def _export(self, task: Task, state: State) -> str:
        """The files of a state in a folder of this machine."""
        from pytest_swegym.sources.unpack import unpack

        folder = Path(tempfile.mkdtemp(prefix="swegym-state-"))
        self._folders.append(str(folder))
        with self._workspace(task, state.previous_patches) as workspace:
            top, _, name = workspace.path.rpartition("/")
            argv = ("tar", "-cf", "-", "-C", top or "/", "--", name)
            packed = workspace.sandbox.exec(argv, timeout=300, output_limit=_EXPORT_LIMIT)
        if packed.exit_code != 0 or packed.truncated:
            raise SandboxError(
                f"{task.id}: its files could not be copied out: {packed.stderr.decode(errors='replace')}"
            )
        archive = folder / "files.tar"
        archive.write_bytes(packed.stdout)
        unpack(archive, folder / "files", what=task.id)
        archive.unlink()
        return str(folder / "files")

    def close(self) -> None:
        """End every sandbox of its own, and remove the folders of its states. Twice is fine."""
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._folders.clear()
        if not self._closed:
            self._closed = True
            self._course.leave()

    def __enter__(self) -> Environment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _log(grade: Grade) -> Log:
    """The tests that decide, each with its status. Of a run that is not to be believed, none holds."""
    believed = grade.verdict in (Verdict.RESOLVED, Verdict.UNRESOLVED)
    why = "; ".join(grade.reasons)
    log: dict[str, Mapping[str, str]] = {}
    for listed, ok in ((grade.fail_to_pass, F2P_OK), (grade.pass_to_pass, P2P_OK)):
        for name, outcome in listed.items():
            message = grade.tests[name].message if name in grade.tests else ""
            status = _status(outcome, outcome in ok) if believed else "error"
            log[name] = {"status": status, "message": message if believed else why}
    return log


def _status(outcome: Outcome, holds: bool) -> str:
    if holds:
        return "skipped" if outcome is Outcome.SKIPPED else "passed"
    return "error" if outcome in (Outcome.ERROR, Outcome.MISSING) else "failed"
