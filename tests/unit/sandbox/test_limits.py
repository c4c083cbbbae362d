"""Control groups over folders that look like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.limits import CgroupV1
from pytest_swegym.sandbox.limits import CgroupV2
from pytest_swegym.sandbox.limits import control_groups
from pytest_swegym.sandbox.limits import remove_group
from pytest_swegym.sandbox.watchdog import WatchdogEnforcer


LIMITS = SandboxLimits(memory_mb=64, cpus=1.5, pids=20)


class KernelFolder(type(Path())):  # type: ignore[misc]
    """A folder whose new sub-folders have files in them, as in a control group file system."""

    files: tuple[str, ...] = ()

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        super().mkdir(mode, parents, exist_ok)
        for name in self.files:
            Path(self, name).write_text("")


def test_version_1_writes_every_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        KernelFolder,
        "files",
        ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control", "pids.max", "cpu.cfs_quota_us"),
    )
    for name in ("memory", "pids", "cpu"):
        (tmp_path / name).mkdir()
    enforcer = CgroupV1({name: KernelFolder(tmp_path / name) for name in ("memory", "pids", "cpu")})
    group = enforcer.create("swegym-x", LIMITS)
    assert (tmp_path / "memory/swegym-x/memory.limit_in_bytes").read_text() == str(64 * 2**20)
    assert (tmp_path / "memory/swegym-x/memory.memsw.limit_in_bytes").read_text() == str(64 * 2**20)
    assert (tmp_path / "pids/swegym-x/pids.max").read_text() == "20"
    assert (tmp_path / "cpu/swegym-x/cpu.cfs_quota_us").read_text() == "150000"
    assert group.join == tuple(str(tmp_path / name / "swegym-x/cgroup.procs") for name in ("memory", "pids", "cpu"))
    (tmp_path / "memory/swegym-x/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert group.oom_kills() == 3


def test_version_2_writes_every_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ("memory.max", "memory.swap.max", "pids.max", "cpu.max", "memory.events")
    monkeypatch.setattr(KernelFolder, "files", files)
    group = CgroupV2(KernelFolder(tmp_path)).create("swegym-x", LIMITS)
    values = [(tmp_path / "swegym-x" / name).read_text() for name in files[:4]]
    assert values == [str(64 * 2**20), "0", "20", "150000 100000"]
    (tmp_path / "swegym-x/memory.events").write_text("low 0\noom 2\noom_kill 1\noom_group_kill 9\n")
    assert group.oom_kills() == 1


def test_no_control_group_where_none_can_be_made(tmp_path: Path) -> None:
    membership = tmp_path / "membership"
    membership.write_text("0::/user.slice\n")
    assert control_groups(tmp_path / "nothing here", membership) is None


def test_a_folder_without_controllers_is_no_control_group(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids")
    membership = tmp_path / "membership"
    membership.write_text("0::/\n")
    assert control_groups(tmp_path, membership) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cgroup.controllers", "membership"]


def test_a_group_in_use_is_reported(tmp_path: Path) -> None:
    (tmp_path / "busy" / "process").mkdir(parents=True)
    assert not remove_group(tmp_path / "busy", within=0.05)
    assert remove_group(tmp_path / "busy" / "process")
    assert remove_group(tmp_path / "gone")


def test_the_watchdog_says_what_it_is() -> None:
    assert "watchdog" in WatchdogEnforcer().describe()
    assert WatchdogEnforcer().create("x", LIMITS).join == ()
