"""What the machine has: from the kernel's files, of control groups of both versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_swegym.admission import Machine
from pytest_swegym.admission import Room


MEMINFO = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n"
KIB = 1024


def machine(folder: Path, files: Mapping[str, str], *, own: str) -> Machine:
    """A machine of which only these files exist."""
    for name, text in {"proc/meminfo": MEMINFO, "proc/self/cgroup": own, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine([folder], proc=folder / "proc", groups=folder / "groups")


def test_without_groups_and_pressure_the_kernels_own_numbers_count(tmp_path: Path) -> None:
    reading = machine(tmp_path, {}, own="").read()
    assert reading.memory == Room(free=8_000_000 * KIB, total=16_000_000 * KIB)
    assert (reading.some, reading.full) == (0.0, 0.0)
    assert reading.disk[str(tmp_path)].free > 0


def test_pressure(tmp_path: Path) -> None:
    text = "some avg10=12.50 avg60=1.00 avg300=0.10 total=1\nfull avg10=3.25 avg60=0.00 avg300=0.00 total=1\n"
    reading = machine(tmp_path, {"proc/pressure/memory": text}, own="").read()
    assert (reading.some, reading.full) == (12.5, 3.25)


@pytest.mark.parametrize("text", ["", "some\n", "some avg10=much\n", "garbage avg10 1\n"])
def test_damaged_pressure_is_none(tmp_path: Path, text: str) -> None:
    reading = machine(tmp_path, {"proc/pressure/memory": text}, own="").read()
    assert (reading.some, reading.full) == (0.0, 0.0)


def test_version_2_the_tightest_group_above_counts_and_cache_is_free(tmp_path: Path) -> None:
    files = {
        "groups/ci/memory.max": str(1000 * KIB),
        "groups/ci/memory.current": str(900 * KIB),
        "groups/ci/memory.stat": f"anon 1\ninactive_file {300 * KIB}\n",
        "groups/ci/job/memory.max": "max",
        "groups/ci/job/memory.current": str(100 * KIB),
        "groups/ci/cpu.max": "150000 100000",
        "groups/ci/job/cpu.max": "max 100000",
    }
    found = machine(tmp_path, files, own="0::/ci/job\n")
    assert found.read().memory == Room(free=400 * KIB, total=1000 * KIB)
    assert found.cores in (1, 2)  # 1.5 of them, as far as this machine has two


def test_version_1(tmp_path: Path) -> None:
    files = {
        "groups/memory/box/memory.limit_in_bytes": str(1000 * KIB),
        "groups/memory/box/memory.usage_in_bytes": str(1200 * KIB),
        "groups/memory/box/memory.stat": f"total_inactive_file {100 * KIB}\n",
        "groups/memory/memory.limit_in_bytes": "9223372036854771712",
        "groups/memory/memory.usage_in_bytes": "1",
        "groups/cpu/box/cpu.cfs_quota_us": "50000",
        "groups/cpu/box/cpu.cfs_period_us": "100000",
        "groups/cpu/cpu.cfs_quota_us": "-1",
        "groups/cpu/cpu.cfs_period_us": "100000",
    }
    found = machine(tmp_path, files, own="4:memory:/box\n3:cpu,cpuacct:/box\n")
    assert found.read().memory == Room(free=0, total=1000 * KIB)
    assert found.cores == 1


def test_in_a_container_the_path_of_the_host_leads_nowhere_and_the_mount_counts(tmp_path: Path) -> None:
    files = {"groups/memory.max": str(1000 * KIB), "groups/memory.current": str(250 * KIB)}
    reading = machine(tmp_path, files, own="0::/kubepods/pod-1/abc\n").read()
    assert reading.memory == Room(free=750 * KIB, total=1000 * KIB)


def test_folders_that_are_not_there_yet_have_the_room_of_what_they_will_lie_in(tmp_path: Path) -> None:
    disk = Machine([tmp_path / "not" / "yet", tmp_path]).read().disk
    assert disk[str(tmp_path / "not" / "yet")].total == disk[str(tmp_path)].total > 0


def test_this_machine() -> None:
    found = Machine()
    reading = found.read()
    assert found.cores >= 1
    assert 0 < reading.memory.free <= reading.memory.total
