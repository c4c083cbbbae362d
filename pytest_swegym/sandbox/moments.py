"""Temporary snapshots of the embedded backend: made of what a sandbox wrote, kept as long as somebody needs them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path

from pytest_swegym.sandbox import layers
from pytest_swegym.sandbox import overlay


#: Temporary layers one over the other, and bytes of the names of all layers, above which they are merged into one: the
#: kernel takes no more than a page of them.
_DEEP, _LONG = 16, 2400


class Moments:
    """The temporary layers of one backend object. A layer goes when no snapshot and no sandbox lies on it any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, ...]] = {}
        self._users: Counter[str] = Counter()

    def freeze(self, chain: Sequence[str], upper: Path, folder: Path) -> list[str]:
        """The layers of a sandbox over ``chain`` that wrote ``upper``; ``folder`` is where a new layer may be made."""
        own = folder / "fs"
        overlay.copy(upper, own)
        deep = [*chain, str(own)]
        temporary = [path for path in deep if self.is_temporary(path) or path == str(own)]
        if len(temporary) <= _DEEP and sum(map(len, deep)) <= _LONG:
            return deep
        merged = folder / "merged"
        # Temporary layers lie on top of all saved ones.
        overlay.merge([Path(path) for path in temporary], merged)
        layers.remove_tree(own)
        return [*chain[: len(deep) - len(temporary)], str(merged)]

    def add(self, key: str, chain: Sequence[str]) -> None:
        """``chain`` is the snapshot ``key`` from now on; its last layer is temporary."""
        with self._lock:
            self._users.setdefault(chain[-1], 0)
            self._known[key] = self._use(chain)

    def drop(self, key: str) -> None:
        """Nobody will ask for that snapshot any more. One that is not known here is left as it is."""
        with self._lock:
            gone = self._release(self._known.pop(key, ()))
        _remove(gone)

    def hold(self, chain: Sequence[str]) -> tuple[str, ...]:
        """Keep the temporary layers among ``chain`` for a sandbox, until they are given to :meth:`release`."""
        with self._lock:
            return self._use(chain)

    def release(self, held: Iterable[str]) -> None:
        """A sandbox on these layers is gone."""
        with self._lock:
            gone = self._release(held)
        _remove(gone)

    def close(self) -> None:
        """Forget everything; the folders go with the run's. Twice is fine."""
        with self._lock:
            self._known.clear()
            self._users.clear()

    def is_temporary(self, path: str) -> bool:
        """Whether that layer is one of ours."""
        with self._lock:
            return path in self._users

    def _use(self, chain: Sequence[str]) -> tuple[str, ...]:
        held = tuple(path for path in chain if path in self._users)
        self._users.update(held)
        return held

    def _release(self, held: Iterable[str]) -> list[str]:
        known = [path for path in held if path in self._users]
        self._users.subtract(known)
        gone = [path for path in known if self._users[path] <= 0]
        for path in gone:
            del self._users[path]
        return gone


def _remove(gone: Iterable[str]) -> None:
    for path in gone:
        layers.remove_tree(Path(path).parent)
