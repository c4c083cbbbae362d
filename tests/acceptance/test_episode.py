"""The whole sentence on real sandboxes, through ``Attempt``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from pytest_swegym.episode import Attempt
from pytest_swegym.errors import SandboxError
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.solvers import load_solver
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import Verdict
from pytest_swegym.workspace import Workspace


def attempt(lab: Lab, task: Task, solver: Any) -> AttemptRecord:
    made = Attempt(task, solver, lab, reward=lambda spec, grade: compute_reward("resolved", grade))
    try:
        return made.record()
    finally:
        made.close()


def fix(task: TaskSpec, workspace: Workspace) -> None:
    workspace.write("calc.py", workspace.read("calc.py").replace("a - b", "a + b"))


def test_gold_resolves_and_empty_does_not(lab: Lab, task: Task) -> None:
    gold = attempt(lab, task, load_solver("gold"))
    assert (gold.verdict, gold.reward, gold.error) == (Verdict.RESOLVED, 1.0, "")
    assert set(gold.stages) == {"checkout", "sandbox", "solve", "grade"}
    empty = attempt(lab, task, load_solver("empty"))
    assert (empty.verdict, empty.reward) == (Verdict.INVALID_PATCH, 0.0)


def test_edits_left_in_the_workspace_are_the_patch(lab: Lab, task: Task) -> None:
    record = attempt(lab, task, fix)
    assert record.verdict is Verdict.RESOLVED
    assert "+    return a + b" in record.patch


def test_a_wrong_patch_is_unresolved_and_names_the_test(lab: Lab, task: Task) -> None:
    def wrong(task: TaskSpec, workspace: Workspace) -> None:
        workspace.write("calc.py", "def add(a, b):\n    return 3\n")

    record = attempt(lab, task, wrong)
    assert record.verdict is Verdict.UNRESOLVED
    assert {k: v.value for k, v in record.fail_to_pass.items()} == {"tests.test_calc.TestCalc.test_add": "passed"}
    assert any("test_twice" in reason for reason in record.reasons)


def test_a_solver_sees_nothing_hidden(lab: Lab, task: Task) -> None:
    seen: list[str] = []

    def spy(task: TaskSpec, workspace: Workspace) -> str:
        seen.append(repr(task))
        places = "/testbed /tmp /home /run /opt /etc /.swegym /var"
        seen.append(workspace.run(f"env; cat /.swegym/*; ls -R /.swegym; grep -rls test_add {places}").output)
        return ""

    attempt(lab, task, spy)
    assert "test_add" not in "".join(seen)
    assert "a + b" not in seen[0]


def boom(task: TaskSpec, workspace: Workspace) -> None:
    raise ZeroDivisionError("my own mistake")


def number(task: TaskSpec, workspace: Workspace) -> int:
    return 3


def suicide(task: TaskSpec, workspace: Workspace) -> None:
    workspace.run("kill -9 -1")
    workspace.run("true")
    workspace.sandbox.close()
    workspace.run("true")


@pytest.mark.parametrize(
    ("solver", "verdict", "said"),
    [
        (boom, Verdict.SOLVER_ERROR, "ZeroDivisionError: my own mistake"),
        (number, Verdict.SOLVER_ERROR, "the solver returned int; expected a unified diff"),
        (suicide, Verdict.SOLVER_ERROR, "SandboxClosed"),
        (load_solver("command:./my-agnt"), Verdict.SOLVER_ERROR, "code 127; nor is there a recipe's folder"),
        (load_solver("command:exit 7"), Verdict.SOLVER_ERROR, "ended with exit code 7"),
    ],
)
def test_a_failing_solver_is_its_own_fault(lab: Lab, task: Task, solver: Any, verdict: Verdict, said: str) -> None:
    record = attempt(lab, task, solver)
    assert (record.verdict, record.reward, record.error_stage) == (verdict, 0.0, "solve")
    assert said in record.error


def test_a_solver_that_never_ends_is_cut_off(lab: Lab, make_task: Callable[..., Task]) -> None:
    late: list[str] = []

    def slow(task: TaskSpec, workspace: Workspace) -> None:
        try:
            workspace.run("sleep 60")
            workspace.run("true")
        except SandboxError as error:
            late.append(type(error).__name__)
            raise

    record = attempt(lab, make_task(solve_timeout=1), slow)
    assert record.verdict is Verdict.TIMEOUT
    assert "ran out of its 1 s" in record.error
    deadline = time.monotonic() + 20
    while not late and time.monotonic() < deadline:
        time.sleep(0.05)
    assert late == ["SandboxClosed"]


def test_a_program_finds_the_problem_and_works_in_the_tree(lab: Lab, task: Task) -> None:
    program = (
        'grep -q "add(1, 2)" "$SWEGYM_PROBLEM_FILE" && test "$SWEGYM_INSTANCE_ID" = calc-1 && '
        'test -n "$SWEGYM_PROBLEM_STATEMENT" && sed -i "s/a - b/a + b/" calc.py'
    )
    record = attempt(lab, task, load_solver(f"command:{program}"))
    assert record.verdict is Verdict.RESOLVED, record.error


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"base_commit": "0" * 40}, "0000000"),
        ({"repo": "./nowhere"}, "nowhere"),
        ({"install": ["echo building; exit 3"]}, "install: echo building; exit 3 failed: exit code 3\nbuilding"),
        ({"python": "2.3"}, "2.3"),
        ({"runner": "pytest", "packages": ["no-such-package-at-all-xyz"]}, "no-such-package-at-all-xyz"),
    ],
)
def test_what_cannot_be_prepared_is_an_infra_error_with_its_reason(
    lab: Lab, make_task: Callable[..., Task], fields: dict[str, Any], said: str
) -> None:
    record = attempt(lab, make_task(instance_id="broken-1", **fields), load_solver("gold"))
    assert (record.verdict, record.reward, record.error_stage) == (Verdict.INFRA_ERROR, None, "checkout")
    assert said in record.error


def test_tests_that_never_end_are_a_timeout(lab: Lab, make_task: Callable[..., Task]) -> None:
    def hang(task: TaskSpec, workspace: Workspace) -> None:
        workspace.write("calc.py", "import time\n\n\ndef add(a, b):\n    time.sleep(600)\n\n\ntwice = add\n")

    record = attempt(lab, make_task(instance_id="hang-1", timeout=3), hang)
    assert (record.verdict, record.reward) == (Verdict.TIMEOUT, 0.0)


def test_killing_everything_while_grading_is_no_infra_error(lab: Lab, task: Task) -> None:
    def bomb(task: TaskSpec, workspace: Workspace) -> None:
        workspace.write("calc.py", "import os\nos.kill(-1, 9)\n")

    record = attempt(lab, task, bomb)
    assert record.reward == 0.0
    assert record.verdict in (Verdict.UNRESOLVED, Verdict.TAMPERED)


def test_compiled_code_is_never_as_new_as_a_patch(lab: Lab, task: Task) -> None:
    """Python takes compiled code for a source of the same size and second: here the fix has the same size."""
    with lab.workspace(task.spec, lab.prepare(task).snapshot) as workspace:
        assert workspace.run("find . -name '*.pyc' | wc -l").output.strip() != "0"
        assert workspace.run("find . -path ./.git -prune -o -name '*.py' -mmin -60 -print").output == ""
