"""Sources on this machine: files, folders, parquet, saved data sets; rows that cannot run are kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.rows import is_source
from pytest_swegym.rows import load
from pytest_swegym.rows import row_options
from pytest_swegym.rows import unknown_source


Write = Callable[..., Path]


def row(name: str, **fields: Any) -> dict[str, Any]:
    return {"instance_id": name, "repo": "a/b", "base_commit": "0" * 40, "FAIL_TO_PASS": ["t.py::a"], **fields}


OWN = {"instance_id": "own-1", "repo": "x", "fail_to_pass": ["t"], "version": "1"}


def found(path: Path, **options: Any) -> dict[str, str | None]:
    return {entry.task.id: entry.task.problem for entry in load(str(path), row_options(**options))}


def test_rows_that_cannot_run_are_listed_with_the_reason(write_rows: Write) -> None:
    path = write_rows(
        "rows.jsonl", [row("a-1"), "{oops", "", "[1]", row("a-1"), row("a-2"), {**row("x"), "repo": None}]
    )
    problems = found(path)
    assert list(problems) == ["a-1", "row-2", "row-3", "a-1-duplicate-4", "a-2", "x"]
    assert problems["a-1"] is problems["a-2"] is None
    assert problems["row-2"] == "not valid JSON: Expecting property name enclosed in double quotes (column 2)"
    assert problems["row-3"] == "expected a row, a table of fields; got list"
    assert problems["a-1-duplicate-4"] == f"'a-1' is already the instance_id of {path}:1; each may be there once"
    assert problems["x"] == "repo: is required"
    assert [entry.line for entry in load(str(path), row_options())] == [1, 2, 4, 5, 6, 7]


def test_own_task_files_stay_strict(write_rows: Write) -> None:
    with pytest.raises(ConfigError, match=r"rows.jsonl:2: not valid JSON"):
        found(write_rows("rows.jsonl", [OWN, "{oops"]))
    with pytest.raises(ConfigError, match=r"rows.jsonl:2: instance_id: 'own-1' is already"):
        found(write_rows("rows.jsonl", [OWN, OWN]))


def test_own_tasks_are_selected_and_mapped_too(write_rows: Write, tmp_path: Path) -> None:
    path = write_rows("rows.jsonl", [OWN, {**OWN, "instance_id": "own-2", "version": "2"}])
    assert list(found(path, filters=["version>1"])) == ["own-2"]
    (tmp_path / "map.toml").write_text('["own-*"]\npython = "3.9"\n')
    entries = load(str(path), row_options(environments=tmp_path / "map.toml", limit=1))
    assert [(entry.task.id, entry.task.spec.environment.python) for entry in entries] == [("own-1", "3.9")]


@pytest.mark.parametrize("rows", [[row("a-1"), row("a-2")], {"a-1": row("x"), "a-2": row("y")}])
def test_json_as_a_list_or_by_id(write_rows: Write, rows: Any) -> None:
    expected = ["a-1", "a-2"] if isinstance(rows, list) else ["x", "y"]
    assert list(found(write_rows("rows.json", rows))) == expected
    bare = {name: {key: value for key, value in row(name).items() if key != "instance_id"} for name in ("a-1", "a-2")}
    assert list(found(write_rows("rows.json", bare))) == ["a-1", "a-2"]


def test_parquet(write_rows: Write, tmp_path: Path) -> None:
    path = write_rows("rows.parquet", [row("a-1", stars=1), row("a-2", stars=2)])
    assert found(path, filters=["stars>1"]) == {"a-2": None}
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    with pytest.raises(ConfigError, match=r"bad.parquet: cannot be read as parquet"):
        found(tmp_path / "bad.parquet")


def test_a_folder_of_files(write_rows: Write, tmp_path: Path) -> None:
    write_rows("set/a.jsonl", [row("a-1"), row("a-2")])
    write_rows("set/b.json", [row("b-1"), row("a-2")])
    (tmp_path / "set" / "README.md").write_text("not rows")
    assert list(found(tmp_path / "set")) == ["a-1", "a-2", "b-1", "a-2-duplicate-2"]
    assert list(found(tmp_path / "set", split="a")) == ["a-1", "a-2"]
    assert list(found(tmp_path / "set", limit=1)) == ["a-1"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty: holds no rows; expected .jsonl, .json, .parquet"):
        found(tmp_path / "empty")


def test_a_downloaded_repository_has_splits(write_rows: Write, tmp_path: Path) -> None:
    for part in (0, 1):
        write_rows(f"set/data/test-0000{part}-of-00002.parquet", [row(f"t-{part}")])
    write_rows("set/data/dev-00000-of-00001.parquet", [row("d-1")])
    assert list(found(tmp_path / "set", split="test")) == ["t-0", "t-1"]
    with pytest.raises(ConfigError, match="holds the splits dev, test; choose one with --swegym-split"):
        found(tmp_path / "set")
    with pytest.raises(ConfigError, match="has no split 'train'; it has: dev, test"):
        found(tmp_path / "set", split="train")


def test_a_saved_data_set(tmp_path: Path) -> None:
    script = (
        "import json, sys, datasets; rows = json.loads(sys.argv[1])\n"
        "one = datasets.Dataset.from_list(rows)\n"
        "one.save_to_disk(sys.argv[2] + '/one')\n"
        "datasets.DatasetDict(test=one, dev=one.select([1])).save_to_disk(sys.argv[2] + '/two')\n"
    )
    rows = json.dumps([row("a-1"), row("a-2")])
    subprocess.run([sys.executable, "-c", script, rows, str(tmp_path)], check=True, capture_output=True)
    assert list(found(tmp_path / "one")) == ["a-1", "a-2"]
    assert list(found(tmp_path / "two")) == ["a-1", "a-2"]
    assert list(found(tmp_path / "two", split="dev")) == ["a-2"]
    with pytest.raises(ConfigError, match=r"two: has no split 'x'; it has: test, dev"):
        found(tmp_path / "two", split="x")
    with pytest.raises(ConfigError, match=r"one: has no split 'x'"):
        found(tmp_path / "one", split="x")


def test_both_kinds_in_a_folder_are_told_apart(write_rows: Write, tmp_path: Path) -> None:
    write_rows("set/a.jsonl", [row("a-1")])
    write_rows("set/b.jsonl", [OWN])
    with pytest.raises(ConfigError, match="give them apart"):
        found(tmp_path / "set")


def test_names() -> None:
    assert all(map(is_source, ("lite", "Verified", "SWE-bench/SWE-bench_Lite", "owner/name")))
    assert not any(map(is_source, ("light", "a/b/c", "../x", "shop:all")))
    assert unknown_source("veriffied").startswith("did you mean 'verified'? known: curriculum, lite, verified, full,")
    with pytest.raises(ConfigError, match="known: curriculum, lite"):
        load("light", row_options())
