"""Who has made what, and where it lies: the one place in a cluster where the workers of a run ask. An actor of Ray."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was made under a name: facts, and the keys of its snapshots."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Shipped:
    """What was shipped so far: transfers, their bytes and their seconds."""

    transfers: int = 0
    bytes: int = 0
    seconds: float = 0.0


class Catalogue:
    """Names that are made or being made, and the nodes that have a snapshot. It lives as long as the run."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._makers: dict[str, str] = {}
        self._workers: dict[str, str] = {}
        self._places: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._shipped: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._total = Shipped()

    def joined(self, who: str, node: str, parcels: Sequence[str]) -> None:
        """A worker lives on that node, which has these parcels from earlier runs."""
        self._workers[who] = node
        self.has(node, parcels)

    def claim(self, name: str, token: str) -> Entry | bool:
        """What was made under that name; true if whoever asks is to make it now, false if another one is making it.

        The ``token`` is a worker's name and what tells its claims apart: a question may be asked twice.
        """
        if name in self._entries:
            return self._entries[name]
        return self._makers.setdefault(name, token) == token

    def made(self, name: str, entry: Entry, node: str, parcels: Sequence[str]) -> None:
        """It is made, and ``node`` has it, in these parcels."""
        self._entries[name] = entry
        self._makers.pop(name, None)
        self.has(node, parcels)

    def abandon(self, name: str, token: str) -> None:
        """It could not be made: the next one that asks may try."""
        if self._makers.get(name) == token:
            del self._makers[name]

    def gone(self, who: str) -> None:
        """A worker is dead; nobody waits for what it was making."""
        self._workers.pop(who, None)
        for name in [name for name, maker in self._makers.items() if maker.partition("/")[0] == who]:
            del self._makers[name]

    def has(self, node: str, parcels: Sequence[str]) -> None:
        """The node has these parcels."""
        for key in parcels:
            self._places[key][node] = None
            # What a node has from an earlier run is made already.
            self._entries.setdefault(f"snapshot-{key}", Entry(keys=(key,)))

    def lost(self, node: str) -> None:
        """The node is gone, and what it had. What nobody else has may be made again."""
        for who in [who for who, there in self._workers.items() if there == node]:
            self.gone(who)
        for key, places in list(self._places.items()):
            places.pop(node, None)
            if not places:
                self.forget(key)

    def forget(self, key: str) -> None:
        """Nobody has that snapshot any more."""
        self._places.pop(key, None)
        for name in [name for name, entry in self._entries.items() if key in entry.keys]:
            del self._entries[name]

    def places(self, key: str, asking: str) -> list[str]:
        """Workers that can send a snapshot to the node that asks, one on each node that has it, in any order."""
        there = {node: who for who, node in random.sample([*self._workers.items()], len(self._workers))}
        found = [there[node] for node in self._places.get(key, ()) if node != asking and node in there]
        return random.sample(found, len(found))

    def arrived(self, node: str, key: str, size: int, seconds: float) -> None:
        """A parcel was shipped to a node."""
        self.has(node, [key])
        self._shipped[node, key] += 1
        self._total.transfers += 1
        self._total.bytes += size
        self._total.seconds += seconds

    def report(self) -> tuple[Shipped, dict[tuple[str, str], int]]:
        """What was shipped in all, and how often each parcel went to each node."""
        return self._total, dict(self._shipped)


__all__ = ["Catalogue", "Entry", "Shipped"]
