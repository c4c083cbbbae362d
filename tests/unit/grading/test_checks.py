"""What a check came to is decided by what it printed and how it ended."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swegym.grading import checks
from pytest_swegym.grading import seal
from pytest_swegym.grading.checks import shortfall
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.task import Check


def came(check: dict[str, Any], stdout: bytes, **result: Any) -> str:
    return shortfall(Check(name="c", run="x", **check), ExecResult(**{"exit_code": 0, "stdout": stdout, **result}))


@pytest.mark.parametrize(
    ("check", "stdout"),
    [
        ({}, b"anything"),
        ({"stdout": "a"}, b"a\n"),
        ({"stdout": "a\n"}, b"a"),
        ({"stdout": ""}, b""),
        ({"stdout": "é"}, "é\n".encode()),
        ({"contains": ("a", "b")}, b"b a"),
        ({"matches": "^b+$"}, b"a\nbbb\nc"),
    ],
)
def test_what_passes(check: dict[str, Any], stdout: bytes) -> None:
    assert came(check, stdout) == ""


@pytest.mark.parametrize(
    ("check", "stdout", "reason"),
    [
        ({"stdout": "Hello, World!"}, b"Hello, world!\n", "printed 'Hello, world!\\n', not 'Hello, World!'"),
        ({"stdout": "a"}, b"a\n\n", "printed 'a\\n\\n'"),
        ({"stdout": "a"}, b"a ", "printed 'a '"),
        ({"stdout": "a\nb"}, b"a\r\nb", "printed"),
        ({"stdout": "?"}, b"\xff", "printed"),
        ({"contains": ("a", "c")}, b"a b", "did not print 'c'"),
        ({"matches": "^b$"}, b"abc", "nothing that it printed matches '^b$'"),
        ({"exit_code": 3}, b"", "exit code is 0, not 3"),
    ],
)
def test_what_fails_and_why(check: dict[str, Any], stdout: bytes, reason: str) -> None:
    assert reason in came(check, stdout)


def test_an_exit_code_a_timeout_and_a_flood_fail_whatever_was_printed() -> None:
    assert "exit code is 1" in came({"stdout": "a"}, b"a", exit_code=1)
    assert "did not end within 60 s" in came({"stdout": "a"}, b"a", timed_out=True)
    assert "more than 1 MiB" in came({"stdout": "a"}, b"a", truncated=True)


def test_a_pattern_that_would_take_for_ever_does_not_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_PATIENCE", 0.5)
    assert "nothing that it printed matches" in came({"matches": "(a+)+$"}, b"a" * 60 + b"b")


def test_settings_that_run_programs_are_known_by_name_and_others_stay() -> None:
    bad = [
        "filter.x.clean",
        "diff.external",
        "diff.A b.textconv",
        "include.path",
        "includeIf.gitdir:/.path",
        "merge.m.driver",
    ]
    good = ["user.name", "remote.origin.url", "branch.main.merge", "alias.co", "core.bare", "merge.ff", "diff.renames"]
    assert all(seal._RUNS_CODE.fullmatch(name) for name in bad)
    assert not any(seal._RUNS_CODE.fullmatch(name) for name in good)
