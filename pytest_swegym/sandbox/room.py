"""How many sandboxes fit: which limit of the machine was hit, and how to raise it."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import resource
from dataclasses import dataclass
from pathlib import Path

from pytest_swegym._support.paths import cache_dir
from pytest_swegym.sandbox.limits import CGROUP_ROOT
from pytest_swegym.sandbox.limits import own_groups


_PROC = Path("/proc")
#: What a limit's error reads like, for programs that tell it in words.
_WORDS = {
    "Too many open files in system": errno.ENFILE,
    "Too many open files": errno.EMFILE,
    "Resource temporarily unavailable": errno.EAGAIN,
    "Cannot fork": errno.EAGAIN,
    "can't start new thread": errno.EAGAIN,
    "No space left on device": errno.ENOSPC,
    "ENOSPC": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "Cannot allocate memory": errno.ENOMEM,
}
_NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
#: Bytes of memory, and of the disk, below which they count as used up.
_LITTLE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Limit:
    """``used`` of the ``most`` things of a kind that may be there at once; ``remedy`` says how to allow more."""

    kind: str
    used: int
    most: int
    remedy: str

    def __str__(self) -> str:
        return f"{self.used:,} of at most {self.most:,} {self.kind}; {self.remedy}"


def explain(error: BaseException | str) -> str:
    """``error`` with the limit that it means, if it means one, and the way out: raise it, or run fewer at once."""
    said = str(error)
    code = error.errno if isinstance(error, OSError) else None
    code = code or next((number for words, number in _WORDS.items() if words in said), None)
    found = _limit(code)
    return said if found is None else f"{said}: {found}, or run fewer at once"


def more_descriptors(newest: int) -> None:
    """Raise this process's limit of descriptors as far as may be, if ``newest`` shows that half of them are in use."""
    first_descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 0 or newest * 2 < soft:
        return
    root = int(_read("sys/fs/nr_open") or 0) if os.geteuid() == 0 else 0
    for most in (max(hard, root), hard):
        # Refused where root lacks the capability.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            return


@functools.cache
def first_descriptors() -> tuple[int, int]:
    """The limits of descriptors, soft and hard, before they were raised: what programs inside are to see."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def crowded() -> str | None:
    """The machine's own limit of processes, if it is nearly reached."""
    nearest = _crowd()
    return str(nearest) if nearest.used > nearest.most * 0.95 else None


def _crowd() -> Limit:
    """The limit of processes that is nearest: the machine's, this user's, or a control group's above this process."""
    # The number of all threads, as each takes a process number.
    everything = int(_read("loadavg").split()[3].partition("/")[2])
    found = [
        Limit("processes of the machine", everything, int(_read("sys/kernel/pid_max")), "sysctl kernel.pid_max"),
        Limit("threads of the machine", everything, int(_read("sys/kernel/threads-max")), "sysctl kernel.threads-max"),
    ]
    mine = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if os.geteuid() != 0 and mine >= 0:
        found.append(Limit("processes of this user", _processes_of(os.geteuid()), mine, "raise it with 'ulimit -u'"))
    for folder in _groups():
        most = _number(folder / "pids.max")
        if most is not None:
            used = _number(folder / "pids.current") or 0
            found.append(Limit(f"processes of the control group {folder}", used, most, "raise its pids.max"))
    return max(found, key=lambda limit: limit.used / max(limit.most, 1))


def _limit(code: int | None) -> Limit | str | None:
    if code == errno.EMFILE:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        remedy = f"raise it with 'ulimit -n' or LimitNOFILE= (the hard limit is {hard:,})"
        return Limit("descriptors of this process", len(os.listdir("/proc/self/fd")), soft, remedy)
    if code == errno.ENFILE:
        used, _, most = map(int, _read("sys/fs/file-nr").split())
        return Limit("open files of the machine", used, most, "sysctl fs.file-max")
    if code == errno.EAGAIN:
        return _crowd()
    if code == errno.ENOMEM:
        return f"{_available() >> 20:,} MiB of memory are left; add memory"
    return _space() if code in (errno.ENOSPC, errno.EDQUOT) else None


def _space() -> str:
    """No space: on the disk, or among the namespaces, mounts and control groups of the kernel."""
    where = cache_dir("bubblewrap")
    disk = os.statvfs(where)
    if disk.f_bavail * disk.f_frsize < _LITTLE or (disk.f_files and disk.f_favail < 100):
        return f"the disk of {where} is full; 'swegym disk --prune' removes what is not in use"
    most = {f"user.max_{name}_namespaces": _read(f"sys/user/max_{name}_namespaces").strip() for name in _NAMESPACES}
    fewest = sorted((int(value), name) for name, value in most.items() if value.isdigit())[:1]
    named = "".join(f" ({name} is {value:,})" for value, name in fewest)
    return (
        f"the kernel has no more namespaces{named}, mounts (fs.mount-max is {_read('sys/fs/mount-max').strip()}) "
        f"or control groups (65,535 with a memory limit); raise it with sysctl"
    )


def _available() -> int:
    for line in _read("meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _processes_of(user: int) -> int:
    count = 0
    for name in os.listdir(_PROC):
        try:
            if name.isdigit() and os.stat(_PROC / name).st_uid == user:
                count += len(os.listdir(_PROC / name / "task"))
        except OSError:
            continue
    return count


def _groups() -> list[Path]:
    """The control groups of this process that may limit processes, and those above them."""
    found: list[Path] = []
    for name, path in own_groups().items():
        if name in ("", "pids"):
            root = CGROUP_ROOT / name
            inside = root / path.lstrip("/")
            found += [folder for folder in (inside, *inside.parents) if root in (folder, *folder.parents)]
    return found


def _number(path: Path) -> int | None:
    """A limit in a file; ``None`` where there is none."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) < 2**40 else None


def _read(name: str) -> str:
    try:
        return (_PROC / name).read_text()
    except OSError:
        return ""
