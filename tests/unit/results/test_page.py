"""What the page is made of: folders read with care, steps read piece by piece, rows, what changed, the files."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from pytest_swegym.__main__ import main
from pytest_swegym.errors import ConfigError
from pytest_swegym.results import ResultStore
from pytest_swegym.results.page import PageWriter
from pytest_swegym.results.page import Watch
from pytest_swegym.results.page import find_runs
from pytest_swegym.results.page import write_pages
from pytest_swegym.results.page.detail import facts_of
from pytest_swegym.results.page.folders import RunFolder
from pytest_swegym.results.page.folders import parse
from pytest_swegym.results.page.folders import read_some
from pytest_swegym.results.page.folders import to_json
from pytest_swegym.results.page.rows import row_of
from pytest_swegym.results.page.steps import EVENTS
from pytest_swegym.results.page.steps import read_told
from pytest_swegym.results.page.texts import cut
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import TrajectoryWriter


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def keep(root: Path, instance: str, verdict: Verdict = Verdict.RESOLVED, **fields: Any) -> AttemptRecord:
    record = AttemptRecord(instance_id=instance, verdict=verdict, reward=1.0, patch="+x\n", **fields)
    ResultStore(root=root).write(record, Grade(verdict=verdict, log=b"printed"))
    return record


def begun(folder: Path, **header: Any) -> TrajectoryWriter:
    writer = TrajectoryWriter(folder / TRAJECTORY, {"instance_id": "i-1", "solver": "s", "started_at": 1.0, **header})
    writer.begin({"text": "the task", "step": 0})
    return writer


def step(number: int, **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "cost": 0.5}
    observation = {"output": f"out {number}", "step": number, "diff": ""}
    return {"action": f"act {number}", "reward": 0.0, "player": {"usage": usage}, "observation": observation, **more}


# -- JSON and texts --------------------------------------------------------------------------------


@given(JSON)
def test_json_stands_in_a_script(value: Any) -> None:
    text = to_json(value)
    assert text.isascii()
    assert "<" not in text
    assert parse(text.encode()) == value


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_damaged_is_nothing(text: bytes) -> None:
    assert parse(text) is None


def test_numbers_that_json_does_not_have_are_nothing() -> None:
    assert parse(b"[NaN, Infinity, -Infinity, 1e999, 1.5]") == [None, None, None, None, 1.5]


@given(st.text(max_size=300), st.integers(3, 200))
def test_a_cut_keeps_both_ends_and_tells_how_much_is_gone(text: str, limit: int) -> None:
    found = cut(text, limit)
    if len(text) <= limit:
        assert found == text
        return
    head, told, tail = re.fullmatch(
        r"(.*)\n\[\.\.\. ([\d,]+) characters left out here \.\.\.\]\n(.*)", found, re.S
    ).groups()  # type: ignore[union-attr]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + len(tail) + int(told.replace(",", "")) == len(text)


# -- folders ---------------------------------------------------------------------------------------


def test_runs_are_found_once_and_named_apart(tmp_path: Path) -> None:
    for place in ("a/one", "a/two", "b/one"):
        (tmp_path / place / "attempts").mkdir(parents=True)
    (tmp_path / "a" / "latest").symlink_to("two")
    found = find_runs([tmp_path / "a", tmp_path / "b", tmp_path / "a" / "one"])
    assert [(run.name, run.base) for run in found] == [("one", "one"), ("two", "two"), ("one (2)", "one")]
    with pytest.raises(ConfigError, match="no such folder"):
        find_runs([tmp_path / "c"])


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "attempt"
    folder.mkdir()
    (folder / "test.log").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "patch.diff")
    (folder / "report.json").mkdir()
    for name in ("test.log", "patch.diff", "report.json", "absent", "a\0b"):
        assert read_some(folder, name, 100) == (b"", -1)
    (folder / "junit.xml").write_bytes(b"0123456789")
    assert read_some(folder, "junit.xml", 4) == (b"0123", 10)
    assert read_some(folder, "junit.xml", 4, end=True) == (b"6789", 10)


# -- steps -----------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.lists(st.integers(1, 400), max_size=8), st.integers(1, 6))
def test_pieces_are_the_whole(tmp_path_factory: pytest.TempPathFactory, sizes: list[int], count: int) -> None:
    """A trajectory that grows, cut anywhere, is told the same as one that is read at once."""
    folder = tmp_path_factory.mktemp("t")
    writer = begun(folder)
    for number in range(count):
        writer.step(step(number + 1))
    whole = (folder / TRAJECTORY).read_bytes()
    expected, token, events, end = read_told(folder), "", [], 0
    for size in [*sizes, len(whole)]:
        end = min(len(whole), end + size)
        (folder / TRAJECTORY).write_bytes(whole[:end])
        told = read_told(folder, after=token)
        events = [*told.events] if told.anew else [*events, *told.events]
        token = told.token
    assert tuple(events) == expected.events
    assert len(events) == count + 1


def test_a_trajectory_that_is_made_anew_is_told_anew(tmp_path: Path) -> None:
    begun(tmp_path).step(step(1))
    token = read_told(tmp_path).token
    assert read_told(tmp_path, after=token).events == ()
    begun(tmp_path, started_at=2.0).step(step(1))
    again = read_told(tmp_path, after=token)
    assert again.anew
    assert len(again.events) == 2
    for nonsense in ("", "x", "-5", f"{token.split('-')[0]}-999999", f"{token.split('-')[0]}-٣", "0-" + "9" * 99):
        assert read_told(tmp_path, after=nonsense).anew


def test_what_is_long_is_cut(tmp_path: Path) -> None:
    writer = begun(tmp_path)
    for number in range(EVENTS + 10):
        writer.step(step(number, action="x" * 5000))
    told = read_told(tmp_path)
    assert told.left_out == 11
    assert len(told.events) == EVENTS
    assert len(json.dumps(told.to_dict())) < 8_000_000


def test_a_step_is_shown_with_what_the_model_said(tmp_path: Path) -> None:
    message = {"content": [{"type": "text", "text": "I think."}], "reasoning_content": "First."}
    player = {"message": message, "usage": {"prompt_tokens": 7, "completion_tokens": True, "cost": "much"}}
    begun(tmp_path).step(step(1, player=player, exit_code=0, kind="Command"))
    shown = read_told(tmp_path).events[1]
    assert shown == {
        "event": "step",
        "kind": "Command",
        "action": "act 1",
        "thought": "First.\n\nI think.",
        "reward": 0.0,
        "exit": 0,
        "prompt": 7,
        "n": 1,
        "text": "out 1",
    }


# -- rows and facts --------------------------------------------------------------------------------


def test_a_row_of_an_attempt_that_ended(tmp_path: Path) -> None:
    tests = {"a": Outcome.PASSED, "b": Outcome.FAILED}
    usage = {"requests": 1, "prompt_tokens": 5, "completion_tokens": 2, "cost": 0.25}
    record = keep(tmp_path, "i-1", Verdict.UNRESOLVED, fail_to_pass=tests, extra={"usage": usage, "steps": 3})
    row = row_of(RunFolder(root=tmp_path, name="r"), record.key)
    assert row is not None
    assert (row["verdict"], row["failure"], row["why"]) == ("unresolved", "wrong", "fixes some")
    assert (row["steps"], row["tokens"], row["cost"], row["f2p"], row["p2p"]) == (3, 7, 0.25, [1, 2], None)


def test_a_row_of_an_attempt_that_goes_on(tmp_path: Path) -> None:
    run = RunFolder(root=tmp_path, name="r")
    place = run.attempt("i-1") / "candidates" / "0"
    begun(place).step(step(1))
    row = row_of(run, "i-1")
    assert row is not None
    assert (row["state"], row["steps"], row["tokens"], row["cost"], row["why"]) == ("running", 1, 12, 0.5, "act 1")
    assert row["touched"] == (place / TRAJECTORY).stat().st_mtime_ns / 1e9


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": "swegym.attempt/1"}', '{"format": "other"}'])
def test_a_damaged_record_is_told(tmp_path: Path, text: str) -> None:
    run = RunFolder(root=tmp_path, name="r")
    run.attempt("i-1").mkdir(parents=True)
    (run.attempt("i-1") / "record.json").write_text(text)
    assert row_of(run, "i-1") is None
    assert facts_of(run.attempt("i-1")) == {"files": [["record.json", len(text)]], "damaged": True}


@pytest.mark.parametrize(
    "field", ["extra", "stages", "reasons", "tags", "error", "patch", "solver", "variables", "instance_id", "reward"]
)
@pytest.mark.parametrize("value", [None, 7, [["a"]], {"a": {"b": 1}}, "text"])
def test_a_record_of_other_types_harms_nothing(tmp_path: Path, field: str, value: Any) -> None:
    record = keep(tmp_path, "i-1")
    path = ResultStore(root=tmp_path).folder(record.key) / "record.json"
    path.write_text(json.dumps({**record.to_dict(), field: value}))
    run = RunFolder(root=tmp_path, name="r")
    row, facts = row_of(run, record.key), facts_of(run.attempt(record.key))
    assert (row is None) == ("damaged" in facts)
    to_json([row, facts])


# -- what changed ----------------------------------------------------------------------------------


def test_only_what_changed_is_told(tmp_path: Path) -> None:
    keep(tmp_path / "one", "i-1")
    watch = Watch([tmp_path])
    first = watch.changes()
    assert [row["key"] for row in first["rows"]] == ["i-1"]
    assert first["anew"]
    assert watch.changes(first["version"])["rows"] == []

    keep(tmp_path / "two", "i-2")
    second = watch.changes(first["version"])
    assert [(row["run"], row["key"]) for row in second["rows"]] == [("two", "i-2")]
    assert [run["name"] for run in second["runs"]] == ["one", "two"]

    (tmp_path / "one" / "attempts" / "i-1").rename(tmp_path / "elsewhere")
    third = watch.changes(second["version"])
    assert (third["rows"], third["gone"]) == ([], [["one", "i-1"]])
    for unknown in ("", "x", "other.3", f"{second['version'].split('.')[0]}.x"):
        assert watch.changes(unknown)["anew"]


# -- the files -------------------------------------------------------------------------------------


def embedded(page: Path) -> Any:
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(), re.S)[1])  # type: ignore[index]


def test_the_page_is_written_while_the_run_goes_on(tmp_path: Path) -> None:
    writer = PageWriter(tmp_path)
    begun(tmp_path / "attempts" / "i-1").step(step(1))
    writer.refresh()
    assert [row["state"] for row in embedded(tmp_path / "index.html")["rows"]] == ["running"]
    assert (tmp_path / "attempts" / "i-1" / "view.js").read_text().startswith("swegymAttempt({")

    record = keep(tmp_path, "i-1")
    writer.attempt_ended(record.key)  # the page is fresh: only what it loads is written
    assert '"patch":"+x\\n"' in (tmp_path / "attempts" / "i-1" / "view.js").read_text()
    writer.conclude()
    assert [row["verdict"] for row in embedded(tmp_path / "index.html")["rows"]] == ["resolved"]


def test_threads_write_one_page(tmp_path: Path) -> None:
    writer = PageWriter(tmp_path)
    keys = [keep(tmp_path, f"i-{number}").key for number in range(8)]
    threads = [threading.Thread(target=writer.attempt_ended, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.conclude()
    assert len(embedded(tmp_path / "index.html")["rows"]) == 8
    assert len(list(tmp_path.glob("attempts/*/view.js"))) == 8


def test_a_page_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(tmp_path, "i-1")
    (tmp_path / "index.html").mkdir()
    writer = PageWriter(tmp_path)
    writer.refresh(now=True)
    writer.refresh(now=True)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_run_without_attempts_has_no_page(tmp_path: Path) -> None:
    PageWriter(tmp_path).conclude()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="no run in this folder"):
        write_pages(tmp_path)


def test_pages_of_older_runs_are_written_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path / "one", "i-1")
    keep(tmp_path / "two", "i-1")
    assert main(["view", "--write", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'index.html'}: 2 runs\n"
    data = embedded(tmp_path / "index.html")
    assert [(run["name"], run["base"]) for run in data["runs"]] == [("one", "one"), ("two", "two")]
    assert len(list(tmp_path.glob("*/attempts/*/view.js"))) == 2
    assert main(["view", "--write", str(tmp_path / "three")]) == 1
    assert "no such folder" in capsys.readouterr().err
