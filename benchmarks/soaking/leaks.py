"""What a run may not leave behind: looked at when none is under way, and told by name."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from soaking.daemon import Daemon
from soaking.scene import words


_GROUPS = Path("/sys/fs/cgroup")


def mounts() -> set[str]:
    """The mount points of this namespace."""
    return {line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()}


def processes(daemon: Daemon | None) -> list[str]:
    """Whatever runs in our PID namespace but us, our parents, and the daemon's own."""
    found = []
    mine = _lineage(os.getpid())
    own = {daemon.pid} if daemon is not None else set()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in mine:
            continue
        above, text = _lineage(int(name)), words(int(name))
        # A container that was being made when containerd was killed stays half made, unknown to any daemon.
        if above & own or not text or "containerd" in text.split(" ")[0] or text.startswith("runc "):
            continue
        found.append(f"process {name}: {text:.120}")
    return found


def _lineage(pid: int) -> set[int]:
    found = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            break
        pid = int(stat.rpartition(")")[2].split()[1])
    return found


def groups(prefix: str) -> list[str]:
    """Control groups of sandboxes whose run folders were in our cache."""
    folders = [Path(name) for name, _, _ in os.walk(_GROUPS) if os.path.basename(name).startswith(prefix)]
    return [f"control group {folder}" for folder in folders]


def files(cache: Path, outputs: list[Path]) -> list[str]:
    """Run folders, half-written things and temporary files."""
    found = [f"run folder {path.name}" for path in (cache / "bubblewrap" / "run").glob("*")]
    found += [f"half-written layer {path.name}" for path in (cache / "bubblewrap" / "layers").glob(".*")]
    for root in (cache, *outputs):
        found += [
            f"temporary file {path.relative_to(root.parent)}" for path in root.rglob("*.tmp") if _is_ours(path, cache)
        ]
    return found


def _is_ours(path: Path, cache: Path) -> bool:
    """What lies in a layer is the layer's business."""
    return cache / "bubblewrap" not in path.parents


def locks(cache: Path) -> list[str]:
    """Locks that somebody holds still."""
    found = []
    for path in [*(cache / "locks").glob("*"), *(cache / "cards").glob("*/*")]:
        handle = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            found.append(f"lock {path.relative_to(cache)} is held")
        finally:
            os.close(handle)
    return found


def temporary(before: set[str]) -> list[str]:
    """What is new in the folder of temporary files."""
    # Ray keeps the logs of its sessions, and pytest the last folders of its workers.
    new = set(os.listdir(os.environ["TMPDIR"])) - before - {"ray"}
    return [f"temporary file {name}" for name in sorted(new) if not name.startswith("pytest-of-")]


def containers(daemon: Daemon | None) -> list[str]:
    """Containers of ours, and temporary images."""
    if daemon is None:
        return []
    found = [f"container {name}" for name in daemon.own("ps", "-a")]
    images = daemon.ask("images", "-q", "pytest-swegym/temporary").stdout.split()
    return found + [f"temporary image {name}" for name in images]


def descriptors(pid: int) -> int:
    """How many files a process has open."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def memory(pid: int) -> float:
    """MiB that a process has of its own."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024
