"""What is kept on this machine: each thing has a card that says what it is, when it was used last, and is locked while
it is in use. The lock of a process that dies is free."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import cache_dir


#: Cards are small; a larger file is not one.
_LIMIT = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of a kept thing. ``used`` in seconds since the epoch; ``bytes`` is 0 if nobody has measured it."""

    kind: str = ""
    title: str = ""
    ref: str = ""
    bytes: int = 0
    used: float = 0.0
    in_use: bool = False


class Use:
    """Holds things in use until it is closed, or this process ends."""

    def __init__(self, handles: Iterable[int]) -> None:
        self._handles = list(handles)

    def close(self) -> None:
        """End the use. Twice is fine."""
        while self._handles:
            handle = self._handles.pop()
            with contextlib.suppress(OSError):
                os.utime(handle)
            os.close(handle)

    def __enter__(self) -> Use:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Shelf:
    """The cards of one place where things are kept, by key."""

    def __init__(self, name: str) -> None:
        self._folder = cache_dir("cards", name)

    def place(self, key: str) -> Path:
        """Where the card of a thing is, which no two things share."""
        return self._folder / key

    def use(self, keys: Iterable[str], *, known: bool = False) -> Use:
        """The things are used now, and until this is closed nobody removes them. Waits while one is being removed.

        With ``known`` those that have no card are passed over.
        """
        with ExitStack() as stack:
            handles: list[int] = []
            for key in keys:
                if known and not (self._folder / key).exists():
                    continue
                handles.append(_locked(self._folder / key, fcntl.LOCK_SH))
                stack.callback(os.close, handles[-1])
                os.utime(handles[-1])
            stack.pop_all()
        return Use(handles)

    def write(self, key: str, *, kind: str, title: str, ref: str = "", size: int = 0) -> None:
        """Say what a thing is. It counts as used now."""
        data = json.dumps({"kind": kind, "title": title[:500], "ref": ref, "bytes": size}).encode()
        with _open(self._folder / key, fcntl.LOCK_SH) as handle:
            # In place: a new file would lose the locks on the old one.
            os.pwrite(handle, data, 0)
            os.ftruncate(handle, len(data))

    def measured(self, key: str, card: Card, size: int) -> None:
        """Remember how large a thing is; that is no use of it."""
        self.write(key, kind=card.kind, title=card.title, ref=card.ref, size=size)
        os.utime(self._folder / key, (card.used, card.used))

    def read(self, key: str) -> Card | None:
        """The card of a thing, ``None`` if it has none."""
        try:
            handle = os.open(self._folder / key, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            used, said = os.fstat(handle).st_mtime, _said(handle)
            return Card(used=used, in_use=not _try_lock(handle), **said)
        finally:
            os.close(handle)

    def __iter__(self) -> Iterator[str]:
        """The keys of all cards."""
        return iter(sorted(os.listdir(self._folder)))

    def remove(self, key: str, remove: Callable[[], bool], *, unused_for: float) -> bool:
        """Call ``remove`` if nobody uses the thing, or did in the last ``unused_for`` seconds; whether it is gone.

        Nobody begins to use it meanwhile, and its card goes with it.
        """
        path = self._folder / key
        known = path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # From the future, it was used before the clock was set back.
            fresh = known and abs(time.time() - os.fstat(handle).st_mtime) < unused_for
            if fresh or not _try_lock(handle) or not _is_at(handle, path) or not remove():
                return False
            path.unlink(missing_ok=True)
            return True
        finally:
            os.close(handle)


def _said(handle: int) -> dict[str, Any]:
    """What a card says; nothing if it is being written, or damaged."""
    fields = {"kind": str, "title": str, "ref": str, "bytes": int}
    try:
        said = json.loads(os.pread(handle, _LIMIT, 0))
        return {name: kind(said[name]) for name, kind in fields.items()}
    except (ValueError, TypeError, LookupError):
        return {}


@contextmanager
def _open(path: Path, how: int) -> Iterator[int]:
    handle = _locked(path, how)
    try:
        yield handle
    finally:
        os.close(handle)


def _locked(path: Path, how: int) -> int:
    """An open and locked card. Whoever waited for one that was removed meanwhile gets a new one."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, how)
        if _is_at(handle, path):
            return handle
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
