"""``--swegym-tools``: solvers find the tools, graded patches do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


SOLVERS = """
def fix(task, workspace):
    print(workspace.run("find_file calc.py; greet").output)
    edit = "str_replace_editor str_replace calc.py --old_str 'a - b' --new_str 'a + b'"
    assert workspace.run(edit).exit_code == 0
"""


@pytest.fixture
def tool_folder(project: pytest.Pytester) -> Path:
    folder = project.path / "my_tools"
    (folder / "bin").mkdir(parents=True)
    (folder / "config.yaml").write_text("tools: {greet: {docstring: Greet.}}\n")
    (folder / "bin" / "greet").write_text("#!/bin/sh\necho hello\n")
    (project.path / "solvers.py").write_text(SOLVERS)
    return folder


def test_a_solver_calls_tools_and_a_changed_tool_is_another_attempt(
    project: pytest.Pytester,
    rows: Callable[..., Path],
    tool_folder: Path,
    records: Callable[..., dict[str, dict[str, Any]]],
) -> None:
    rows("calc-1")
    tools = "--swegym-tools=search,./my_tools"
    args = ["--swegym-tasks=rows.jsonl", "--swegym-solver=solvers.py:fix", "--swegym-output=out", tools]
    result = project.runpytest_inprocess(*args, "--swegym-tools=edit", "-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*tools=search,./my_tools,edit (option)*", "/testbed/calc.py", "hello"])
    assert "a + b" in (project.path / "out" / "attempts" / "calc-1" / "patch.diff").read_text()
    first = records()["calc-1"]["content_key"]
    again = project.runpytest_inprocess(*args, "--swegym-tools=edit", "--swegym-resume", "-s")
    assert "hello" not in again.outlines
    (tool_folder / "bin" / "greet").write_text("#!/bin/sh\necho good day\n")
    changed = project.runpytest_inprocess(*args, "--swegym-tools=edit", "--swegym-resume", "-s")
    changed.stdout.fnmatch_lines(["good day"])
    assert records()["calc-1"]["content_key"] != first


def test_tools_of_an_ini_are_relative_to_it_and_wrong_ones_end_the_run_at_once(
    project: pytest.Pytester, rows: Callable[..., Path], tool_folder: Path
) -> None:
    rows("calc-1")
    project.makeini("[pytest]\nswegym_tools =\n  ./my_tools\n  edit,search\n")
    deeper = project.mkdir("deeper")
    args = ["--swegym-tasks=../rows.jsonl", "--swegym-solver=../solvers.py:fix", "-c", "../tox.ini"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(deeper)
        project.runpytest_inprocess(*args).assert_outcomes(passed=1)
    (tool_folder / "config.yaml").write_text("tools: {greet: {docstrin: Greet.}}\n")
    wrong = project.runpytest_inprocess("--swegym-tasks=rows.jsonl", "--swegym-solver=gold")
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    wrong.stderr.fnmatch_lines(["*--swegym-tools: *my_tools/config.yaml: tools.greet.docstrin: unknown field*"])
