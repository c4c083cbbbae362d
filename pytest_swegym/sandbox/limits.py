"""Limits of a sandbox: a control group where one can be made (version 1 or 2), else rlimits and a watchdog."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pytest_swegym.sandbox.base import SandboxLimits


CGROUP_ROOT = Path("/sys/fs/cgroup")
#: Every group of ours has a name that begins so; ``sweep`` knows them by it.
PREFIX = "swegym-"
_CONTROLLERS = ("memory", "pids", "cpu")
_PERIOD = 100_000


class Group(Protocol):
    """The limits of one sandbox, in force."""

    @property
    def join(self) -> tuple[str, ...]:
        """Files that take the number of a process, which then is a member. Empty where there is no control group."""
        ...

    @property
    def visit(self) -> tuple[tuple[str, str], ...]:
        """Files that take one thread of ours into the group, each with the one that takes it back where it was.

        What such a thread starts is born in the group, at once: to move a process, the kernel waits for all processors.
        Empty where there is no such file.
        """
        ...

    def attach(self, init: int, agent: int) -> None:
        """The sandbox is up: its first process, and the one that starts its commands."""
        ...

    def oom_kills(self) -> int:
        """How many processes were killed for memory so far."""
        ...

    def remove(self) -> None:
        """Forget the group; its processes have ended. Never raises."""
        ...


class Enforcer(Protocol):
    """A way to enforce limits."""

    def describe(self) -> str:
        """A short phrase for the header."""
        ...

    def create(self, name: str, limits: SandboxLimits) -> Group:
        """A group with these limits. Raises :class:`OSError`."""
        ...

    def folders(self) -> tuple[Path, ...]:
        """Where the groups lie."""
        ...


@dataclass(frozen=True, slots=True)
class CgroupV1:
    """One folder per controller. ``own``: the parents are the groups that this process itself is in."""

    parents: Mapping[str, Path]
    own: bool = False

    def describe(self) -> str:
        return f"limits by cgroup v1 ({', '.join(self.parents)})"

    def folders(self) -> tuple[Path, ...]:
        return tuple(self.parents.values())

    def create(self, name: str, limits: SandboxLimits) -> Group:
        folders = {controller: parent / name for controller, parent in self.parents.items()}
        group = _CgroupGroup(tuple(folders.values()), folders["memory"] / "memory.oom_control", inherited=self.own)
        memory = str(limits.memory_mb * 2**20)
        values = {
            "memory": (("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory)),
            "pids": (("pids.max", str(limits.pids)),),
            "cpu": (("cpu.cfs_period_us", str(_PERIOD)), ("cpu.cfs_quota_us", str(_quota(limits)))),
        }
        return _filled(group, {folder: values[controller] for controller, folder in folders.items()})


@dataclass(frozen=True, slots=True)
class CgroupV2:
    """One folder in the unified tree."""

    parent: Path

    def describe(self) -> str:
        return "limits by cgroup v2"

    def folders(self) -> tuple[Path, ...]:
        return (self.parent,)

    def create(self, name: str, limits: SandboxLimits) -> Group:
        folder = self.parent / name
        values = (
            ("memory.max", str(limits.memory_mb * 2**20)),
            ("memory.swap.max", "0"),
            ("pids.max", str(limits.pids)),
            ("cpu.max", f"{_quota(limits)} {_PERIOD}"),
        )
        return _filled(_CgroupGroup((folder,), folder / "memory.events"), {folder: values})


@dataclass(frozen=True, slots=True)
class _CgroupGroup:
    folders: tuple[Path, ...]
    events: Path
    inherited: bool = False

    @property
    def join(self) -> tuple[str, ...]:
        return tuple(str(folder / "cgroup.procs") for folder in self.folders)

    @property
    def visit(self) -> tuple[tuple[str, str], ...]:
        if not self.inherited:
            return ()
        return tuple((str(folder / "tasks"), str(folder.parent / "tasks")) for folder in self.folders)

    def attach(self, init: int, agent: int) -> None:
        """Nothing to do: every process inside was born in the group."""

    def oom_kills(self) -> int:
        try:
            lines = self.events.read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def remove(self) -> None:
        for folder in self.folders:
            remove_group(folder)


def _filled(group: _CgroupGroup, values: Mapping[Path, tuple[tuple[str, str], ...]]) -> Group:
    try:
        for folder, settings in values.items():
            folder.mkdir()
            for file, value in settings:
                try:
                    write(f"{folder}/{file}", value)
                except FileNotFoundError:
                    # Accounting of swap, and of the cpu, is missing from some kernels; memory and pids were probed.
                    continue
                except OSError as error:
                    # Version 1 refuses more cores than a group above has: that one limits it already.
                    if error.errno != errno.EINVAL or not file.startswith("cpu."):
                        raise
    except OSError:
        group.remove()
        raise
    return group


def write(path: str, value: str) -> None:
    """Write to a file of a control group, which is there already."""
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, value.encode())
    finally:
        os.close(handle)


def remove_group(folder: Path, *, within: float = 2.0) -> bool:
    """Remove a control group; the kernel needs a moment after its last process. Says whether it is gone."""
    deadline = time.monotonic() + within
    while folder.is_dir():
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
    return True


def _quota(limits: SandboxLimits) -> int:
    return max(int(limits.cpus * _PERIOD), 1000)


@functools.cache
def control_groups(root: Path = CGROUP_ROOT, membership: Path = Path("/proc/self/cgroup")) -> Enforcer | None:
    """The control groups that this process can make, tried and removed again; ``None`` if it can make none."""
    own = own_groups(membership)
    candidates: list[Enforcer] = []
    if "" in own and (root / "cgroup.controllers").exists():
        inside = root / own[""].lstrip("/")
        below_root = [folder for folder in (inside, *inside.parents) if folder == root or root in folder.parents]
        candidates += [CgroupV2(folder) for folder in below_root]
    parents = {name: _v1_parent(root / name, own.get(name, "/")) for name in _CONTROLLERS}
    found = {name: parent for name, parent in parents.items() if parent is not None}
    if {"memory", "pids"} <= found.keys():
        at_home = all(folder == root / name / own.get(name, "/").lstrip("/") for name, folder in found.items())
        candidates.append(CgroupV1(found, own=at_home))
    return next((candidate for candidate in candidates if _works(candidate)), None)


def own_groups(membership: Path = Path("/proc/self/cgroup")) -> dict[str, str]:
    """This process's group by controller; the unified tree's is under the empty name."""
    try:
        lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        return {}
    return {name: path for _, names, path in lines for name in names.split(",")}


def _v1_parent(mount: Path, own: str) -> Path | None:
    choices = (mount / own.lstrip("/"), mount)
    return next((path for path in choices if path.is_dir() and os.access(path, os.W_OK)), None)


def _works(enforcer: Enforcer) -> bool:
    """Whether a group can be made, has its limits, and takes a process."""
    try:
        group = enforcer.create(f"{PREFIX}probe-{os.getpid()}", SandboxLimits())
    except OSError:
        return False
    try:
        if not _has_limits(group):
            return False
        script = 'for f; do echo 0 > "$f" || exit 1; done'
        return subprocess.run(["/bin/sh", "-c", script, "sh", *group.join], capture_output=True).returncode == 0
    finally:
        group.remove()


def _has_limits(group: Group) -> bool:
    files = [Path(name).parent for name in group.join]
    memory = any((folder / name).exists() for folder in files for name in ("memory.max", "memory.limit_in_bytes"))
    return memory and any((folder / "pids.max").exists() for folder in files)
