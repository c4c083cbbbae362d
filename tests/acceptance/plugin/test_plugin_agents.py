"""Solvers that play step by step, as pytest runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.trajectory import read_trajectory


Write = Callable[..., Path]
Records = Callable[..., dict[str, dict[str, Any]]]
FIX = "sed -i 's/a - b/a + b/' calc.py\n"


def test_a_script_its_replay_and_a_limit_of_steps(project: pytest.Pytester, rows: Write, records: Records) -> None:
    rows("calc-1", "calc-2")
    (project.path / "scripts").mkdir()
    (project.path / "scripts" / "calc-1.txt").write_text(FIX)
    (project.path / "scripts" / "calc-2.txt").write_text("ls\n---\n" + FIX)
    play = ["--swegym-tasks=rows.jsonl", "--swegym-jobs=2"]
    result = project.runpytest(*play, "--swegym-solver=scripted:scripts", "--swegym-output=out")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["resolved 2/2 *"])
    told = read_trajectory(project.path / "out" / "attempts" / "calc-2" / "trajectory.jsonl")
    assert told.header["run_id"] == records()["calc-2"]["run_id"]
    assert told.end is not None
    assert (told.end["verdict"], len(told.steps)) == ("resolved", 3)

    result = project.runpytest(*play, "--swegym-solver=replay:out", "--swegym-output=again", "--swegym-max-steps=2")
    result.assert_outcomes(passed=2)
    found = {name: record["extra"] for name, record in records("again").items()}
    assert found["calc-1"]["replay"] == {"steps": 2, "compared": 2, "difference": None}
    assert (found["calc-2"]["steps"], found["calc-2"]["ending"]) == (2, "steps")
    difference = found["calc-2"]["replay"]["difference"]
    assert (difference["step"], difference["what"]) == (2, "notice")  # the limit ended it there


def test_a_person_has_the_terminal_for_themselves(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1")
    command = [sys.executable, "-m", "pytest", "--swegym-tasks=rows.jsonl", "--swegym-solver=human"]
    lines = f"{FIX}:diff\n:submit\n"
    done = subprocess.run(command, input=lines, capture_output=True, text=True, cwd=project.path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+    return a + b" in done.stdout
    assert "calc-1 [1]$" in done.stdout
    assert "resolved 1/1" in done.stdout


@pytest.mark.parametrize("option", ["--swegym-jobs=2", "-n2"])
def test_a_person_cannot_play_several_at_once(project: pytest.Pytester, rows: Write, option: str) -> None:
    rows("calc-1")
    result = project.runpytest_subprocess("--swegym-tasks=rows.jsonl", "--swegym-solver=human", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--swegym-solver=human needs the terminal for itself: no --swegym-jobs above 1*"])


def test_wrong_files_are_wrong_use(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1")
    for name in ("replay:gone.jsonl", "scripted:gone.txt"):
        result = project.runpytest("--swegym-tasks=rows.jsonl", f"--swegym-solver={name}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*--swegym-solver={name}: * cannot be read: *No such file*"])


def test_what_an_export_holds(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1")
    (project.path / "fix.jsonl").write_text(
        json.dumps({"protocol": "tools"}) + "\n" + json.dumps({"name": "bash", "arguments": {"command": FIX}}) + "\n"
    )
    result = project.runpytest("--swegym-tasks=rows.jsonl", "--swegym-solver=scripted:fix.jsonl", "--swegym-output=out")
    result.assert_outcomes(passed=1)
    done = project.run(sys.executable, "-m", "pytest_swegym", "export", "out", "--output=chat.jsonl")
    assert done.ret == 0
    text = (project.path / "chat.jsonl").read_text()
    (episode,) = map(json.loads, text.splitlines())
    assert [message["role"] for message in episode["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert episode["messages"][2]["tool_calls"][0]["function"]["name"] == "bash"
    assert {tool["function"]["name"] for tool in episode["tools"]} == {"bash", "write_file", "submit"}
    assert (episode["verdict"], episode["reward"]) == ("resolved", 1.0)
    # Of the hidden tests and the gold patch there is nothing.
    assert "test_add" not in text
    assert "@@" not in text


WANTS = """
def look(task, workspace):
    occasion = workspace.occasion
    occasion.told["seen"] = [occasion.score is not None, list(occasion.oracle)]
    return ""

def search(task, workspace):
    look(task, workspace)
    workspace.occasion.told["score"] = workspace.occasion.score(workspace)

search.graded = search.oracle = True
"""


def test_only_a_solver_that_says_so_is_told_grades_and_paths(
    project: pytest.Pytester, rows: Write, records: Records
) -> None:
    rows("calc-1")
    project.makepyfile(wants=WANTS)
    for name, seen in (("look", [False, []]), ("search", [True, ["calc.py"]])):
        project.runpytest("--swegym-tasks=rows.jsonl", f"--swegym-solver=wants:{name}", f"--swegym-output={name}")
        extra = records(name)["calc-1"]["extra"]
        assert extra["seen"] == seen
        assert ("graded_looks" in extra, "oracle" in extra) == (seen[0], seen[0])
