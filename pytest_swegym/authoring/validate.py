"""A task measured before it is believed: its tests before the patch and after the gold patch, several times each."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.paths import write_atomic
from pytest_swegym.authoring.validation import UNMEASURED
from pytest_swegym.authoring.validation import Status
from pytest_swegym.authoring.validation import TaskReport
from pytest_swegym.authoring.validation import TestMeasured
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SolverError
from pytest_swegym.errors import SwegymError
from pytest_swegym.errors import UnrunnableTask
from pytest_swegym.grading import Baseline
from pytest_swegym.grading import grade
from pytest_swegym.grading import measure_baseline
from pytest_swegym.grading.match import match
from pytest_swegym.lab import Lab
from pytest_swegym.results.cache import grader_digest
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.solvers import builtin
from pytest_swegym.solvers.answer import handed_in
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict


log = logging.getLogger("pytest_swegym.authoring")
REPEATS = 3


def validate(task: Task, lab: Lab, *, repeats: int = REPEATS) -> TaskReport:
    """Run the tests of ``task`` ``repeats`` times without a patch, and as often with the gold patch.

    Each run has a fresh fork, and none is taken from a cache. What hinders the measurement is not raised, but the
    status of the report.
    """
    started = time.monotonic()
    key = validation_key(task, lab, repeats)
    try:
        report = _measured(task, lab, repeats)
    except SwegymError as error:
        unusable = isinstance(error, (UnrunnableTask, ConfigError))
        status = Status.UNRUNNABLE if unusable else Status.NOT_MEASURED
        report = TaskReport(instance_id=task.id, status=status, problem=str(error))
    return replace(report, key=key, seconds=time.monotonic() - started)


def validation_key(task: Task, lab: Lab, repeats: int) -> str:
    """Names what a report depends on."""
    return content_key("validation", task.to_dict(), lab.backend.name, lab.protect, repeats, grader_digest())


def validate_all(
    tasks: Sequence[Task],
    lab: Lab,
    folder: Path,
    *,
    repeats: int = REPEATS,
    jobs: int = 1,
    on_report: Callable[[TaskReport, bool], None] = lambda report, kept: None,
) -> list[TaskReport]:
    """Validate ``tasks``, ``jobs`` at the same time; each report is written to ``folder/tasks`` as it comes.

    A report that lies there already and depends on the same is kept, so that a run that was cut can go on.
    ``on_report`` hears of each report, and whether it was kept.
    """

    def one(task: Task) -> TaskReport:
        path = folder / "tasks" / f"{task.id}.json"
        report = _kept(path, validation_key(task, lab, repeats))
        kept = report is not None
        if report is None:
            report = validate(task, lab, repeats=repeats)
            write_atomic(path, json.dumps(report.to_dict(), indent=1) + "\n")
        on_report(report, kept)
        return report

    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="swegym-validate")
    try:
        return list(pool.map(one, tasks))
    except BaseException:
        # Whatever runs ends with its sandbox; nobody waits for tests that nobody will see.
        pool.shutdown(wait=False, cancel_futures=True)
        lab.close()
        raise
    finally:
        pool.shutdown(wait=True)


def _kept(path: Path, key: str) -> TaskReport | None:
    try:
        report = TaskReport.from_dict(json.loads(path.read_text(encoding="utf-8")), where=str(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, ConfigError) as error:
        log.warning("%s; the task is measured again", error)
        return None
    return report if report.key == key and report.status not in UNMEASURED else None


def _measured(task: Task, lab: Lab, repeats: int) -> TaskReport:
    concrete, snapshot, _ = lab.located(task)
    if not concrete.hidden.patch.strip() and not concrete.hidden.solution:
        return TaskReport(instance_id=task.id, status=Status.NO_GOLD, problem="the task brings no gold patch")
    befores: list[Baseline] = []
    afters: list[Grade] = []
    for number in range(repeats):
        log.info("%s: run %d of %d", task.id, number + 1, repeats)
        with lab.workspace(concrete.spec, snapshot) as workspace:
            befores.append(measure_baseline(concrete, workspace))
        try:
            patch, tree = _solved(concrete, lab, snapshot)
        except (SolverError, PatchError) as error:
            return TaskReport(instance_id=task.id, status=Status.GOLD_FAILS, problem=str(error).split("\n")[0])
        with lab.workspace(concrete.spec, snapshot) as workspace:
            afters.append(grade(concrete, patch, workspace, baseline=befores[-1], protect=lab.protect, tree=tree))
    return judged(concrete, [before.tests for before in befores], afters)


def _solved(task: Task, lab: Lab, snapshot: Snapshot) -> tuple[str, bytes | None]:
    """The gold patch, or what the task's solution leaves. Raises :class:`SolverError` or :class:`PatchError`."""
    if not task.hidden.solution:
        return task.hidden.patch, None
    with lab.workspace(task.spec, snapshot) as workspace:
        return handed_in(task.spec, workspace, builtin.gold(task, workspace))


def judged(task: Task, befores: Sequence[Mapping[str, Outcome]], golds: Sequence[Grade]) -> TaskReport:
    """What the runs say of a task: ``golds[i]`` was graded against ``befores[i]``."""
    tests = [*_tests(task, befores, golds, fail_to_pass=True), *_tests(task, befores, golds, fail_to_pass=False)]
    status, problem = _status(tests, golds)
    kept = {
        name: tuple(test.id for test in tests if test.stable and test.fail_to_pass is (name == "fail_to_pass"))
        for name in ("fail_to_pass", "pass_to_pass")
    }
    return TaskReport(
        instance_id=task.id,
        status=status,
        problem=problem,
        gold=tuple(gold.verdict for gold in golds),
        tests=tuple(test for test in tests if not test.stable),
        kept=kept,
    )


def _tests(
    task: Task, befores: Sequence[Mapping[str, Outcome]], golds: Sequence[Grade], *, fail_to_pass: bool
) -> list[TestMeasured]:
    """Every test that the list stood for in any run: what a file or folder stands for is measured, so it may differ."""
    lists = [gold.fail_to_pass if fail_to_pass else gold.pass_to_pass for gold in golds]
    names = dict.fromkeys(name for listed in lists for name in listed)
    ok = F2P_OK if fail_to_pass else P2P_OK
    found = []
    for name in names:
        before = [_ran(name, run, task, ok) for run in befores]
        after = [
            listed.get(name) or _ran(name, {test: result.outcome for test, result in gold.tests.items()}, task, ok)
            for listed, gold in zip(lists, golds, strict=True)
        ]
        found.append(TestMeasured(id=name, fail_to_pass=fail_to_pass, before=tuple(before), after=tuple(after)))
    return found


def _ran(name: str, run: Mapping[str, Outcome], task: Task, ok: Collection[Outcome]) -> Outcome:
    """What a listed test came to in a run, by the rules of grading."""
    return match((name,), run, {}, runner=task.spec.runner, ok=ok, broken_before=False).get(name, Outcome.MISSING)


def _status(tests: Sequence[TestMeasured], golds: Sequence[Grade]) -> tuple[Status, str]:
    """The first of these that holds, and why."""
    problem = _gold_problem(tests, golds)
    if problem:
        return Status.GOLD_FAILS, problem
    wrong = [test for test in tests if not test.stable and not test.unstable]
    unstable = [test for test in tests if test.unstable]
    said = [f"{len(unstable)} of {len(tests)} tests change their mind"] if unstable else []
    if wrong:
        what = "passes before the patch" if wrong[0].fail_to_pass else "does not pass before the patch"
        said.append(f"{len(wrong)} of {len(tests)} tests contradict their list: {wrong[0].id} {what}")
    left = {kind: [test for test in tests if test.fail_to_pass is kind and test.stable] for kind in (True, False)}
    listed_f2p = any(test.fail_to_pass for test in tests)
    if not left[True] if listed_f2p else not left[False]:
        return Status.UNDECIDED, f"no test is left that tells right from wrong: {'; '.join(said)}"
    if wrong:
        return Status.CONTRADICTS, "; ".join(said)
    if unstable:
        return Status.QUARANTINE, said[0]
    return Status.VALID, ""


def _gold_problem(tests: Sequence[TestMeasured], golds: Sequence[Grade]) -> str:
    """Why the gold patch does not solve its task, if that is not for tests alone that change their mind."""
    never = [test.id for test in tests if test.held_after == 0]
    if never:
        return f"with the gold patch {len(never)} of {len(tests)} tests never hold: {', '.join(never[:3])}"
    for number, gold in enumerate(golds, 1):
        missed = any(
            test.after[number - 1] not in (F2P_OK if test.fail_to_pass else P2P_OK) for test in tests if test.unstable
        )
        if gold.resolved or (gold.verdict is Verdict.UNRESOLVED and missed):
            continue
        return f"run {number} of the gold patch is {gold.verdict.value}: {'; '.join(gold.reasons)[:500]}"
    return ""
