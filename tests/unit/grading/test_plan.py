from __future__ import annotations

from typing import Any

import pytest

from pytest_swegym.grading.command import parse_command
from pytest_swegym.grading.plan import Plan
from pytest_swegym.grading.plan import files_of
from pytest_swegym.grading.plan import parts_of
from pytest_swegym.grading.plan import plan_run
from pytest_swegym.grading.plan import without_names
from pytest_swegym.task import Task


PATCH = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-a\n+b\n"


def plan(*files: str, **row: Any) -> Plan:
    row = {"instance_id": "a", "repo": ".", "test_patch": "".join(PATCH.format(file) for file in files), **row}
    task = Task.from_dict(row)
    return plan_run(task, parse_command(task))


def test_pytest_runs_the_files_of_its_ids() -> None:
    found = plan("tests/test_b.py", "tests/conftest.py", fail_to_pass=["tests/test_a.py::test_x", "[100%]"])
    assert found.targets == ("tests/test_a.py",)
    assert {"tests/test_b.py", "tests/conftest.py", "tests/test_a.py"} <= set(found.sealed)


def test_what_the_harness_runs_is_run_where_its_verdict_is_asked_for() -> None:
    files = ("tests/test_b.py", "tests/helper.py", "docs/a.rst")
    found = plan(*files, fail_to_pass=["tests/test_a.py::test_x"], log_parser="parse_log_pytest")
    assert found.targets == ("tests/helper.py", "tests/test_a.py", "tests/test_b.py")


def test_django_s_docstrings_do_not_tell_their_file() -> None:
    files = ("tests/admin_views/tests.py", "tests/admin_views/models.py")
    command = "./tests/runtests.py --verbosity 2"
    found = plan(*files, test_command=command, fail_to_pass=["test_x (app.test_forms.Case)"])
    assert "tests/app/test_forms.py" in found.targets
    assert "tests/admin_views/tests.py" not in found.targets
    found = plan(*files, test_command=command, fail_to_pass=["What it does, in words."])
    assert found.targets == ("tests/admin_views/tests.py",)
    assert [path.rpartition("/")[0] for path in found.canaries.files] == ["tests/admin_views"]
    assert "django/test/testcases.py" in found.sealed


def test_sympy_s_bare_names_do_not_tell_their_file() -> None:
    file = "sympy/sets/tests/test_sets.py"
    assert plan(file, test_command="bin/test -C", fail_to_pass=["test_union"]).targets == (file,)
    other = "sympy/core/tests/test_a.py"
    assert plan(file, test_command="bin/test -C", fail_to_pass=[f"{other}::test_x"]).targets == (other,)


def test_no_ids_no_targets() -> None:
    found = plan("tests/test_a.py", pass_to_pass=["[100%]"])
    assert found.targets == ()
    assert len(found.canaries.files) == 1


@pytest.mark.parametrize(
    ("test", "runner", "start", "first"),
    [
        ("tests/a.py::T::t[x/y]", "pytest", "", "tests/a.py"),
        ("a.b.Case.test_x", "unittest", "", "a/b.py"),
        ("a.b.Case.test_x", "django", "tests", "tests/a/b.py"),
        ("tests/a/b.py", "django", "tests", "tests/a/b.py"),
    ],
)
def test_the_likeliest_file(test: str, runner: str, start: str, first: str) -> None:
    assert files_of(test, runner, start)[0] == first


def ranked(found: Plan) -> dict[str, int]:
    return {path: rank for path, rank in found.early["ranks"].items() if path not in found.canaries.files}


LISTS = {"fail_to_pass": ["tests/z.py::t"], "pass_to_pass": ["tests/a.py::t[x]", "tests/z.py::u", "tests/b.py"]}


def test_a_run_that_may_end_early_knows_what_it_waits_for() -> None:
    row = {"instance_id": "a", "repo": ".", **LISTS}
    task = Task.from_dict(row)
    assert plan_run(task, parse_command(task)).early == {}
    found = plan_run(task, parse_command(task), early=True)
    assert found.early["holds"] == {"tests/a.py::t[x]": True, "tests/z.py::u": True, "tests/z.py::t": False}
    assert found.early["begins"] == ["tests/b.py/", "tests/b.py::"]
    assert ranked(found) == {"tests/z.py": 0, "tests/a.py": 1, "tests/b.py": 1}
    assert {found.early["ranks"][path] for path in found.canaries.files} == {0}


def test_what_stands_for_more_than_can_be_told_is_waited_for_to_the_end() -> None:
    row = {"instance_id": "a", "repo": ".", "runner": "django", "fail_to_pass": ["What it does, in words."]}
    task = Task.from_dict({**row, "pass_to_pass": ["test_x (app.tests.Case)"]})
    early = plan_run(task, parse_command(task), early=True).early
    assert early["begins"] == [""]
    assert early["holds"] == {"app.tests.Case.test_x": True}


def test_a_part_of_a_run_has_files_canaries_and_tests_of_its_own() -> None:
    task = Task.from_dict({"instance_id": "a", "repo": ".", **LISTS, "test_files": {"other/c.py": ""}})
    command = parse_command(task)
    assert set(parts_of(task, command).files) == {"tests/a.py", "tests/b.py", "tests/z.py"}
    whole, part = plan_run(task, command), plan_run(task, command, early=True, only={"tests/a.py"})
    assert part.targets == ("tests/a.py",)
    assert set(part.early["holds"]) == {"tests/a.py::t[x]"}
    assert part.early["begins"] == []
    assert set(whole.targets) <= set(part.sealed)
    assert len(part.canaries.files) == 1


@pytest.mark.parametrize(
    ("command", "listed", "args"),
    [
        ("pytest", ["a.py::t"], ()),
        ("pytest -p no:x -v --maxfail 3", ["a.py::t"], ("-p", "no:x", "-v", "--maxfail", "3")),
        ("pytest -v a.py b.py", ["b.py::t", "a.py::t"], ("-v",)),
        ("pytest a.py", ["b.py::t", "a.py::t"], None),
        ("pytest tests", ["tests/a.py::t"], None),
        ("pytest --own value", ["a.py::t"], None),
        ("python -m unittest -v t.a", ["t.a.Case.test_x"], ("-v",)),
        ("python -m unittest discover -s t", ["t.a.Case.test_x"], None),
        ("tests/runtests.py --parallel 1 a.tests", ["test_x (a.tests.Case)"], ("--parallel", "1")),
        ("bin/test -C s/test_a.py", ["s/test_a.py::test_x"], ("-C",)),
    ],
)  # fmt: skip
def test_files_that_a_command_names_are_the_lists_own(
    command: str, listed: list[str], args: tuple[str, ...] | None
) -> None:
    task = Task.from_dict({"instance_id": "a", "repo": ".", "test_command": command, "fail_to_pass": listed})
    parsed = parse_command(task)
    found = without_names(parsed, parts_of(task, parsed), task.spec.runner)
    assert (found.args if found is not None else None) == args
