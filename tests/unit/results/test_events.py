"""``events.jsonl``: whole lines from everyone, readable while it grows and after a cut."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.results.events import READ_LIMIT
from pytest_swegym.results.events import EventLog
from pytest_swegym.results.events import EventTail


WRITER = """
import sys
from pathlib import Path
from pytest_swegym.results.events import EventLog
log = EventLog(Path(sys.argv[1]))
for number in range(200):
    log.write("step", writer=sys.argv[2], number=number, action="x" * 500)
"""
VALUES = st.recursive(
    st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def test_threads_and_processes_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "run" / "events.jsonl"
    path.parent.mkdir()
    others = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"process {name}"]) for name in "ab"]
    log = EventLog(path)

    def write(name: str) -> None:
        for number in range(200):
            log.write("step", writer=name, number=number, action="y" * 500)

    threads = [threading.Thread(target=write, args=(f"thread {name}",)) for name in "cd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait() for other in others] == [0, 0]
    seen: dict[str, list[int]] = {}
    for line in path.read_text().splitlines():
        event = json.loads(line)
        seen.setdefault(event["writer"], []).append(event["number"])
    assert seen == {name: list(range(200)) for name in ("process a", "process b", "thread c", "thread d")}


def test_a_line_that_was_cut_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "first"}\n{"event": "st')
    EventLog(path).write("again", number=1)
    assert [event["event"] for event in EventTail(path).read()] == ["first", "again"]


def test_what_grows_is_read_bit_by_bit(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    early = EventTail(path)
    assert early.read() == []
    log = EventLog(path)
    log.write("one")
    late = EventTail(path, new=True)
    assert [event["event"] for event in early.read()] == ["one"]
    with path.open("ab") as file:
        file.write(b'{"event": "tw')
        file.flush()
        assert early.read() == []
        file.write(b'o"}\n[1]\n{"event": 3}\nnot json\n')
    assert [[event["event"] for event in tail.read()] for tail in (early, late)] == [["two"], ["two"]]


def test_a_line_without_end_does_not_stop_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * (READ_LIMIT + 10) + b'\n{"event": "after"}\n')
    tail = EventTail(path)
    assert tail.read() == []
    assert [event["event"] for event in tail.read()] == ["after"]


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "events.jsonl").mkdir()
    log = EventLog(tmp_path / "events.jsonl")
    with caplog.at_level(logging.WARNING):
        log.write("one")
        log.write("two")
    (message,) = caplog.messages
    assert "events.jsonl cannot be written" in message


def test_secrets_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).write("run_started", settings={"tasks": ["https://me:s3cretW0rd77@example.org/rows.jsonl"]})
    assert "s3cretW0rd77" not in path.read_text()
    assert "example.org/rows.jsonl" in path.read_text()


@given(st.dictionaries(st.sampled_from(["a", "b", "number"]), VALUES))
def test_every_event_comes_back(fields: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        EventLog(path).write("any", **fields)
        text = path.read_bytes()
        (event,) = EventTail(path).read()
    assert text.isascii()
    assert text.endswith(b"\n")
    assert event["event"] == "any"
    assert isinstance(event["time"], float)
    assert set(event) == {"event", "time", *fields}
