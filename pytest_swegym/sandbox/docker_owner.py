"""Whose a container is: a label that names the process, and whether that process still lives."""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path


#: On every container and image of ours.
LABEL = "pytest-swegym"
#: On containers: the process that started it.
OWNER_LABEL = "pytest-swegym.owner"
#: On temporary snapshots: the process that made it; empty on saved ones.
TEMPORARY_LABEL = "pytest-swegym.temporary"
#: On saved snapshots: their key, and the rest of them as JSON.
KEY_LABEL = "pytest-swegym.key"
SNAPSHOT_LABEL = "pytest-swegym.snapshot"


def own_name() -> str:
    """This process, told from every other: machine, boot, PID namespace, number and start time."""
    return "/".join((*_where(), str(os.getpid()), started(os.getpid())))


def is_dead(name: str) -> bool:
    """Whether the process called ``name`` is known to be gone. One of another machine is not known."""
    parts = name.split("/")
    if len(parts) != 5:
        return False
    host, boot, namespace, pid, begun = parts
    own_host, own_boot, own_namespace = _where()
    if host != own_host:
        return False
    if boot != own_boot:
        return True
    return namespace == own_namespace and started(int(pid) if pid.isdigit() else 0) != begun


@functools.cache
def _where() -> tuple[str, str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return socket.gethostname().replace("/", "_"), boot, str(os.stat("/proc/self/ns/pid").st_ino)


def started(pid: int) -> str:
    """When a process began, in ticks since boot; empty if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
