"""What the machine has to give: memory, cores and disk, as far as this process may use them."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Protocol

from pytest_swegym._support.paths import cache_dir
from pytest_swegym.sandbox.limits import CGROUP_ROOT
from pytest_swegym.sandbox.limits import own_groups


#: A control group without a limit says a number near 2**63.
_NO_LIMIT = 2**60


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bytes of ``total`` that are ``free``."""

    free: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the machine stands.

    ``some`` and ``full`` are the percent of the last ten seconds in which some, or all, processes waited for memory;
    0 where the kernel does not tell. ``disk`` has the room of every folder that is written to.
    """

    memory: Room
    some: float = 0.0
    full: float = 0.0
    disk: Mapping[str, Room] = field(default_factory=dict)


class Probe(Protocol):
    """Whoever can be asked how the machine stands."""

    @property
    def cores(self) -> int:
        """Cores that this process may use, 1 at the least."""
        ...

    def read(self) -> Reading: ...


def idle_cores(cores: int, *, proc: Path = Path("/proc")) -> int:
    """How many of ``cores`` nobody computes on at this moment, whatever process that is; this thread does not count."""
    try:
        lines = (proc / "stat").read_text(encoding="ascii").splitlines()
        running = next(int(line.split()[1]) for line in lines if line.startswith("procs_running "))
    except (OSError, ValueError, IndexError, StopIteration):
        return cores - 1
    return max(0, cores - max(1, running))


class Machine:
    """This machine, and the control groups that this process is in; ``folders`` are those that are written to."""

    def __init__(self, folders: Sequence[Path] = (), *, proc: Path = Path("/proc"), groups: Path = CGROUP_ROOT) -> None:
        self._folders = tuple(folders)
        self._proc, self._groups = proc, groups
        self._own = own_groups(proc / "self" / "cgroup")

    @property
    def cores(self) -> int:
        quotas = [quota for folder in self._above("cpu") if (quota := _quota(folder)) is not None]
        return max(1, math.ceil(min([len(os.sched_getaffinity(0)), *quotas])))

    def read(self) -> Reading:
        found = [room for folder in self._above("memory") if (room := _group_room(folder)) is not None]
        some, full = self._pressure()
        return Reading(memory=min([self._memory(), *found], key=lambda room: room.free), some=some, full=full,
                       disk=dict(self._disk()))  # fmt: skip

    def _memory(self) -> Room:
        told = _table(self._proc / "meminfo")
        total = told.get("MemTotal:", 0) * 1024
        return Room(free=told.get("MemAvailable:", told.get("MemFree:", 0)) * 1024, total=total)

    def _pressure(self) -> tuple[float, float]:
        told = {"some": 0.0, "full": 0.0}
        with suppress(OSError, ValueError, IndexError):
            for line in (self._proc / "pressure" / "memory").read_text().splitlines():
                words = line.split()
                told[words[0]] = float(words[1].partition("=")[2])
        return told["some"], told["full"]

    def _disk(self) -> Iterator[tuple[str, Room]]:
        for folder in (cache_dir(), *self._folders):
            with suppress(OSError):
                usage = shutil.disk_usage(_existing(folder))
                yield str(folder), Room(free=usage.free, total=usage.total)

    def _above(self, controller: str) -> Iterator[Path]:
        """The folders of this process's group and of those above it: each may have a limit."""
        mount, own = self._groups / controller, self._own.get(controller)
        if own is None:
            mount, own = self._groups, self._own.get("", "/")
        folder = mount / own.lstrip("/")
        # In a container the path is often that of the host, and the mount is the group itself.
        for place in (folder, *folder.parents):
            if place.is_dir():
                yield place
            if place == mount:
                return


def _group_room(folder: Path) -> Room | None:
    """What a control group may still take; its page cache counts as free, as the kernel gives it up first."""
    for limit, usage, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        total, used = _number(folder / limit), _number(folder / usage)
        if total is not None and used is not None and total < _NO_LIMIT:
            used -= _table(folder / "memory.stat").get(cache, 0)
            return Room(free=max(0, total - used), total=total)
    return None


def _quota(folder: Path) -> float | None:
    """Cores that a control group may use."""
    with suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    quota_us, period_us = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota_us / period_us if quota_us and period_us and quota_us > 0 else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # absent, or "max"
        return None


def _table(path: Path) -> dict[str, int]:
    """``NAME NUMBER`` lines."""
    found = {}
    with suppress(OSError):
        for line in path.read_text().splitlines():
            words = line.split()
            if len(words) >= 2 and words[1].isdigit():
                found[words[0]] = int(words[1])
    return found


def _existing(folder: Path) -> Path:
    """The folder, or what of the way to it exists."""
    return next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))


__all__ = ["Machine", "Probe", "Reading", "Room"]
