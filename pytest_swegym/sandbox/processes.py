"""The processes of one sandbox as the host sees them: found by their PID namespace, ended as a whole."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from collections.abc import Iterable
from contextlib import suppress


#: Which command a process belongs to: inherited by every child that does not clear its environment.
MARK = b"SWEGYM_EXEC="
_TICKS = os.sysconf("SC_CLK_TCK")
#: In the environment of our own processes inside; commands do not get it.
OWN = b"SWEGYM_AGENT="
#: How often a tree of processes is read anew, should some of them end meanwhile.
_LOOKS = 5


def members(namespace: int) -> list[int]:
    """Every living process of the PID namespace (its inode number); zombies are not."""
    return [pid for pid in _all() if namespace_of(pid) == namespace and _state(pid) not in (b"Z", b"X", b"")]


def children(pid: int) -> list[int]:
    """The processes that a process started and that live, or have not been waited for."""
    try:
        return [int(child) for thread in os.listdir(f"/proc/{pid}/task")
                for child in _read(pid, f"task/{thread}/children").split()]  # fmt: skip
    except OSError:
        return []


def below(init: int, namespace: int) -> list[int]:
    """As :func:`members`, without a look at every process of the machine: a namespace's first process and all below."""
    if not os.path.exists(f"/proc/{init}/task/{init}/children"):
        return members(namespace)
    dead: set[int] = set()
    for _ in range(_LOOKS):
        found = [init]
        for pid in found:
            found += [child for child in children(pid) if child not in found]
        gone = {pid for pid in found if _state(pid) in (b"Z", b"X", b"")}
        if gone <= dead:
            break
        # The children of one that ended meanwhile are the first process's now, which was asked before.
        dead |= gone
    return [pid for pid in found if pid not in gone]


def namespace_of(pid: int) -> int | None:
    """The inode number of a process's PID namespace; ``None`` if it is gone, or another user's."""
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return None


def inner_pid(pid: int) -> int | None:
    """The number that a process has inside its own namespace."""
    for line in _read(pid, "status").splitlines():
        if line.startswith(b"NSpid:"):
            return int(line.split()[-1])
    return None


def parent(pid: int) -> int:
    """A process's parent; 0 if it is gone."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def born(pid: int) -> float:
    """When a process was started, in seconds since boot, rounded down to a tick; 0 if it is gone."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[19]) / _TICKS if len(fields) > 19 else 0.0


def younger(pids: Iterable[int], since: float, *, shell: int) -> list[int]:
    """Those of ``pids`` that ``shell`` started since, itself or through others; not what older jobs of it started."""
    since = int(since * _TICKS) / _TICKS
    found, old = set(pids), set()
    for pid in sorted(found):
        above = pid
        while above in found and above != shell and born(above) >= since:
            above = parent(above)
        if above in found and above != shell:
            old.add(pid)
    return [pid for pid in found if pid not in old and pid != shell]


def is_stopped(pid: int) -> bool:
    """Whether a process stands still, by SIGSTOP or a debugger."""
    return _state(pid) in (b"T", b"t")


def resident(pid: int) -> int:
    """Bytes of memory of a process that no other process shares with it through a file."""
    fields = _read(pid, "statm").split()
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 2 else 0


def proportional(pid: int) -> int:
    """Bytes of memory of a process, its shared pages divided among those who share them. Slower than resident."""
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith((b"Pss_Anon:",)):
            return int(line.split()[1]) * 1024
    return resident(pid)


def nameless(pids: Iterable[int]) -> int:
    """Bytes on the disk of deleted files that these processes have open: no folder has anything of them to be seen."""
    found: dict[tuple[int, int], int] = {}
    for handle in (handle for pid in pids for handle in _handles(pid)):
        with suppress(OSError):
            name = os.readlink(handle)
            if name.endswith(" (deleted)") and not name.startswith(("/memfd:", "/dev/")):
                state = os.stat(handle)
                found[state.st_dev, state.st_ino] = state.st_blocks * 512
    return sum(found.values())


def _handles(pid: int) -> list[str]:
    """What a process has open."""
    try:
        return [f"/proc/{pid}/fd/{number}" for number in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return []


def belonging_to(number: int, namespace: int, *, init: int, agent: int) -> list[int]:
    """Processes of command ``number``, and those that hid whose they are; never ``init`` or ``agent``.

    A process belongs to the command named in its environment, else to its parent's command. An orphan with neither
    has cleared its traces (a daemon of some command), and counts as everybody's.
    """
    found = below(init, namespace)
    known = {pid: _named(pid) for pid in found} | {init: 0, agent: 0}
    return [pid for pid in found if _owner(pid, known, init) in (number, None)]


def _owner(pid: int, known: dict[int, int | None], init: int) -> int | None:
    """The command that a process or one of its ancestors names; ``None`` if there is no telling."""
    while known.get(pid) is None:
        above = parent(pid)
        if above == init or above not in known:
            return None
        pid = above
    return known[pid]


def _named(pid: int) -> int | None:
    """The command in a process's environment; 0 in that of our own processes, ``None`` if there is neither."""
    variables = _read(pid, "environ").split(b"\0")
    for variable in variables:
        if variable.startswith(MARK) and variable[len(MARK) :].isdigit():
            return int(variable[len(MARK) :])
    return 0 if any(variable.startswith(OWN) for variable in variables) else None


def end_all(select: Callable[[], Iterable[int]], namespace: int, *, within: float = 5.0) -> bool:
    """Kill what ``select`` gives until it gives nothing; says whether it came to that.

    All are stopped before the first is killed, so that none can fork away or act on another's death.
    """
    deadline = time.monotonic() + within
    while found := stop_all(select, namespace):
        for pid in found:
            send(pid, signal.SIGKILL, namespace)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def stop_all(select: Callable[[], Iterable[int]], namespace: int) -> set[int]:
    """Stop what ``select`` gives, and what it forked meanwhile; returns them."""
    stopped: set[int] = set()
    while new := set(select()) - stopped:
        for pid in new:
            send(pid, signal.SIGSTOP, namespace)
        stopped |= new
    return stopped


def send(pid: int, number: int, namespace: int) -> bool:
    """Signal a process of the sandbox; never one outside, even if its number was taken over meanwhile."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if namespace_of(pid) != namespace:
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _state(pid: int) -> bytes:
    """The letter of a process's state; empty if it is gone."""
    # The name in parentheses may hold anything, also ')'.
    return b"".join(_read(pid, "stat").rpartition(b")")[2].split()[:1])


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""
