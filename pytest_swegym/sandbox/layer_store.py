"""Saved layers as things that take space: what each is, whether it is in use, and how one goes."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import size_of
from pytest_swegym._support.shelf import Card
from pytest_swegym._support.shelf import Shelf
from pytest_swegym._support.shelf import Use
from pytest_swegym.sandbox import layers
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.base import Stored


SHELF = "bubblewrap"


class _Leases:
    """The saved layers that this process uses: one lock each, however many sandboxes lie on a layer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Path, tuple[Use, int]] = {}

    def take(self, keys: Iterable[str]) -> Callable[[], None]:
        shelf = Shelf(SHELF)
        with ExitStack() as taken:
            for key in keys:
                place = shelf.place(key)
                with self._lock:
                    use, users = self._held.get(place) or (shelf.use([key]), 0)
                    self._held[place] = use, users + 1
                taken.callback(self._give_back, place)
            return _once(taken.pop_all().close)

    def _give_back(self, place: Path) -> None:
        with self._lock:
            use, users = self._held.pop(place)
            if users > 1:
                self._held[place] = use, users - 1
            else:
                use.close()


def _once(call: Callable[[], None]) -> Callable[[], None]:
    """``call`` the first time, and nothing afterwards."""
    left = [call]
    return lambda: left.pop()() if left else None


_leases = _Leases()


def hold(snapshot: Snapshot) -> Callable[[], None]:
    """Hold every saved layer that the snapshot is made of, until the returned function is called."""
    return _leases.take(_keys(snapshot.ref))


def stored() -> list[Stored]:
    """Every saved layer, and what running sandboxes have written."""
    shelf = Shelf(SHELF)
    found = []
    for folder in layers.layers_dir().iterdir():
        try:
            ref = json.loads((folder / layers.META).read_text())["ref"]
            changed = folder.stat().st_mtime
            under = tuple(key for key in _keys(ref) if key != folder.name)
        except (OSError, ValueError, LookupError, TypeError):
            continue
        card = shelf.read(folder.name) or Card(used=changed)
        size = card.bytes or size_of(folder)
        if not card.bytes:
            shelf.measured(folder.name, card, size)
        found.append(
            Stored(
                key=folder.name, kind=card.kind or ("snapshot" if under else "base"), title=card.title, place=SHELF,
                bytes=size, used=card.used, in_use=card.in_use, under=under,
            )
        )  # fmt: skip
    runs = [folder for folder in layers.runs_dir().iterdir() if not folder.name.startswith(".")]
    return found + [
        Stored(key=f"run-{run.name}", kind="running", place=SHELF, bytes=size_of(run), used=_changed(run),
               in_use=True) for run in runs
    ]  # fmt: skip


def evict(key: str, *, unused_for: float) -> bool:
    """Remove a saved layer, unless it is in use."""
    folder = layers.layers_dir() / key

    def remove() -> bool:
        # Out of sight at once; a cut while it is being removed leaves what a sweep takes for half-written.
        doomed = folder.with_name(f".{key}-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            folder.rename(doomed)
        except OSError:
            return not folder.exists()
        layers.remove_tree(doomed)
        return True

    return folder.parent == layers.layers_dir() and Shelf(SHELF).remove(key, remove, unused_for=unused_for)


def _keys(ref: Mapping[str, Any]) -> list[str]:
    """The keys of the saved layers in a snapshot's chain."""
    home = layers.layers_dir()
    folders = (Path(layer).parent for layer in ref["layers"])
    return list(dict.fromkeys(folder.name for folder in folders if folder.parent == home))


def _changed(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
