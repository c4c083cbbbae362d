"""Task files of every kind, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.errors import SpecError
from pytest_swegym.task.files import load_entries
from pytest_swegym.task.files import load_tasks


ROW = {"instance_id": "a", "repo": "./x", "fail_to_pass": ["t"]}


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_kinds(tmp_path: Path) -> None:
    second = {**ROW, "instance_id": "b"}
    toml = 'instance_id = "a"\nrepo = "./x"\nfail_to_pass = ["t"]\n'
    files = {
        "rows.jsonl": f"{json.dumps(ROW)}\n\n{json.dumps(second)}",
        "rows.json": json.dumps([ROW, second]),
        "rows.toml": f"[[task]]\n{toml}\n[[task]]\n{toml}".replace('"a"', '"b"', 2).replace('"b"', '"a"', 1),
    }
    for name, text in files.items():
        assert [task.id for task in load_tasks(write(tmp_path, name, text))] == ["a", "b"]
    assert [entry.line for entry in load_entries(tmp_path / "rows.jsonl")] == [1, 3]
    assert [entry.line for entry in load_entries(tmp_path / "rows.toml")] == [1, 6]
    one = load_tasks(write(tmp_path, "one.swegym.toml", toml)) + load_tasks(
        write(tmp_path, "one.json", json.dumps(ROW))
    )
    assert [task.id for task in one] == ["a", "a"]


def test_relative_repository_starts_at_the_file(tmp_path: Path) -> None:
    (task,) = load_tasks(write(tmp_path, "one.json", json.dumps(ROW)))
    assert task.spec.repo == str(tmp_path / "x")
    (task,) = load_tasks(write(tmp_path, "one.json", json.dumps({**ROW, "repo": "owner/name"})))
    assert task.spec.repo == "owner/name"


def test_separators_inside_a_row_do_not_end_it(tmp_path: Path) -> None:
    row = {**ROW, "problem_statement": "one\u2028two\x0bthree\x85four"}
    (task,) = load_tasks(write(tmp_path, "rows.jsonl", json.dumps(row, ensure_ascii=False)))
    assert task.spec.problem_statement == row["problem_statement"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.yaml", "", r"x\.yaml: unknown kind of task file; expected \.jsonl, \.json, \.toml"),
        ("x.json", "3", r"x\.json: expected a list of tasks, or one task; got int"),
        ("x.json", "[", r"x\.json:1: not valid JSON"),
        ("x.json", "[" * 100_000, r"x\.json:1: not valid JSON"),
        ("x.json", "[]", r"x\.json: holds no task"),
        ("x.json", "[[]]", r"x\.json: row 1: expected a task, a table of fields; got list"),
        ("x.jsonl", b"\xff", r"x\.jsonl: is not UTF-8 text"),
        ("x.toml", "task = 3", r"x\.toml: task: expected \[\[task\]\] tables"),
        ("x.toml", "a = 1\nb = \nc = 3", r"x\.toml: not valid TOML: .*line 2"),
    ],
)
def test_errors_name_the_place(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load_tasks(write(tmp_path, name, text))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.json: cannot be read: No such file"):
        load_tasks(tmp_path / "none.json")


@given(st.binary(max_size=300), st.sampled_from([".json", ".jsonl", ".toml"]))
def test_any_bytes_are_tasks_or_a_spec_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str
) -> None:
    path = write(tmp_path_factory.mktemp("any"), f"rows{suffix}", data)
    with pytest.raises(SpecError, match="rows"):
        load_tasks(path)
