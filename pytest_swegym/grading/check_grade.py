"""An answer graded by checks, or by a judge: the answer is put into a fresh fork, and looked at there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from pytest_swegym.errors import GradingError
from pytest_swegym.errors import PatchError
from pytest_swegym.grading.baseline import Baseline
from pytest_swegym.grading.checks import ChecksRun
from pytest_swegym.grading.checks import run_checks
from pytest_swegym.grading.judge import Judge
from pytest_swegym.grading.judge import ask
from pytest_swegym.grading.junit import write_junit
from pytest_swegym.grading.words import never_ran
from pytest_swegym.grading.words import shortfalls
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict
from pytest_swegym.workspace import Workspace


def grade_answer(
    task: Task,
    patch: str,
    workspace: Workspace,
    *,
    version: str,
    tree: bytes | None = None,
    baseline: Baseline | None = None,
    judge: Judge | None = None,
) -> Grade:
    """Grade a patch, or a ``tree``, by the task's checks; by ``judge``, if it has none. ``version`` is the grader's.

    No patch at all leaves a tree as it is: that is an answer, if a wrong one. Raises :class:`SandboxError`, and
    :class:`GradingError` if there is neither a check nor a judge.
    """
    try:
        method = _place(task, patch, tree, workspace)
    except PatchError as error:
        return never_ran(task, Verdict.INVALID_PATCH, str(error))
    if not task.hidden.checks:
        if judge is None:
            raise GradingError(f"{task.id}: it has no checks, and there is no judge; give --swegym-judge=module:attr")
        return ask(task, workspace, judge, method=method)
    started = time.monotonic()
    try:
        run = run_checks(task, workspace, lambda fresh: _place(task, patch, tree, fresh))
    except PatchError as error:
        return never_ran(task, Verdict.INVALID_PATCH, str(error))
    before = baseline.tests if baseline is not None else {}
    graded = _weighed(task, run, before, version)
    return replace(graded, duration=time.monotonic() - started, apply_method=method)


def _weighed(task: Task, run: ChecksRun, before: Mapping[str, Outcome], version: str) -> Grade:
    """What the checks came to, as a grade."""
    f2p = {name: run.tests[name].outcome for name in task.hidden.fail_to_pass}
    p2p = {name: run.tests[name].outcome for name in task.hidden.pass_to_pass}
    reasons = shortfalls(f2p, p2p)
    return Grade(
        verdict=Verdict.UNRESOLVED if reasons else Verdict.RESOLVED,
        fail_to_pass=f2p,
        pass_to_pass=p2p,
        tests=run.tests,
        baseline={name: before[name] for name in (*f2p, *p2p) if name in before},
        reasons=tuple(reasons),
        exit_code=run.exit_code,
        oom=run.oom,
        junit_xml=write_junit(
            run.tests.values(),
            suite=task.id,
            properties={"runner": task.spec.runner, "exit_code": str(run.exit_code), "grader": version},
        ),
        log=run.log,
    )


def _place(task: Task, patch: str, tree: bytes | None, workspace: Workspace) -> str:
    """Put the answer into a fresh fork; returns how. Raises :class:`PatchError`."""
    if tree is not None:
        workspace.unpack(tree)
        return "tree"
    if not patch.strip() and task.spec.submission == "tree":
        return "as it was"
    return workspace.apply(patch)
