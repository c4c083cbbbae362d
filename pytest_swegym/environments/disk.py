"""What takes space on this machine, and a budget for it: what was used longest ago goes first."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterable
from collections.abc import Iterator

from pytest_swegym._support.locks import key_lock
from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.paths import halves
from pytest_swegym._support.paths import size_of
from pytest_swegym._support.shelf import Shelf
from pytest_swegym.errors import InfraError
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Keeper
from pytest_swegym.sandbox.base import Stored
from pytest_swegym.sandbox.layers import remove_tree


log = logging.getLogger("pytest_swegym.environments")

#: What was used in the last so many seconds stays: it may be about to be used again.
UNUSED_FOR = 120.0
#: Seconds after which a file that was never finished counts as left behind.
_STALE = 3600.0
CACHE = "cache"
GIB = 2**30
#: Folders of the cache whose files may go one by one, and what a file in them is.
_FILES = {
    "sdists": "sdist",
    "baselines": "baseline",
    "grades": "grade",
    "pairs": "release pair",
    "observers": "observation",
}
_MIRRORS = "mirrors"


class Disk:
    """The space that a backend and the cache take. ``budget`` in GiB; ``None`` is no limit."""

    def __init__(self, backends: Iterable[Backend], budget: float | None, *, unused_for: float = UNUSED_FOR) -> None:
        self._keepers = {backend.name: backend for backend in backends if isinstance(backend, Keeper)}
        self._budget = None if budget is None else budget * GIB
        self._unused_for = unused_for
        self._told = False

    def stored(self) -> list[Stored]:
        """Everything that is kept, the largest first."""
        found = [*_files(), *_mirrors()]
        for keeper in self._keepers.values():
            found += keeper.stored()
        return sorted(found, key=lambda each: (-each.bytes, each.key))

    def make_room(self) -> list[Stored]:
        """Remove what was used longest ago until the budget is kept; what went. Never raises for a failed removal."""
        if self._budget is None:
            return []
        with key_lock("disk"):
            found = self.stored()
            excess = sum(each.bytes for each in found) - self._budget
            gone: list[Stored] = []
            for each in order(found):
                if excess <= 0:
                    break
                if self._evict(each):
                    excess -= each.bytes
                    gone.append(each)
        for each in gone:
            log.info("disk budget: removed %s %s (%s)", each.kind, each.title or each.key, shown(each.bytes))
        if excess > 0 and not self._told:
            self._told = True
            log.warning(
                "the disk budget of %s is exceeded by %s: all that is left is in use",
                shown(self._budget),
                shown(excess),
            )
        return gone

    def _evict(self, each: Stored) -> bool:
        try:
            if each.place != CACHE:
                return self._keepers[each.place].evict(each.key, unused_for=self._unused_for)
            return _remove(each, self._unused_for)
        except (InfraError, OSError) as error:
            log.warning("disk budget: %s was not removed: %s", each.title or each.key, error)
            return False


def sweep_files() -> list[str]:
    """Remove files of the cache that writers which were cut never finished; a line for each."""
    said = []
    for path in (path for folder in _FILES for path in halves(cache_dir(folder), deep=True)):
        with contextlib.suppress(OSError):
            if abs(time.time() - path.stat().st_mtime) >= _STALE:
                path.unlink()
                said.append(f"removed {path}")
    return said


def order(found: Iterable[Stored]) -> Iterator[Stored]:
    """What may go, the longest unused first, each after all that lies on it; nothing in use, nor what that lies on."""
    things = {(each.place, each.key): each for each in found}
    used = {name: each.used for name, each in things.items()}
    pinned = {name for name, each in things.items() if each.in_use}
    for (place, _), each in things.items():
        for key in each.under:
            name = (place, key)
            used[name] = max(used.get(name, 0.0), each.used)
            if each.in_use:
                pinned.add(name)
    free = [name for name in things if name not in pinned]
    # What lies on something was used no later than that, and has more under it.
    for name in sorted(free, key=lambda name: (used[name], -len(things[name].under), name)):
        yield things[name]


def shown(size: float) -> str:
    """Bytes as a person reads them."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / 2**20:.1f} MiB"


def _files() -> Iterator[Stored]:
    for folder, kind in _FILES.items():
        for path in cache_dir(folder).rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file():
                    state = path.stat()
                    yield Stored(
                        key=str(path.relative_to(cache_dir())), kind=kind, place=CACHE, bytes=state.st_blocks * 512,
                        used=state.st_mtime,
                    )  # fmt: skip


def _mirrors() -> Iterator[Stored]:
    shelf = Shelf(_MIRRORS)
    for path in cache_dir(_MIRRORS).iterdir():
        card = shelf.read(path.name)
        with contextlib.suppress(OSError):
            yield Stored(
                key=f"{_MIRRORS}/{path.name}", kind="mirror", title=path.name, place=CACHE, bytes=size_of(path),
                used=card.used if card else path.stat().st_mtime,
                in_use=path.suffix == ".partial" or (card is not None and card.in_use),
            )  # fmt: skip


def _remove(each: Stored, unused_for: float) -> bool:
    """Remove a file or mirror of the cache."""
    path = cache_dir() / each.key
    if each.kind == "mirror":

        def remove() -> bool:
            doomed = path.with_name(f".{path.name}-{os.getpid()}")
            path.rename(doomed)
            remove_tree(doomed)
            return True

        return Shelf(_MIRRORS).remove(path.name, remove, unused_for=unused_for)
    if abs(time.time() - path.stat().st_mtime) < unused_for:
        return False
    path.unlink(missing_ok=True)
    return True
