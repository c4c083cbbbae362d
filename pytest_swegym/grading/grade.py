"""A patch graded: applied to a fresh fork, the hidden tests run, and what they said weighed."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from pytest_swegym.errors import GradingError
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SwegymError
from pytest_swegym.grading import compiled
from pytest_swegym.grading.baseline import Baseline
from pytest_swegym.grading.baseline import measure_baseline
from pytest_swegym.grading.check_grade import grade_answer
from pytest_swegym.grading.compat.harness import second_verdict
from pytest_swegym.grading.hidden_run import run_hidden
from pytest_swegym.grading.integrity import late_hooks
from pytest_swegym.grading.integrity import proofs
from pytest_swegym.grading.integrity import suspicions
from pytest_swegym.grading.judge import Judge
from pytest_swegym.grading.junit import read_junit
from pytest_swegym.grading.junit import write_junit
from pytest_swegym.grading.match import canonical
from pytest_swegym.grading.match import is_selector
from pytest_swegym.grading.match import match
from pytest_swegym.grading.protect import protect_files
from pytest_swegym.grading.protect import touched_paths
from pytest_swegym.grading.run import Run
from pytest_swegym.grading.run import place_tests
from pytest_swegym.grading.shards import divide
from pytest_swegym.grading.words import ended_early
from pytest_swegym.grading.words import never_ran
from pytest_swegym.grading.words import not_run
from pytest_swegym.grading.words import shortfalls
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import Grade
from pytest_swegym.task import Hidden
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import TestResult
from pytest_swegym.task import Verdict
from pytest_swegym.task.check import RUNNER as CHECKS
from pytest_swegym.workspace import Workspace


#: Part of every content key: a change in what a verdict means makes old results old.
GRADER_VERSION = "4"


def grade(
    task: Task,
    patch: str,
    workspace: Workspace,
    *,
    baseline: Baseline | None = None,
    protect: str = "strict",
    compat: str = "same-run",
    tree: bytes | None = None,
    judge: Judge | None = None,
    fast_fail: bool = False,
    shards: int = 1,
) -> Grade:
    """Grade ``patch`` in ``workspace``, a fresh fork of the repository (never the solver's sandbox).

    A task of checks may have a ``tree`` handed in instead, and one without any a ``judge``.
    ``compat`` says what the SWE-bench harness's verdict is made from, :data:`pytest_swegym.grading.compat.MODES`.
    Without a ``baseline``, one is measured if the verdict depends on it, in another fork (``workspace.reset``).
    With ``fast_fail`` the run ends at the first listed test that is lost, and after the last. With several ``shards``
    the files run in so many processes at once, each in a fork of its own; what is not resolved so is decided by one
    whole run.
    Raises :class:`GradingError` if the tests cannot be run at all, :class:`SandboxError` if the sandbox failed.
    """
    if task.spec.runner == CHECKS:
        version = GRADER_VERSION
        return grade_answer(task, patch, workspace, version=version, tree=tree, baseline=baseline, judge=judge)
    try:
        put = _put(task, patch, workspace, protect, baseline)
    except PatchError as error:
        return never_ran(task, Verdict.INVALID_PATCH, str(error))
    except GradingError as error:
        if baseline is None:
            raise
        # They fitted the base, so it is the patch that is in their way.
        return never_ran(task, Verdict.UNRESOLVED, str(error))
    known = _Lazy(baseline, lambda: _measured(task, workspace))
    decided = None
    if shards > 1 and baseline is not None:
        decided = _sharded(task, workspace, baseline, put, known, count=shards, early=fast_fail)
    run, graded = decided or _whole(task, workspace, put, known, early=fast_fail)
    if run.seen.early is not None and not _final(run, graded):
        workspace.reset()
        run, graded = _whole(task, workspace, _put(task, patch, workspace, protect, baseline), known)
    return replace(graded, compat=second_verdict(task, patch, run, workspace, compat))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Put:
    """A patch and the hidden tests, put into a workspace: how it applied, what of it stays, what was put back."""

    method: str
    own: Collection[str]
    restored: Sequence[str]


def _put(task: Task, patch: str, workspace: Workspace, protect: str, baseline: Baseline | None) -> _Put:
    """Raises :class:`PatchError` for the patch, :class:`GradingError` for the tests."""
    method = workspace.apply(patch)
    touched = touched_paths(workspace, patch)
    restored = protect_files(workspace, task.hidden, touched, protect, runner=task.spec.runner)
    place_tests(task, workspace)
    if baseline is not None:
        compiled.put(workspace, baseline.bytecode())
    return _Put(method=method, own=touched - set(restored), restored=restored)


def _whole(task: Task, workspace: Workspace, put: _Put, known: _Lazy, *, early: bool = False) -> tuple[Run, Grade]:
    before = known.given or Baseline()
    run = run_hidden(task, workspace, before.codes, before.quirks, graded=True, early=early)
    return run, _judged(task, run, _bent(task, run, workspace.path, put, known), known, put)


def _sharded(
    task: Task, workspace: Workspace, baseline: Baseline, put: _Put, known: _Lazy, *, count: int, early: bool
) -> tuple[Run, Grade] | None:
    """Several runs as one, if they resolve the task; else ``None``, and ``workspace`` is as it was."""

    def fine(run: Run) -> bool:
        lost = _lost(task, run)
        return not (lost or _ending(task, run) or _bent(task, run, workspace.path, put, known)) and run.orderly

    def judged(run: Run) -> Grade | None:
        graded = _judged(task, run, [], known, put)
        return graded if graded.resolved else None

    shards = divide(task, workspace, baseline, count, early=early)
    return shards.decide(workspace, fine, judged) if shards is not None else None


def _lost(task: Task, run: Run) -> bool:
    """Whether a listed test that ran is lost. One that another process runs, or none, is not."""
    lists = ((task.hidden.fail_to_pass, F2P_OK), (task.hidden.pass_to_pass, P2P_OK))
    ran = run.seen.tests
    names = ((canonical(each, task.spec.runner), ok) for entries, ok in lists for each in entries)
    return any(name in ran and ran[name].outcome not in ok for name, ok in names)


def _final(run: Run, graded: Grade) -> bool:
    """Whether a run that ended early has decided: nothing is taken for bent, or broken, that was not run to its end."""
    lost = bool(run.seen.early) and graded.verdict is Verdict.UNRESOLVED
    return lost or graded.verdict in (Verdict.RESOLVED, Verdict.TIMEOUT)


def _bent(task: Task, run: Run, workdir: str, put: _Put, known: _Lazy) -> list[str]:
    doubts = suspicions(run) + late_hooks(run, workdir, put.own, task.hidden.patch)
    if doubts:
        before = known.get()
        doubts = [doubt for doubt in doubts if before is None or not before.excuses(doubt)]
    return proofs(run) + sorted(set(doubts))


class _Lazy:
    """A baseline, measured when first asked for."""

    def __init__(self, given: Baseline | None, make: Callable[[], Baseline | None]) -> None:
        self.given, self._make = given, make

    def get(self) -> Baseline | None:
        if self.given is None:
            self.given, self._make = self._make(), lambda: None
        return self.given


def _measured(task: Task, workspace: Workspace) -> Baseline | None:
    """The baseline from a fresh fork; ``None`` if the workspace cannot be forked, or the base has no result."""
    try:
        workspace.reset()
        return measure_baseline(task, workspace)
    except SwegymError:
        return None


def _judged(task: Task, run: Run, bent: list[str], known: _Lazy, put: _Put) -> Grade:
    xml = write_junit(
        (test for name, test in run.seen.tests.items() if not run.canaries.owns(name)),
        suite=task.id,
        properties={"runner": run.seen.runner, "exit_code": str(run.exit_code), "grader": GRADER_VERSION},
    )
    tests = read_junit(xml)
    before = _needed_baseline(task, tests, known)
    f2p, p2p = (not_run(each, run.seen.early) for each in _lists(task, tests, before, run.seen.aliases))
    verdict, reasons = _verdict(task, run, bent, f2p, p2p)
    return Grade(
        verdict=verdict,
        fail_to_pass=f2p,
        pass_to_pass=p2p,
        tests=tests,
        baseline=_listed_before(task, (*f2p, *p2p), before),
        reasons=tuple(reasons),
        protected=tuple(put.restored),
        exit_code=run.exit_code,
        oom=run.oom,
        duration=run.duration,
        junit_xml=xml,
        log=run.log,
        apply_method=put.method,
        early=ended_early(run.seen.early),
    )


def _listed_before(task: Task, listed: Collection[str], before: Mapping[str, Outcome]) -> dict[str, Outcome]:
    names = {name: canonical(name, task.spec.runner) for name in listed}
    return {name: before[own] for name, own in names.items() if own in before}


def _needed_baseline(task: Task, tests: Mapping[str, TestResult], known: _Lazy) -> Mapping[str, Outcome]:
    """Outcomes before the patch; measured now if the lists depend on them."""
    listed = (*task.hidden.fail_to_pass, *task.hidden.pass_to_pass)
    runner = task.spec.runner
    selectors = any(is_selector(canonical(each, runner), runner, tests.keys()) for each in listed)
    excused = any(test.outcome is Outcome.XFAILED for test in tests.values())
    before = known.get() if selectors or excused or known.given else None
    return before.tests if before else {}


def _lists(
    task: Task, tests: Mapping[str, TestResult], before: Mapping[str, Outcome], aliases: Mapping[str, list[str]]
) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    hidden, runner = task.hidden, task.spec.runner
    ran = {name: _meant(name, test.outcome, before, hidden) for name, test in tests.items()}
    f2p = match(hidden.fail_to_pass, ran, before, runner=runner, ok=F2P_OK, broken_before=True, aliases=aliases)
    p2p = match(hidden.pass_to_pass, ran, before, runner=runner, ok=P2P_OK, broken_before=False, aliases=aliases)
    return f2p, {name: outcome for name, outcome in p2p.items() if name not in f2p}


def _meant(name: str, outcome: Outcome, before: Mapping[str, Outcome], hidden: Hidden) -> Outcome:
    """An expected failure counts as a failure if it is the patch that expects it, with ``pytest.xfail()`` and the like.

    One that ran before the patch must have been expected then; one that could not run then, by the hidden tests.
    """
    if outcome is not Outcome.XFAILED or not before or before.get(name) is Outcome.XFAILED:
        return outcome
    texts = "".join((hidden.test_patch, *hidden.test_files.values()))
    expected = name not in before and ("xfail" in texts or "expectedFailure" in texts)
    return outcome if expected else Outcome.FAILED


def _verdict(
    task: Task, run: Run, bent: list[str], f2p: Mapping[str, Outcome], p2p: Mapping[str, Outcome]
) -> tuple[Verdict, list[str]]:
    reasons = shortfalls(f2p, p2p)
    ends = _ending(task, run)
    if not run.orderly and not reasons and run.exit_code == 0 and not run.timed_out:
        bent = [*bent, "the process ended with 0 before its session did, with nothing failed so far"]
    if bent:
        return Verdict.TAMPERED, bent + ends + reasons
    if run.timed_out:
        return Verdict.TIMEOUT, ends + reasons
    if ends or reasons:
        return Verdict.UNRESOLVED, ends + reasons
    return Verdict.RESOLVED, []


def _ending(task: Task, run: Run) -> list[str]:
    """Why a run that did not end in order cannot be believed, in words."""
    said = []
    if run.timed_out:
        said.append(f"the tests did not end within {task.spec.limits.timeout:g} s")
    elif run.seen.broken:
        said.append(f"the runner broke: {run.seen.broken.strip().splitlines()[-1]}")
    elif run.seen.status is None:
        said.append(f"the test process ended before its tests did (exit code {run.exit_code})")
    elif run.seen.status not in (0, 1):
        said.append(f"the test session could not do its work (exit code {run.seen.status})")
    elif run.exit_code != run.seen.status:
        said.append(f"the session ended with {run.seen.status}, its process with {run.exit_code}")
    elif run.seen.status and not any(
        test.outcome in (Outcome.FAILED, Outcome.ERROR) for test in run.seen.tests.values()
    ):
        said.append("the session ended with 1 although no test failed")
    if run.oom:
        said.append(f"a process was killed for memory (limit {task.spec.limits.memory_mb} MiB)")
    return said
