"""What observers keep: found again, together or not at all, and never a reason to fail."""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from pytest_swegym.agents.observers.store import Store


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "made")
    store.put_text({"a": "text é", "b": ""})
    store.put({"c": b"\0\1"})
    assert Store(tmp_path / "made").text(["a", "b", "none"]) == {"a": "text é", "b": ""}
    assert store.get(["c"]) == {"c": b"\0\1"}
    assert store.get([]) == {}
    store.put_text({str(number): "x" for number in range(1200)})
    assert len(store.get(str(number) for number in range(1300))) == 1200


def test_several_threads_keep_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "made")

    def keep(start: int) -> None:
        for number in range(20):
            store.put_text({f"{start}-{number}": "x"})

    threads = [threading.Thread(target=keep, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.get(f"{start}-{number}" for start in range(4) for number in range(20))) == 80


def test_a_damaged_file_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "made"
    path.write_bytes(b"no data base " * 1000)
    store = Store(path)
    with caplog.at_level(logging.WARNING):
        assert store.get(["a"]) == {}
    assert "cannot be used" in caplog.text
    store.put_text({"a": "x"})
    assert store.text(["a"]) == {"a": "x"}
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("UPDATE made SET made = x'00'")
    assert store.get(["a"]) == {}
    store.put_text({"a": "y"})
    assert store.text(["a"]) == {"a": "y"}


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path / "no folder" / "made")
    with caplog.at_level(logging.WARNING):
        store.put_text({"a": "x"})
        assert store.get(["a"]) == {}
    assert "unable to open database file" in caplog.text


def test_the_older_half_goes_when_there_is_too_much(tmp_path: Path) -> None:
    store = Store(tmp_path / "made", limit=200_000)
    for number in range(100):
        store.put({str(number): bytes(number * 7 % 251 for number in range(5000)) + str(number).encode() * 2000})
    big = {str(number): random.Random(1).randbytes(20_000) for number in range(100, 120)}
    for key, value in big.items():
        store.put({key: value})
    kept = store.get(str(number) for number in range(120))
    assert "119" in kept
    assert "100" not in kept
    assert sum(map(len, (kept.get(key, b"") for key in big))) < 300_000
