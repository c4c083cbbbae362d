"""What a candidate takes of the machine, and what it leaves there: containers, processes, mounts, memory."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from measure import descendants
from measure import memory_of_tree


@dataclass(frozen=True)
class Left:
    """Counts of what is there."""

    containers: int
    processes: int
    mounts: int


class Machine:
    """The machine seen from outside; only containers of ``image`` and of images made from it count."""

    def __init__(self, image: str) -> None:
        self._client = docker.from_env()
        self._image = image

    def containers(self) -> set[str]:
        return {each["Id"] for each in self._client.api.containers(all=True, filters={"ancestor": self._image})}

    def memory(self, pid: int, containers: set[str]) -> float:
        """MiB of a process with all below it, of its containers, and of the shims and proxies that these need."""
        return sum(memory_of_tree(each) for each in {pid, *self._keepers(containers)})

    def left(self, processes: dict[int, str], containers: set[str]) -> Left:
        """What is still there of those ``processes`` (see :func:`tree`) and of the containers."""
        inside = [pid for keeper in self._keepers(containers) for pid in (keeper, *descendants(keeper))]
        alive = [pid for pid, born in processes.items() if started(pid) == born]
        return Left(len(containers), len({*inside, *alive}), self._mounts(containers))

    def remove(self, left: set[str], processes: dict[int, str]) -> None:
        for container in left:
            self._client.api.remove_container(container, force=True)
        for pid, born in processes.items():
            if started(pid) == born:
                os.kill(pid, signal.SIGKILL)

    def _looked_at(self, containers: set[str]) -> list[dict[str, Any]]:
        found = []
        for container in containers:
            try:
                found.append(self._client.api.inspect_container(container))
            except docker.errors.NotFound:  # its removal was on the way
                continue
        return found

    def _keepers(self, containers: set[str]) -> set[int]:
        """The shim of each running container, and the proxies of its ports."""
        looked = self._looked_at(containers)
        pids = {each["State"]["Pid"] for each in looked} - {0}
        networks = [net for each in looked for net in each["NetworkSettings"]["Networks"].values()]
        addresses = {net["IPAddress"] for net in networks} - {""}
        return {parent(pid) for pid in pids} - {0, 1} | {pid for pid, ip in _proxies() if ip in addresses}

    def _mounts(self, containers: set[str]) -> int:
        looked = self._looked_at(containers)
        words = {(each["GraphDriver"].get("Data") or {}).get("MergedDir", each["Id"]) for each in looked}
        words |= {each["Id"] for each in looked}
        words |= {each["NetworkSettings"]["SandboxKey"] for each in looked} - {""}
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return sum(any(word in line for word in words) for line in lines)


def tree(pid: int) -> dict[int, str]:
    """All processes below one, and when each was born: a number alone may be somebody else's later."""
    return {each: started(each) for each in descendants(pid)}


def started(pid: int) -> str:
    """When a process was born; empty if it is gone, or only waits for its parent to notice."""
    fields = _stat(pid)
    return "" if not fields or fields[0] in "ZX" else fields[19]


def parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _proxies() -> list[tuple[int, str]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"docker-proxy"):
            found.append((int(folder.name), words[words.index(b"-container-ip") + 1].decode()))
    return found
