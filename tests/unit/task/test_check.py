"""Checks are read strictly, and a task of checks is read back as it was written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.errors import SpecError
from pytest_swegym.task import Check
from pytest_swegym.task import Task


FIELDS: dict[str, Any] = {"instance_id": "hello", "repo": "empty:", "submission": "tree"}
CHECK = {"name": "prints", "run": "python3 hello.py", "stdout": "Hello, World!"}
TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)
LINE = TEXT.map(lambda text: f"x{text}y")


def read(*checks: Any, **fields: Any) -> Task:
    return Task.from_dict({**FIELDS, "checks": list(checks), **fields})


def test_the_lists_are_the_names_of_the_checks_and_the_runner_is_told() -> None:
    task = read(CHECK, {"name": "stays", "run": "cat a", "keeps": True})
    assert task.hidden.fail_to_pass == ("prints",)
    assert task.hidden.pass_to_pass == ("stays",)
    assert task.spec.runner == "checks"
    assert Task.from_dict(task.to_dict()) == task


@given(
    st.builds(
        Check,
        name=LINE,
        run=LINE,
        stdin=TEXT,
        stdout=st.none() | TEXT,
        contains=st.lists(TEXT, max_size=2).map(tuple),
        matches=st.none() | st.just("^a+$"),
        exit_code=st.integers(0, 255),
        timeout=st.floats(0.1, 1000),
        files=st.dictionaries(st.sampled_from(["a", "b/c", "b/d"]), TEXT),
        keeps=st.booleans(),
    )
)
def test_every_check_is_read_back_to_an_equal_one(check: Check) -> None:
    names = ("name", "run", "stdin", "stdout", "contains", "matches", "exit_code", "timeout", "files", "keeps")
    task = read({name: getattr(check, name) for name in names})
    assert task.hidden.checks == (check,)
    assert Task.from_dict(task.to_dict()) == task


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ([{"run": "true"}], r"checks\[0\].name: is required"),
        ([{"name": "a"}], r"checks\[0\].run: is required"),
        ([CHECK, CHECK], r"checks\[1\].name: 'prints' is the name of an earlier check"),
        ([{**CHECK, "stdot": "x"}], r"checks\[0\].stdot: unknown field; did you mean 'stdout'"),
        ([{**CHECK, "matches": "("}], r"checks\[0\].matches: is no regular expression"),
        ([{**CHECK, "exit_code": 256}], r"checks\[0\].exit_code: must be a whole number from 0 to 255"),
        ([{**CHECK, "timeout": 0}], r"checks\[0\].timeout: must be a number above 0"),
        ([{**CHECK, "files": {"../a": ""}}], r"checks\[0\].files: '../a' must be a path inside the workdir"),
        ([{**CHECK, "files": {"a": "", "a/b": ""}}], r"checks\[0\].files: 'a' is a file, and the folder of another"),
        ([{**CHECK, "name": "two\nlines"}], r"checks\[0\].name: must be one line"),
        (["echo"], r"checks\[0\]: expected a table of fields, got str"),
        ("echo", "checks: must be a list of tables"),
    ],
)
def test_a_wrong_check_is_named(checks: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Task.from_dict({**FIELDS, "checks": checks})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fail_to_pass": ["a"]}, "fail_to_pass: cannot be given with checks"),
        ({"test_files": {"a": "b"}}, "test_files: cannot be given with checks"),
        ({"runner": "jest"}, "checks: run by themselves"),
        ({"test_command": "make test"}, "checks: run by themselves"),
        ({"repo": "./here", "files": {"a": "b"}}, "files: are for tasks with repo = 'empty:'"),
        ({"submission": "zip"}, "submission: must be one of patch, tree"),
        ({"shell": "/bin/sh -e"}, "shell: must name a program"),
    ],
)
def test_what_does_not_go_with_checks_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read(CHECK, **fields)


@pytest.mark.parametrize("fields", [{"runner": "checks"}, {"submission": "tree"}])
def test_nothing_is_decided_without_checks(fields: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="checks: are required by"):
        Task.from_dict({"instance_id": "a", "repo": "empty:", "fail_to_pass": ["t"], **fields})
