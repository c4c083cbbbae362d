"""A curriculum under pytest: one item per task; prose alone is skipped, judged, or checked by what was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest


CURRICULUM = {
    "1": {"category": "Python", "docker": "no/such-image", "shell": "/bin/sh", "working_dir": "/tmp", "title": "Hello",
          "description": "Write hello.", "checks": [{"name": "says", "run": "sh hello; pwd", "stdout": "hello\n/tmp"}],
          "solution": "echo echo hello > hello"},
    "2": {"category": "Git", "title": "Clone", "description": "Clone.", "for_teacher": "SECRET-PROSE"},
}  # fmt: skip
CODE = """
def solve(task, workspace):
    assert "SECRET" not in repr(task)
    workspace.write("hello", "echo hello")

def judge(text, session):
    return 10 if text == "SECRET-PROSE" and session.run("sh hello") == "hello\\n" else None

def writer(prose, title, description):
    return [{"name": "cats", "run": "cat hello", "stdout": prose}]
"""


@pytest.fixture
def args(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("pytest_swegym.rows.check_writer.cache_dir", lambda name: project.path / name)
    (project.path / "course.json").write_text(json.dumps({"tasks": CURRICULUM}, indent=1))
    (project.path / "mine.py").write_text(CODE)
    return ["--swegym-tasks=course.json", "--swegym-solver=mine.py:solve", "--swegym-output=out", "-rs"]


def test_prose_alone_is_skipped_never_passed(project: pytest.Pytester, args: list[str]) -> None:
    listed = project.runpytest_inprocess("--swegym-tasks=course.json", "--collect-only", "-q")
    assert listed.outlines[:2] == ["course.json::course__1", "course.json::course__2"]
    result = project.runpytest_inprocess(*args)
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*nothing but prose says how to check it; give --swegym-judge=module:attr*"])
    assert (project.path / "out" / "attempts" / "course__1" / "tree.tar.gz").is_file()


def test_a_judge_or_a_writer_of_checks_decides(
    project: pytest.Pytester, args: list[str], records: Callable[..., dict[str, dict[str, Any]]]
) -> None:
    project.runpytest_inprocess(*args, "--swegym-judge=mine.py:judge").assert_outcomes(passed=2)
    assert records()["course__2"]["score"] == 1.0
    written = project.runpytest_inprocess(*args, "--swegym-resume", "--swegym-check-writer=mine.py:writer")
    written.assert_outcomes(passed=1, failed=1)
    assert records()["course__2"]["fail_to_pass"] == {"cats": "failed"}
    (path,) = (project.path / "checks").iterdir()
    path.write_text(path.read_text().replace('"stdout": "SECRET-PROSE"', '"stdout": "echo hello"'))
    project.runpytest_inprocess(*args, "--swegym-resume").assert_outcomes(passed=2)


def test_a_wrong_name_ends_the_run_at_once(project: pytest.Pytester, args: list[str]) -> None:
    wrong = project.runpytest_inprocess(*args, "--swegym-judge=mine.py:jugde")
    wrong.stderr.fnmatch_lines(["*--swegym-judge: *has no 'jugde'; it has: *judge*"])
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
