"""Who fills a disk, and deletes what filled it, is not excused."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_swegym.sandbox import ground
from pytest_swegym.sandbox.ground import Ground


FULL = SimpleNamespace(f_frsize=4096, f_blocks=2**20, f_bfree=0, f_bavail=0, f_files=0, f_favail=0)
ROOM = SimpleNamespace(f_frsize=4096, f_blocks=2**20, f_bfree=2**19, f_bavail=2**19, f_files=0, f_favail=0)


class Disk:
    """A disk that is full or not, and is looked at when somebody asks."""

    def __init__(self, place: Path) -> None:
        self._place, self.now = place, ROOM

    def ground(self, name: str) -> tuple[Ground, Path]:
        files = self._place / "run" / name / "upper"
        files.mkdir(parents=True)
        return Ground((), files), files

    def was_full(self, *grounds: Ground) -> None:
        self.now = FULL
        for each in grounds:
            each.look()
        self.now = ROOM


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ground, "_watches", {})
    monkeypatch.setattr(ground, "_OWN", 2**16)
    monkeypatch.setattr(ground._Watch, "_look_on", lambda watch: None)
    made = Disk(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda place: made.now)
        yield made


def test_a_disk_that_was_full_is_trouble_for_who_did_not_fill_it(disk: Disk) -> None:
    (guilty, files), (innocent, _) = disk.ground("a"), disk.ground("b")
    assert (guilty.trouble(), innocent.trouble()) == ("", "")
    (files / "flood").write_bytes(bytes(2**17))
    disk.was_full(innocent)
    (files / "flood").unlink()
    assert "was full" in innocent.trouble()
    assert guilty.trouble() == ""
    assert (guilty.guilty, innocent.guilty) == (True, False)


def test_a_file_without_a_name_counts(disk: Disk, tmp_path: Path) -> None:
    guilty, files = disk.ground("a")
    guilty.processes = lambda: [os.getpid()]
    with tempfile.TemporaryFile(dir=files) as flood:
        flood.write(bytes(2**17))
        flood.flush()
        os.fsync(flood.fileno())  # some file systems give it its blocks only then
        disk.was_full(guilty)
    assert guilty.trouble() == ""
    assert guilty.guilty
