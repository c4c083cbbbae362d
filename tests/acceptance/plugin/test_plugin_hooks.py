"""Conftests: solvers per folder, rewards, records, stages, sandboxes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


Write = Callable[..., Path]
Records = Callable[..., dict[str, dict[str, Any]]]
FIX = """
def pytest_swegym_solve(item, task, workspace):
    workspace.write("calc.py", workspace.read("calc.py").replace("a - b", "a + b"))
    return ""
"""


def test_nearest_conftest_solves_and_the_command_line_wins(project: pytest.Pytester, marked: Write) -> None:
    marked("first", module="one/test_first.py")
    marked("second", module="two/test_second.py")
    (project.path / "one" / "conftest.py").write_text(FIX)
    (project.path / "two" / "conftest.py").write_text("def pytest_swegym_solve(): return ''\n")
    result = project.runpytest()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["swegym: solver=of the conftest, sandbox=bubblewrap*"])
    project.runpytest("--swegym-solver=gold").assert_outcomes(passed=2)


def test_solver_that_passes_leaves_it_to_the_next(project: pytest.Pytester, marked: Write) -> None:
    marked("first", module="one/test_first.py")
    project.makeconftest(FIX)
    (project.path / "one" / "conftest.py").write_text("def pytest_swegym_solve(): return None\n")
    project.runpytest().assert_outcomes(passed=1)
    project.makeconftest("")
    result = project.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no solver took first: every pytest_swegym_solve returned None*"])


def test_hooks_of_an_attempt(project: pytest.Pytester, rows: Write, records: Records) -> None:
    rows("calc-1")
    project.makeconftest(
        FIX
        + """
def pytest_swegym_compute_reward(item, task, grade): return 0.25
def pytest_swegym_update_record(item, record): return {"cost": 3}
def pytest_swegym_attempt_started(item, task, attempt): log("started", task.instance_id, attempt)
def pytest_swegym_attempt_stage(task, attempt, stage, seconds): log("stage", stage, seconds >= 0)
def pytest_swegym_attempt_finished(record): log("finished", record.verdict.value, record.extra)
def log(*words):
    with open("hooks.txt", "a") as file:
        print(*words, file=file)
"""
    )
    result = project.runpytest("--swegym-tasks=rows.jsonl", "--swegym-output=out")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["resolved 1/1 (100.0%), mean reward 0.250"])
    assert (project.path / "hooks.txt").read_text().splitlines() == [
        "started calc-1 0",
        "stage checkout True",
        "stage sandbox True",
        "stage solve True",
        "stage grade True",
        "finished resolved {'cost': 3}",
    ]
    assert records()["calc-1"]["extra"] == {"cost": 3}


def test_reward_of_the_users_own(project: pytest.Pytester, rows: Write, records: Records) -> None:
    rows("calc-1")
    (project.path / "rewards.py").write_text("def half(grade):\n    return 0.5 if grade.resolved else -1\n")
    options = ("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-output=out")
    project.runpytest(*options, "--swegym-reward=rewards:half").assert_outcomes(passed=1)
    assert (records()["calc-1"]["reward"], records()["calc-1"]["reward_name"]) == (0.5, "rewards:half")


def test_reward_that_fails_is_an_error_that_keeps_the_record(
    project: pytest.Pytester, rows: Write, records: Records
) -> None:
    rows("calc-1")
    project.makeconftest("def pytest_swegym_compute_reward(): return 'much'\n")
    result = project.runpytest("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-output=out")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*pytest_swegym_compute_reward returned 'much', not a number*"])
    assert records()["calc-1"]["verdict"] == "infra_error"


def test_sandbox_of_a_hook(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1")
    project.makeconftest(
        """
        from pytest_swegym.sandbox import make_backend
        def pytest_swegym_make_sandbox(config, name):
            if name == "mine":
                backend = make_backend("bubblewrap")
                backend.describe = lambda: "a sandbox of mine"
                return backend
        """
    )
    result = project.runpytest("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-sandbox=mine")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*sandbox=a sandbox of mine (option)*"])


def test_rows_can_be_read_by_a_test_of_their_own(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1")
    project.makepyfile(
        test_stages="""
        def test_stages(swegym_task, swegym_checkout, swegym_patch, swegym_grade, swegym_reward, swegym_result):
            assert not hasattr(swegym_task, "patch")
            assert swegym_checkout.baseline
            assert "a + b" in swegym_patch
            assert swegym_grade.resolved and swegym_reward == 1.0
            assert swegym_result.patch == swegym_patch
            assert swegym_result.verdict.value == "resolved"
            assert repr(swegym_result) == "<calc-1: resolved, 1/1 FAIL_TO_PASS, 1/1 PASS_TO_PASS>"
        """
    )
    options = ("test_stages.py", "--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-output=out")
    project.runpytest(*options).assert_outcomes(passed=1)
    # What takes the checkout itself cannot be answered by a record.
    project.runpytest(*options, "--swegym-resume").assert_outcomes(passed=1)
