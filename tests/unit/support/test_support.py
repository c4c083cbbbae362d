"""Locks, keys, paths."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.locks import key_lock
from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.paths import write_atomic


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_key_names_content_not_order() -> None:
    assert content_key({"a": 1, "b": [2]}) == content_key({"b": [2], "a": 1})
    assert content_key("a", "b") != content_key("ab")
    assert len(content_key("x")) == 24


def test_the_cache_is_where_it_was_asked_for(own_cache: Path) -> None:
    assert cache_dir("a", "b") == own_cache / "a" / "b"
    assert (own_cache / "a" / "b").is_dir()


def test_an_atomic_write_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomic(path, "one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_lock_excludes_threads() -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with key_lock("x"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_lock_excludes_processes_and_dies_with_its_holder() -> None:
    code = (
        "import sys, time\nfrom pytest_swegym._support.locks import key_lock\n"
        "with key_lock('y'):\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(TimeoutError), key_lock("y", timeout=0.2):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with key_lock("y", timeout=30):
        pass
