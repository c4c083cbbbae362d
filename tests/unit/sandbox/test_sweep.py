"""What a killed process was making goes when it is old, whatever the clock says, and never while its maker lives."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.paths import halves
from pytest_swegym._support.shelf import Shelf
from pytest_swegym.environments.disk import sweep_files
from pytest_swegym.sandbox import layers
from pytest_swegym.sandbox.sweep import sweep


DAY = 86400.0
NOBODY = 2**22 + 1


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path / "cache"))


def aged(path: Path, seconds: float) -> Path:
    path.mkdir()
    os.utime(path, (time.time() - seconds,) * 2)
    return path


@pytest.mark.parametrize("age", [DAY, -DAY], ids=["long ago", "before the clock was set back"])
def test_half_made_folders_go(age: float) -> None:
    left = [
        aged(layers.layers_dir() / f".0123456789abcdef-{NOBODY}-00ff", age),
        aged(layers.runs_dir() / f".{NOBODY}-00ff", age),
        aged(cache_dir("bubblewrap") / "trial-x1y2", age),
    ]
    fresh = aged(layers.layers_dir() / f".0123456789abcdef-{NOBODY}-00aa", 1.0)
    assert len(sweep()) == 3
    assert not any(path.exists() for path in left)
    assert fresh.exists()


def test_what_is_being_made_stays_when_the_clock_jumps() -> None:
    mine = [
        aged(layers.layers_dir() / f".0123456789abcdef-{os.getpid()}-00ff", DAY),
        aged(layers.runs_dir() / f".{os.getpid()}-00ff", DAY),
    ]
    assert sweep() == []
    assert all(path.exists() for path in mine)


def test_half_written_files_go() -> None:
    folder = cache_dir("grades", "ab")
    old, fresh, kept = (folder / name for name in (".abc.json.gz.x1.tmp", ".abd.json.gz.x2.tmp", "abc.json.gz"))
    for path in (old, fresh, kept):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - DAY,) * 2)
    os.utime(kept, (time.time() - DAY,) * 2)
    assert halves(folder) == [old, fresh]
    assert sweep_files() == [f"removed {old}"]
    assert sorted(folder.iterdir()) == [fresh, kept]


@pytest.mark.parametrize(("age", "gone"), [(DAY, True), (-DAY, True), (1.0, False)])
def test_a_clock_that_was_set_back_keeps_nothing_for_ever(age: float, gone: bool) -> None:
    shelf = Shelf("things")
    shelf.write("a", kind="thing", title="a thing")
    card = cache_dir("cards", "things") / "a"
    os.utime(card, (time.time() - age,) * 2)
    assert shelf.remove("a", lambda: True, unused_for=60.0) is gone
