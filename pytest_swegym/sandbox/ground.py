"""What a sandbox stands on, and whether it gave way: no program inside is to blame for that."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path

from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.paths import size_of
from pytest_swegym.sandbox.layers import layers_dir
from pytest_swegym.sandbox.processes import nameless


#: Bytes and files below which a disk counts as full.
_FULL_BYTES, _FULL_FILES = 2**20, 16
_KEPT = 16 * 2**20
#: Seconds between two looks at a disk.
_LOOK = 0.1
#: Seconds between two looks at who fills a disk, as long as it is full.
_WHO = 1.0
#: Seconds that a sandbox has taken at most to start.
_START = 5.0
#: Bytes from which on a sandbox's own files had a part in filling the disk.
_OWN = 256 * 2**20
_watches: dict[int, _Watch] = {}
_lock = threading.Lock()


class Ground:
    """The layers below one sandbox, and the disk that its own ``files`` lie on, from now on."""

    def __init__(self, layers: Iterable[str], files: Path) -> None:
        # An overlay that was mounted on a full disk stays read-only.
        self._began = time.monotonic() - _START
        self._files = files
        #: What runs inside, as the host numbers it.
        self.processes: Callable[[], Iterable[int]] = tuple
        # Temporary snapshots are renamed as they are merged; nobody else removes them.
        saved = layers_dir()
        self._layers = {layer: _identity(layer) for layer in layers if Path(layer).parent.parent == saved}
        #: Whether the sandbox itself had a part in filling the disk.
        self.guilty = False
        self._watch = _watch(files)
        self._watch.add(self)

    def look(self) -> None:
        """Remember whether the disk is full now: it may have room again when somebody asks."""
        self._watch.look()

    def trouble(self) -> str:
        """What gave way since it began; empty if nothing did, or if it is ``guilty``."""
        for layer, identity in self._layers.items():
            if _identity(layer) != identity:
                return f"a layer under the sandbox was removed: {layer}"
        if not self._watch.full_since(self._began):
            return ""
        self.weigh()
        return "" if self.guilty else f"the disk of {cache_dir()} was full; 'swegym disk --prune' makes room"

    def weigh(self) -> None:
        """Look whether the sandbox has a part in filling the disk: it may have deleted its files when somebody asks."""
        self.guilty = self.guilty or size_of(self._files) + nameless(self.processes()) >= _OWN


class _Watch:
    """Remembers when one disk was full, and who filled it: what was written then is lost, even if it has room again."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._last, self._weighed = -1.0, -_WHO
        self._lock = threading.Lock()
        self._grounds: weakref.WeakSet[Ground] = weakref.WeakSet()
        self.alive = True
        threading.Thread(target=self._look_on, name="swegym-disk", daemon=True).start()

    def add(self, ground: Ground) -> None:
        with self._lock:
            self._grounds.add(ground)

    def full_since(self, moment: float) -> bool:
        self.look()
        return self._last >= moment

    def look(self) -> bool:
        """Whether the disk is still there."""
        try:
            found = os.statvfs(self._place)
        except OSError:
            return False
        size = found.f_frsize
        # What is reserved for root may be used up by root, inside too; what ext4 keeps for itself, by nobody.
        kept = min(_KEPT, found.f_blocks * size // 50)
        rest = found.f_bfree * size - kept if os.geteuid() == 0 else 0
        if max(found.f_bavail * size, rest) < _FULL_BYTES or (found.f_files and found.f_favail < _FULL_FILES):
            self._is_full()
        return True

    def _is_full(self) -> None:
        now = time.monotonic()
        with self._lock:
            grounds = list(self._grounds) if now - self._weighed > _WHO else []
            self._last, self._weighed = now, now if grounds else self._weighed
        for ground in grounds:
            ground.weigh()

    def _look_on(self) -> None:
        while self.look():
            time.sleep(_LOOK)
        self.alive = False


def _watch(files: Path) -> _Watch:
    """The one watch of a disk in this process."""
    place = files.parents[2]
    device = place.stat().st_dev
    with _lock:
        if device not in _watches or not _watches[device].alive:
            _watches[device] = _Watch(place)
        return _watches[device]


def _identity(layer: str) -> tuple[int, int] | None:
    try:
        found = os.stat(layer)
    except OSError:
        return None
    return found.st_dev, found.st_ino
