"""The sentence as code: spec -> checkout -> sandbox -> solver -> patch -> tests -> junit -> reward."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace
from typing import Any
from typing import TypeVar
from typing import cast

from pytest_swegym.environments import variables
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.errors import SwegymError
from pytest_swegym.grading import GRADER_VERSION
from pytest_swegym.grading import grade
from pytest_swegym.grading import measure_baseline
from pytest_swegym.grading.headers import patch_paths
from pytest_swegym.lab import Lab
from pytest_swegym.lab import Prepared
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.scope import Scope
from pytest_swegym.solvers import Solver
from pytest_swegym.solvers.answer import blamed
from pytest_swegym.solvers.answer import checked
from pytest_swegym.solvers.answer import handed_in
from pytest_swegym.solvers.answer import salvaged
from pytest_swegym.solvers.answer import tree_digest
from pytest_swegym.solvers.guard import in_time
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import Verdict
from pytest_swegym.task.check import RUNNER as CHECKS
from pytest_swegym.task.record import failed_fields
from pytest_swegym.task.record import graded_fields
from pytest_swegym.workspace import Occasion
from pytest_swegym.workspace import Workspace


log = logging.getLogger("pytest_swegym.episode")

T = TypeVar("T")
#: What the header of a trajectory takes from the record.
_HEADER = ("instance_id", "task_key", "solver", "sandbox", "attempt", "seed", "run_id", "started_at")


class Attempt:
    """One solver, one task, one seed. Each stage runs once, when it is first asked for.

    ``reward`` makes the reward of a grade; ``on_stage`` hears each stage's name and seconds as it ends. The solver
    finds ``occasion`` at its workspace, completed by what the attempt knows; with ``begin`` it starts from that moment.
    """

    def __init__(
        self,
        task: Task,
        solver: Solver,
        lab: Lab,
        *,
        reward: Callable[[TaskSpec, Grade], float],
        number: int = 0,
        seed: int = 0,
        solver_name: str = "",
        reward_name: str = "resolved",
        on_stage: Callable[[str, float], None] | None = None,
        run_id: str = "",
        content_key: str = "",
        retries: int = 1,
        occasion: Occasion | None = None,
        begin: Snapshot | None = None,
        scope: Scope | None = None,
    ) -> None:
        self.task = task
        self.stages: dict[str, float] = {}
        self._solver, self._lab, self._reward, self._on_stage = solver, lab, reward, on_stage
        self._retries = retries
        self._results: dict[str, Any] = {}
        self._stage = ""
        self._released = False
        self._tries = 1
        self._cached = False
        self._lock = threading.RLock()
        self._looking = threading.Lock()
        self._named: dict[str, Any] = {
            "instance_id": task.id,
            "attempt": number,
            "seed": seed,
            "solver": solver_name,
            "sandbox": lab.backend.name,
            "run_id": run_id,
            "content_key": content_key,
            "reward_name": reward_name,
            "started_at": time.time(),
            "tags": task.spec.tags,
            "protect": lab.protect,
            "task_key": task.key,
            "grader": GRADER_VERSION,
            "variables": variables(task.spec),
        }
        self.occasion = self._occasion(occasion or Occasion())
        self._begin = begin
        self._scope = scope or Scope()
        self._tree: bytes | None = None

    def _occasion(self, given: Occasion) -> Occasion:
        """What the solver may know: what was given, completed."""
        named = {name: self._named[name] for name in _HEADER}
        oracle = sorted(patch_paths(self.task.hidden.patch)) if getattr(self._solver, "oracle", False) else []
        if oracle:
            given.told["oracle"] = True
        return replace(
            given,
            number=self._named["attempt"],
            seed=self._named["seed"],
            tools=self._lab.tools,
            named={**named, **given.named},
            score=self._score if getattr(self._solver, "graded", False) else None,
            oracle=tuple(oracle),
        )

    # -- stages ----------------------------------------------------------------------------------

    def checkout(self) -> Prepared:
        """The task prepared: tree, environment, baseline."""
        return self._once("checkout", lambda: self._lab.prepare(self.task))

    def workspace(self) -> Workspace:
        """The solver's workspace, in a sandbox of its own."""
        prepared, network = self.checkout(), self.task.spec.limits.network
        given: Any = {"network": network, "occasion": self.occasion, "begin": self._begin, "scope": self._scope}
        return self._once("sandbox", lambda: self._lab.workspace(prepared.task.spec, prepared.solving, **given))

    def peek(self) -> Grade:
        """The grade of the workspace as it is now, while the attempt goes on; its solver may ask for it.

        Raises :class:`PatchError` or :class:`InfraError`.
        """
        patch, tree = handed_in(self.task.spec, self.workspace(), None)
        return self._grade(patch, tree)

    def _score(self, workspace: Workspace) -> float:
        """The graded reward of what is in ``workspace``; the record tells how often that was looked at."""
        with self._looking:
            self.occasion.told["graded_looks"] = self.occasion.told.get("graded_looks", 0) + 1
        try:
            return float(self._reward(self.task.spec, self._grade(*handed_in(self.task.spec, workspace, None))))
        except PatchError:
            return 0.0

    def solve(self) -> str:
        """The solver's patch; its sandbox ends here. Raises :class:`SolverError` or :class:`PatchError`.

        Where the task wants a whole tree, :attr:`tree` has it.
        """
        workspace = self.workspace()

        def run() -> str:
            try:
                patch, self._tree = self._solve(workspace)
                return patch
            except SandboxError as error:
                raise self._blamed(error) from error
            except SwegymError as error:
                self._scope.check_host(error)
                raise
            finally:
                workspace.close()

        return self._once("solve", run)

    def grade(self) -> Grade:
        """The verdict of the hidden tests, in a fresh fork that no solver has touched."""
        patch = self.solve()
        return self._once("grade", lambda: self._fair(self._grade(patch, self._tree)))

    @property
    def tree(self) -> bytes | None:
        """The tree that was handed in as a tar archive, if the task wants one and the solver left one."""
        return self._tree

    def record(self) -> AttemptRecord:
        """All of it. Runs what has not run yet, and never raises: what went wrong is in the record."""
        record = self._once("", self._record)
        self._release()
        return record

    def close(self) -> None:
        """End the solver's sandbox, if it is still there. Twice is fine."""
        workspace = self._results.get("sandbox")
        if isinstance(workspace, Workspace):
            workspace.close()
        self._release()

    def _release(self) -> None:
        """What the task was prepared from is needed no longer."""
        with self._lock:
            release = not self._released and isinstance(self._results.get("checkout"), Prepared)
            self._released = self._released or release
        if release:
            self._lab.release(self.task)

    # -- inside ----------------------------------------------------------------------------------

    def _once(self, stage: str, make: Callable[[], T]) -> T:
        """The stage's result, made at the first call; a stage that raised raises the same again."""
        # Looked at without the lock first: a solver, whose stage holds it, may ask for the stages before.
        if stage not in self._results:
            with self._lock:
                if stage not in self._results:
                    self._make(stage, make)
        result = self._results[stage]
        if isinstance(result, _Raised):
            raise result.error
        return cast("T", result)

    def _make(self, stage: str, make: Callable[[], Any]) -> None:
        with self._timed(stage):
            try:
                self._results[stage] = make()
            except Exception as error:
                self._results[stage] = _Raised(error)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.monotonic()
        self._stage = stage or self._stage
        try:
            yield
        finally:
            if stage:
                self.stages[stage] = round(time.monotonic() - started, 6)
                if self._on_stage is not None:
                    self._on_stage(stage, self.stages[stage])

    def _solve(self, workspace: Workspace) -> tuple[str, bytes | None]:
        prepared = self.checkout()
        if (folder := self.occasion.folder) is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InfraError(f"the attempt's folder cannot be made: {error}") from error
        given = prepared.task if getattr(self._solver, "trusted", False) else prepared.task.spec
        limit = self.task.spec.limits.solve_timeout
        patch = checked(in_time(lambda: self._solver(given, workspace), limit, workspace, self._scope))  # type: ignore[arg-type]
        try:
            return handed_in(self.task.spec, workspace, patch)
        except SandboxClosed:
            raise
        except SandboxError as error:
            log.warning("%s: its sandbox no longer works: %s", self.task.id, error)
            # Without its processes, and looked at from a sandbox that it never touched.
            with workspace.branch() as still, self._lab.workspace(prepared.task.spec, prepared.snapshot) as fresh:
                return salvaged(self.task.spec, still, fresh)

    def _blamed(self, error: SandboxError) -> SwegymError:
        self._scope.check_host(error)
        spec, snapshot = self.task.spec, self.checkout().solving
        return blamed(error, spec, lambda: self._lab.workspace(spec, snapshot, scope=self._scope))

    def _fair(self, grade: Grade) -> Grade:
        """The grade; one that is not resolved only if the machine held. Raises :class:`HostError`."""
        if grade.verdict is not Verdict.RESOLVED:
            self._scope.check_host()
        return grade

    def _grade(self, patch: str, tree: bytes | None) -> Grade:
        prepared = self.checkout()
        grades = self._lab.grades
        if grades is None:
            return self._graded(prepared, patch, tree)
        lab = self._lab
        how: Any = {"fast_fail": lab.fast_fail, "shards": lab.shards}
        key = grades.key(prepared.key, patch, lab.protect, lab.compat, tree=tree_digest(tree), **how)
        grade, self._cached = grades.get_or_make(key, lambda: self._fair(self._graded(prepared, patch, tree)))
        return grade

    def _graded(self, prepared: Prepared, patch: str, tree: bytes | None) -> Grade:
        left = self._retries
        while True:
            try:
                task = prepared.task
                space = self._lab.computing(task.spec, prepared.snapshot, self._scope, tests=task)
                with space as workspace, self._lab.dividing(prepared.baseline) as shards:
                    return grade(
                        prepared.task,
                        patch,
                        workspace,
                        baseline=prepared.baseline,
                        protect=self._lab.protect,
                        compat=self._lab.compat,
                        tree=tree,
                        judge=self._lab.judge,
                        fast_fail=self._lab.fast_fail,
                        shards=shards,
                    )
            except InfraError as error:
                if not left:
                    return self._ungradable(prepared, error)
                left, self._tries = left - 1, self._tries + 1
                log.warning("%s: grading again: %s", self.task.id, error)

    def _ungradable(self, prepared: Prepared, error: InfraError) -> Grade:
        """An answer must not hide behind an infra error: what the base does not show as well is the answer's doing."""
        self._scope.check_host(error)
        if isinstance(error, SandboxClosed):
            return Grade(verdict=Verdict.UNRESOLVED, reasons=(f"everything in the sandbox was killed: {error}",))
        if prepared.task.spec.runner == CHECKS and not prepared.task.hidden.checks:
            raise error  # most likely the judge's
        try:
            with self._lab.computing(prepared.task.spec, prepared.snapshot, self._scope) as workspace:
                measure_baseline(prepared.task, workspace)
        except InfraError:
            raise error from None
        return Grade(verdict=Verdict.UNRESOLVED, reasons=(f"it cannot be graded, which the base can: {error}",))

    def _record(self) -> AttemptRecord:
        outcome: dict[str, Any]
        try:
            result = self.grade()
            outcome = {**graded_fields(result), "reward": float(self._reward(self.task.spec, result))}
        except Exception as error:
            outcome = {**failed_fields(error), "error_stage": self._stage}
        patch, prepared = self._results.get("solve"), self._results.get("checkout")
        record = AttemptRecord(
            **self._named,
            **outcome,
            environment=prepared.environment if isinstance(prepared, Prepared) else "",
            patch=patch if isinstance(patch, str) else "",
            tree=tree_digest(self._tree),
            cached=self._cached,
            stages=dict(self.stages),
            tries=self._tries,
            extra=dict(self.occasion.told),
        )
        return record.redacted()


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException
