"""--swegym-fast-fail, --swegym-shards and --swegym-prefork, from the command line to the record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


Write = Callable[..., Path]
Records = Callable[..., dict[str, dict[str, Any]]]
OTHER = "import unittest\n\n\nclass TestOther(unittest.TestCase):\n    def test_other(self):\n        pass\n"


def test_a_record_says_where_its_grade_ended(project: pytest.Pytester, rows: Write, records: Records) -> None:
    (project.path / "calc_repo" / "tests" / "test_a.py").write_text(OTHER)
    other = "tests.test_a.TestOther.test_other"
    rows("calc-1", pass_to_pass=[other, "tests.test_calc.TestCalc.test_twice"])
    options = ["--swegym-tasks=rows.jsonl", "--swegym-solver=solvers.py:wrong", "--swegym-output=out"]
    result = project.runpytest(*options, "--swegym-fast-fail", "--swegym-shards=auto")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*2 were not run: the grade had ended*"])
    (record,) = records().values()
    assert record["verdict"] == "unresolved"
    assert record["early"] == "at the first lost test: tests.test_calc.TestCalc.test_add"
    assert record["pass_to_pass"][other] == "not_run"
    assert "PASS_TO_PASS: 2 of 2 were not run" in record["reasons"][1]

    project.runpytest(*options, "--swegym-resume").assert_outcomes(failed=1)
    (whole,) = records().values()
    assert whole["early"] == ""
    assert whole["pass_to_pass"][other] == "passed"
    assert whole["content_key"] != record["content_key"]


def test_the_summary_says_whether_prefork_was_of_use(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1")
    options = ("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-attempts=3", "--swegym-no-cache")
    result = project.runpytest(*options, "--swegym-prefork=on")
    result.assert_outcomes(passed=3)
    # The second grade has one made ready; whether that is in time for the third is chance.
    result.stdout.re_match_lines([r"grades that found their Python waiting \(prefork\): [01]"])


def test_a_reward_that_counts_all_tests_is_refused(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1")
    options = ("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-fast-fail", "--swegym-reward=weighted")
    result = project.runpytest(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--swegym-fast-fail: *choose --swegym-reward=resolved"])
