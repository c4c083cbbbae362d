"""Curricula of both generations are read, and what is wrong in them is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import GradingError
from pytest_swegym.errors import SpecError
from pytest_swegym.rows import RowOptions
from pytest_swegym.rows import is_source
from pytest_swegym.rows import load
from pytest_swegym.rows import row_options
from pytest_swegym.rows.check_writer import checks_file
from pytest_swegym.rows.check_writer import undecided
from pytest_swegym.rows.check_writer import written_checks
from pytest_swegym.rows.curriculum import curriculum_entries
from pytest_swegym.rows.curriculum import read_curriculum
from pytest_swegym.task import Task


FIRST = {"category": "Python", "docker": "python:3.9-slim", "shell": "/bin/bash", "working_dir": "/tmp",
         "title": "Hello World", "description": "Print it.", "test": "Look at hello.py."}  # fmt: skip
SECOND = {"category": "Git", "docker": "python:3.9", "shell": "/bin/sh", "title": "Clone", "description": "Clone it.",
          "for_teacher": "Look for a clone."}  # fmt: skip
CHECK = {"name": "prints", "run": "python3 hello.py", "stdout": "Hello, World!"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path / "cache"))


def write(folder: Path, tasks: Any, **more: Any) -> Path:
    path = folder / "curriculum.json"
    path.write_text(json.dumps({"tasks": tasks, **more}, indent=1))
    return path


def one(folder: Path, **fields: Any) -> Task:
    return curriculum_entries(write(folder, {"1": {"description": "d", "checks": [CHECK], **fields}}))[0].task


def test_both_generations_are_tasks_in_their_order(tmp_path: Path) -> None:
    entries = load(str(write(tmp_path, {"2": SECOND, "1": FIRST})), RowOptions())
    clone, hello = (entry.task for entry in entries)
    assert [entry.line for entry in entries] == [3, 11]
    assert (clone.id, hello.id) == ("curriculum__2", "curriculum__1")
    assert hello.spec.tags == ("Python",)
    assert hello.spec.title == "Hello World"
    assert (hello.spec.workdir, clone.spec.workdir) == ("/tmp", "/workspace")
    assert hello.spec.shell == "/bin/bash"
    assert hello.spec.environment.image == "python:3.9-slim"
    assert hello.spec.environment.stand_in
    assert hello.spec.submission == "tree"
    assert (hello.hidden.teacher, clone.hidden.teacher) == ("Look at hello.py.", "Look for a clone.")
    assert "hello.py" not in repr(hello.spec)
    assert undecided(hello)
    assert undecided(clone)
    assert Task.from_dict(hello.to_dict()).hidden == hello.hidden


def test_its_name_is_in_the_ids_and_rows_are_selected_as_others(tmp_path: Path) -> None:
    path = write(tmp_path, {"1": FIRST, "2": SECOND}, name="course")
    (entry,) = load(str(path), row_options(filters=["*__2"]))
    assert entry.task.id == "course__2"


def test_the_shipped_one_is_known_by_name() -> None:
    assert is_source("curriculum")
    tasks = [entry.task for entry in load("curriculum", RowOptions())]
    assert tasks[0].id == "curriculum__1"
    assert tasks[0].spec.title == "Hello World"
    assert len(tasks) >= 25
    assert all(task.hidden.checks and task.hidden.solution for task in tasks)
    with pytest.raises(ConfigError, match="did you mean 'curriculum'"):
        load("curiculum", RowOptions())


def test_texts_are_lines_or_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "start" / "src").mkdir(parents=True)
    (tmp_path / "start" / "src" / "a.py").write_text("A = 1\n")
    (tmp_path / "driver.py").write_text("print(1)\n")
    check = {"name": "c", "run": ["one", "two"], "stdout": ["a", "b"], "files": {"d.py": {"from": "driver.py"}}}
    fields = {"files_from": "start", "files": {"b": ["x", "y"]}, "checks": [check], "solution": ["s"], "near_miss": "n",
              "near_miss_fails": ["c"], "setup": {"from": "driver.py"}}  # fmt: skip
    task = one(tmp_path, **fields)
    assert task.spec.files == {"src/a.py": "A = 1\n", "b": "x\ny\n"}
    (read,) = task.hidden.checks
    assert (read.run, read.stdout, read.files) == ("one\ntwo\n", "a\nb\n", {"d.py": "print(1)\n"})
    assert (task.hidden.solution, task.hidden.setup) == ("s\n", "print(1)\n")
    assert read_curriculum(tmp_path / "curriculum.json")["1"]["near_miss"] == "n"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"descripton": "x"}, "task '1': descripton: unknown field; did you mean 'description'"),
        ({"description": None}, "task '1': description: is required"),
        ({"description": None, "descripton": "x"}, "task '1': descripton: unknown field; did you mean 'description'"),
        ({"checks": [{"name": "a", "rum": "b"}]}, r"task '1': checks\[0\].rum: unknown field; did you mean 'run'"),
        ({"checks": [{"name": "a"}]}, r"task '1': checks\[0\].run: is required"),
        ({"solution": {"from": "../secret"}}, "solution: '../secret' lies outside of the curriculum's folder"),
        ({"solution": {"from": "link"}}, "solution: 'link' lies outside of the curriculum's folder"),
        ({"files": {"a": {"from": "/etc/passwd"}}}, "files.a: '/etc/passwd' lies outside"),
        ({"files": {"a": {"form": "x"}}}, "files.a: expected a text, a list of lines"),
        ({"files_from": "."}, "files_from: '.' must name a folder beside"),
        ({"files_from": "absent"}, "files_from: there is no"),
        ({"test": "a", "for_teacher": "b"}, "given twice"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("s")
    (tmp_path / "in" / "link").symlink_to("../secret")
    with pytest.raises(SpecError, match=message):
        one(tmp_path / "in", **fields)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], "tasks: expected a table 'tasks'"),
        ({}, "holds no task"),
        ({"a b": FIRST}, "a b: the id"),
        ({"1": 3}, "task '1': ex"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, tasks: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        curriculum_entries(write(tmp_path, tasks))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "expected a table 'tasks'"),
        ("{\n}\n", "expected a table 'tasks'"),
        ('{"tasks": [{}]}', "tasks: expected a table 'tasks'"),
        ('{"tasks": {"1": {"description": "a"}, "1": {}}}', "'1' is there twice"),
    ],
)
def test_a_file_that_is_no_curriculum_says_what_one_is(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "course.json").write_text(text)
    with pytest.raises(SpecError, match=message):
        load(str(tmp_path / "course.json"), RowOptions())


def test_a_writer_that_returns_something_else_is_named(tmp_path: Path) -> None:
    def scribe(*texts: str) -> str:
        return "Sorry, I cannot"

    with pytest.raises(GradingError, match=r"the check writer '.*scribe' is at fault: what it returned is no list"):
        written_checks(prose(tmp_path), scribe)


def prose(tmp_path: Path) -> Task:
    return curriculum_entries(write(tmp_path, {"1": FIRST}))[0].task


def test_written_checks_are_kept_and_the_edited_copy_wins(tmp_path: Path) -> None:
    asked = []

    def writer(text: str, title: str, description: str) -> str:
        asked.append((text, title, description))
        return json.dumps({"checks": [CHECK]})

    task = prose(tmp_path)
    assert written_checks(task, None) == ()
    (check,) = written_checks(task, writer)
    assert check.stdout == "Hello, World!"
    assert asked == [("Look at hello.py.", "Hello World", "Print it.")]
    path = checks_file(task)
    path.write_text(path.read_text().replace("World!", "Moon!"))
    assert written_checks(task, writer)[0].stdout == "Hello, Moon!"
    assert len(asked) == 1
    again = prose(tmp_path)
    assert again.hidden.fail_to_pass == ("prints",)
    assert not undecided(again)
    path.write_text('{"checks": [{"name": "a"}]}')
    with pytest.raises(SpecError, match=rf"{path.name}: checks\[0\].run: is required"):
        prose(tmp_path)


@pytest.mark.parametrize("said", ["no JSON", [], "[]", [{"name": "a"}], None, 3, "[" * 100_000])
def test_a_writer_that_writes_no_checks_is_nobodys_wrong_answer(tmp_path: Path, said: Any) -> None:
    task = prose(tmp_path)
    with pytest.raises(GradingError, match="curriculum__1: "):
        written_checks(task, lambda *texts: said)
    assert undecided(task)


def test_a_writer_that_raises_is_named(tmp_path: Path) -> None:
    with pytest.raises(GradingError, match=r"the check writer '.*lambda>' raised ZeroDivisionError"):
        written_checks(prose(tmp_path), lambda *texts: 1 / 0)
