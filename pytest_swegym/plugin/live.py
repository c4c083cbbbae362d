"""One attempt of a run as its item sees it: stage by stage, run here or ahead in a thread, or kept from before."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import wait as futures_wait
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import pytest

from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SolverError
from pytest_swegym.errors import SolverTimeout
from pytest_swegym.plugin.plan import Planned
from pytest_swegym.plugin.solving import ItemReward
from pytest_swegym.plugin.solving import ItemSolver
from pytest_swegym.plugin.solving import ItemStepReward
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Verdict


if TYPE_CHECKING:
    from pytest_swegym.episode import Attempt
    from pytest_swegym.lab import Prepared
    from pytest_swegym.plugin.run import Run
    from pytest_swegym.workspace import Workspace


#: The stages in their order, and the method of an attempt that runs each.
STAGES = {"checkout": "checkout", "sandbox": "workspace", "solve": "solve", "grade": "grade"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An attempt that ended: its record, and its grade if it came to one."""

    record: AttemptRecord
    grade: Grade


class LiveAttempt:
    """The attempt of one item. Stages raise what they raised; :meth:`outcome` never raises for them."""

    def __init__(self, run: Run, item: pytest.Item, plan: Planned, *, kept: AttemptRecord | None = None) -> None:
        self.plan = plan
        self.kept = kept
        #: The prepared task, once there is one: trusted solvers read the hidden part from it.
        self.prepared: Prepared | None = None
        self._run, self._item = run, item
        self._attempt: Attempt | None = None
        self._solver = ItemSolver(item, self)
        self._reward = ItemReward(item)
        self._started = self._failed = False
        self._futures: dict[str, Future[Any]] = {}
        self._outcome: Outcome | None = None
        self._printed = ""
        self._lock = threading.RLock()

    # -- stages ----------------------------------------------------------------------------------

    def checkout(self) -> Prepared | None:
        return None if self.kept else self._get("checkout")

    def workspace(self) -> Workspace | None:
        return None if self.kept else self._get("sandbox")

    def patch(self) -> str:
        """The solver's patch; empty if there is none to be had, which :meth:`outcome` explains."""
        __tracebackhide__ = True
        if self.kept is not None:
            self._raise_again(self.kept)
            return self.kept.patch
        try:
            return str(self._get("solve"))
        except (PatchError, SolverTimeout):
            return ""

    def outcome(self) -> Outcome:
        """The end of the attempt, its record written. Raises what a stage raised, wrong answers apart."""
        __tracebackhide__ = True
        if self.kept is None:
            with suppress(PatchError, SolverTimeout):
                self._get("grade")
        return self.finish()

    def _get(self, stage: str) -> Any:
        __tracebackhide__ = True
        if self._futures:
            return self._wait(stage)
        return self._do(stage)

    def _do(self, stage: str) -> Any:
        __tracebackhide__ = True
        self._start()
        try:
            result = getattr(self._made(), STAGES[stage])()
        except BaseException:
            self._failed = True
            raise
        if stage == "checkout":
            self.prepared = result
        return result

    def _wait(self, stage: str) -> Any:
        """The result of the thread that runs the attempt; meanwhile its progress is shown."""
        __tracebackhide__ = True
        future = self._futures[stage]
        while not futures_wait([future], timeout=0.1).done:
            if self._run.progress is not None:
                self._run.progress.flush()
        return future.result()

    # -- ahead of its item -----------------------------------------------------------------------

    def run_ahead(self) -> None:
        """All stages and the record, in the calling thread; whoever asks for a stage waits for it."""
        for stage in STAGES:
            future = self._futures[stage]
            try:
                future.set_result(self._do(stage))
            except BaseException as error:
                future.set_exception(error)
        try:
            self._futures["record"].set_result(self._end())
        except BaseException as error:
            self._futures["record"].set_exception(error)

    @property
    def ahead(self) -> bool:
        """Whether a thread runs it, where pytest does not capture what the solver prints."""
        return bool(self._futures)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep what the calling thread prints for :meth:`sections`."""
        with self._run.output.collect() as buffer:
            try:
                yield
            finally:
                self._printed = buffer.getvalue()

    def promise(self) -> None:
        """Before :meth:`run_ahead` is queued."""
        self._futures = {stage: Future() for stage in (*STAGES, "record")}

    def withdraw(self) -> None:
        """It was not queued after all: its item runs the stages itself."""
        self._futures = {}

    # -- the end ---------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether there is, or will be, something to record: it was graded, or it failed."""
        return bool(self._outcome or self.kept or self._failed or self._futures)

    def finish(self) -> Outcome:
        """The outcome; whatever has not run yet is run. Its record is written once."""
        if self.kept is not None:
            return Outcome(record=self.kept, grade=self._run.store.grade(self.kept))
        if self._futures:
            self._wait("record")
        return self._end()

    def sections(self) -> list[tuple[str, str]]:
        """What a failure report shows of an attempt that was recorded: its tests and the end of their log."""
        if self._outcome is None and self.kept is None:
            return []
        from pytest_swegym.results.text import log_tail
        from pytest_swegym.results.text import outcome_table

        outcome = self.finish()
        texts = {
            "Captured solver output": self._printed,
            "swegym tests": outcome_table(outcome.record),
            # Canaries are tests of ours in the same run; their names are new each time.
            "swegym test log, last lines (unknown tests in it are canaries)": log_tail(outcome.grade.log),
        }
        return [(name, text) for name, text in texts.items() if text]

    @staticmethod
    def _raise_again(record: AttemptRecord) -> None:
        if record.verdict is Verdict.SOLVER_ERROR:
            raise SolverError(f"in the run that is continued: {record.error or '; '.join(record.reasons)}")

    def close(self) -> None:
        """End the solver's sandbox, if it is still there."""
        if self._attempt is not None:
            self._attempt.close()

    def _start(self) -> None:
        if not self._started:
            self._started = True
            plan = self.plan
            self._item.ihook.pytest_swegym_attempt_started(item=self._item, task=plan.task.spec, attempt=plan.number)

    def _made(self) -> Attempt:
        from pytest_swegym.episode import Attempt
        from pytest_swegym.workspace import Occasion

        with self._lock:
            if self._attempt is None:
                run, plan = self._run, self.plan
                step_reward = ItemStepReward(self._item, lambda: self._attempt)
                self._attempt = Attempt(
                    plan.task,
                    self._solver,
                    run.lab(),
                    number=plan.number,
                    seed=run.settings.seed + plan.number,
                    reward=self._reward,
                    reward_name=run.settings.reward,
                    solver_name=self._solver.name,
                    on_stage=self._stage_ended,
                    run_id=run.run_id,
                    content_key=content_of(run, self._item, plan),
                    occasion=Occasion(
                        folder=run.store.folder(plan.key),
                        steps=run.settings.max_steps,
                        resume=run.settings.resume,
                        step_reward=step_reward if step_reward.wanted else None,
                        on_event=self._happened,
                    ),
                )
            return self._attempt

    def _stage_ended(self, stage: str, seconds: float) -> None:
        plan = self.plan
        self._item.ihook.pytest_swegym_attempt_stage(
            item=self._item, task=plan.task.spec, attempt=plan.number, stage=stage, seconds=seconds
        )
        self._happened({"event": "stage", "stage": stage, "seconds": seconds})

    def _happened(self, event: Mapping[str, Any]) -> None:
        """Tell whoever listens; who fails at that is told of, and harms no attempt."""
        plan, tell = self.plan, self._item.ihook.pytest_swegym_attempt_event
        try:
            tell(item=self._item, task=plan.task.spec, attempt=plan.number, event=event)
        except Exception as error:
            self._run.complain_once("pytest_swegym_attempt_event", error)

    def _end(self) -> Outcome:
        with self._lock:
            if self._outcome is None:
                self._outcome = self._recorded()
            return self._outcome

    def _recorded(self) -> Outcome:
        try:
            record = self._made().record()
        except Exception:  # the lab could not be made
            record = self._without_lab(traceback.format_exc(limit=0))
        return self._keep(record, self._grade(record), self._attempt.tree if self._attempt is not None else None)

    def _keep(self, record: AttemptRecord, grade: Grade, tree: bytes | None) -> Outcome:
        """Write the record, with what hooks add to it."""
        extra = {}
        for values in self._item.ihook.pytest_swegym_update_record(item=self._item, record=record):
            extra.update(values)
        record = replace(record, extra={**record.extra, **extra})
        # A run that is being cut short says nothing about its solver: the next one runs this attempt.
        if not self._run.cancelled:
            self._run.store.write(record, grade, tree)
            self._item.ihook.pytest_swegym_attempt_finished(item=self._item, record=record)
        return Outcome(record=record, grade=grade)

    def _grade(self, record: AttemptRecord) -> Grade:
        try:
            return self._made().grade()
        except Exception:
            return Grade(verdict=record.verdict, reasons=record.reasons)

    def _without_lab(self, error: str) -> AttemptRecord:
        plan, run = self.plan, self._run
        return AttemptRecord(
            instance_id=plan.task.id,
            attempt=plan.number,
            seed=run.settings.seed + plan.number,
            solver=self._solver.name,
            sandbox=run.settings.sandbox,
            run_id=run.run_id,
            verdict=Verdict.INFRA_ERROR,
            reward_name=run.settings.reward,
            reasons=(error.strip().split("\n")[0],),
            error=error,
            error_stage="checkout",
            tags=plan.task.spec.tags,
        )


def content_of(run: Run, item: pytest.Item, plan: Planned) -> str:
    """What the result of this attempt depends on, as one key."""
    from pytest_swegym.grading import GRADER_VERSION
    from pytest_swegym.runs import attempt_key

    settings = run.settings
    return attempt_key(
        plan.task,
        number=plan.number,
        seed=settings.seed + plan.number,
        solver=ItemSolver(item, None).identity,
        sandbox=settings.sandbox,
        reward=ItemReward(item).identity,
        protect=settings.protect,
        compat=settings.compat,
        grader=[GRADER_VERSION, *filter(None, (settings.judge, settings.check_writer))],
        tools=run.tools.key if run.tools is not None else "",
        max_steps=settings.max_steps,
        step_reward=ItemStepReward(item, lambda: None).identity,
        fast_fail=settings.fast_fail,
        shards=settings.shards,
    )
