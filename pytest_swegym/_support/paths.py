"""Where things are kept on the host: a cache that may be deleted at any time, when no run is going on."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_dir(*parts: str) -> Path:
    """A folder of the cache, made if absent: ``$SWEGYM_CACHE``, else ``$XDG_CACHE_HOME/pytest-swegym``."""
    root = os.environ.get("SWEGYM_CACHE")
    if not root:
        root = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pytest-swegym")
    path = os.path.abspath(os.path.join(root, *parts))
    if not os.path.isdir(path):
        os.makedirs(path, exist_ok=True)
    return Path(path)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file so that a reader sees the old or the new content, never half of it, also after a cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode() if isinstance(data, str) else data
    with _beside(path) as (handle, temporary):
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)


def halves(folder: Path, *, deep: bool = False) -> list[Path]:
    """What writers that were cut have left in a folder, or below it, beside the files that it was to become."""
    return sorted(folder.rglob(".*.tmp") if deep else folder.glob(".*.tmp"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write into, which takes its place at the end, and goes if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path) as (handle, temporary):
        os.close(handle)
        yield Path(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)


def size_of(path: Path) -> int:
    """Bytes on the disk of a file, or of all below a folder; hard links count once, what vanishes not at all."""
    seen: set[tuple[int, int]] = set()
    total = 0
    waiting = [str(path)]
    while waiting:
        place = waiting.pop()
        try:
            state = os.lstat(place)
            if stat.S_ISDIR(state.st_mode):
                waiting += [entry.path for entry in os.scandir(place)]
        except OSError:
            continue
        if (state.st_dev, state.st_ino) not in seen:
            seen.add((state.st_dev, state.st_ino))
            total += state.st_blocks * 512
    return total


@contextmanager
def _beside(path: Path) -> Iterator[tuple[int, str]]:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        yield handle, temporary
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
