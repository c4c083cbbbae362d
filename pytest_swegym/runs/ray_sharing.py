"""Snapshots on their way between the machines of a cluster: made once, shipped once to each node that needs them."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from typing import Protocol

from pytest_swegym._support.locks import key_lock
from pytest_swegym._support.paths import replacing
from pytest_swegym._support.paths import write_atomic
from pytest_swegym.errors import SandboxError
from pytest_swegym.runs.ray_catalogue import Entry
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.sharing import Shared
from pytest_swegym.sandbox.sharing import Shipper


log = logging.getLogger("pytest_swegym.runs")
#: Seconds between two looks whether what another node makes is made; they grow up to the second number.
_SOON, _LATER = 0.05, 1.0
_CHUNK = 4 * 2**20


class Place(Protocol):
    """Where snapshots can be had: another node, or a folder that all see."""

    def parcels(self, key: str) -> list[str]:
        """What must be brought of a snapshot; empty if it is not there."""
        ...

    def chunks(self, key: str) -> Iterator[bytes]:
        """One parcel. Raises :class:`SandboxError`."""
        ...


class SharedFolder:
    """A folder that all machines see: whatever one of them makes is put there."""

    def __init__(self, folder: Path, backend: str) -> None:
        self._folder = folder / backend

    def parcels(self, key: str) -> list[str]:
        with suppress(OSError, ValueError):
            found = json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))
            return [str(each) for each in found] if isinstance(found, list) else []
        return []

    def chunks(self, key: str) -> Iterator[bytes]:
        try:
            with (self._folder / f"{key}.parcel").open("rb") as file:
                while data := file.read(_CHUNK):
                    yield data
        except OSError as error:
            raise SandboxError(f"the shared folder does not give snapshot {key}: {error}") from error

    def put(self, key: str, parcels: Iterable[str], pack: Callable[[str], Iterator[bytes]]) -> None:
        """Keep a snapshot there. The list of its parcels comes last: without it there is nothing."""
        if self.parcels(key):
            return
        parcels = list(parcels)
        for each in parcels:
            path = self._folder / f"{each}.parcel"
            if not path.exists():
                with replacing(path) as temporary, temporary.open("wb") as file:
                    for data in pack(each):
                        file.write(data)
        write_atomic(self._folder / f"{key}.json", json.dumps(parcels))


class NodeSharing:
    """What a worker on one node asks before it makes something; see :class:`~pytest_swegym.sandbox.base.Sharing`.

    ``ask`` calls a method of the catalogue, ``place_of`` gives the place that a worker on another node is.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        node: str,
        who: str,
        ask: Callable[..., Any],
        place_of: Callable[[str], Place],
        folder: SharedFolder | None = None,
    ) -> None:
        self._backend, self._node, self._who = backend, node, who
        self._ask, self._place_of, self._folder = ask, place_of, folder

    def once(self, name: str, make: Callable[[], Shared]) -> Shared:
        """What a node made under that name, brought here; else ``make`` makes it."""
        pause, token = _SOON, f"{self._who}/{secrets.token_hex(4)}"
        while True:
            claimed = self._ask("claim", name, token)
            if isinstance(claimed, Entry):
                snapshots = [self._here(key) or self._brought(key) for key in claimed.keys]
                found = tuple(each for each in snapshots if each is not None)
                if len(found) == len(claimed.keys):
                    return Shared(facts=claimed.facts, snapshots=found)
                return self._made(name, token, make)  # it is there, and cannot come here
            if claimed:
                return self._made(name, token, make)
            time.sleep(pause)
            pause = min(2 * pause, _LATER)

    def _made(self, name: str, token: str, make: Callable[[], Shared]) -> Shared:
        key = name.removeprefix("snapshot-")
        try:
            kept = self._brought(key) if key != name and self._folder is not None else None
            shared = Shared(snapshots=(kept,)) if kept is not None else make()
            parcels = [self._told(snapshot) for snapshot in shared.snapshots]
        except BaseException:
            self._ask("abandon", name, token)
            raise
        if all(parcels):
            entry = Entry(facts=shared.facts, keys=tuple(each.key for each in shared.snapshots))
            self._ask("made", name, entry, self._node, [key for each in parcels for key in each])
        else:
            self._ask("abandon", name, token)
        return shared

    def _told(self, snapshot: Snapshot) -> list[str]:
        """The parcels of a snapshot; none if it cannot leave this machine."""
        backend = self._shipper()
        try:
            parcels = backend.parcels(snapshot)
        except SandboxError as error:
            log.warning("other machines have to make snapshot %s themselves: %s", snapshot.key, error)
            return []
        try:
            if self._folder is not None:
                self._folder.put(snapshot.key, parcels, backend.pack)
        except (SandboxError, OSError) as error:
            log.warning("snapshot %s is not in the shared folder, but goes from node to node: %s", snapshot.key, error)
        return parcels or [snapshot.key]

    def _here(self, key: str) -> Snapshot | None:
        return self._backend.find(key)

    def _brought(self, key: str) -> Snapshot | None:
        """The snapshot, brought from where it is; ``None`` if it cannot be."""
        found = [self._place_of(who) for who in self._ask("places", key, self._node)]
        for place in [*([self._folder] if self._folder is not None else []), *found]:
            try:
                parcels = place.parcels(key)
                for parcel in parcels:
                    self._bring(parcel, place)
            except SandboxError as error:
                log.warning("%s", error)
                continue
            if parcels and (snapshot := self._here(key)) is not None:
                return snapshot
        return None

    def _bring(self, key: str, place: Place) -> None:
        """One parcel, by one process of this machine; others that want it wait."""
        if self._here(key) is not None:
            return
        with key_lock(f"ship-{self._backend.name}-{key}"):
            if self._here(key) is not None:
                return
            size, started = 0, time.monotonic()

            def counted() -> Iterator[bytes]:
                nonlocal size
                for data in place.chunks(key):
                    size += len(data)
                    yield data

            self._shipper().unpack(key, counted())
            seconds = time.monotonic() - started
            log.info("snapshot %s came to this machine: %.1f MiB in %.1f s", key, size / 2**20, seconds)
            self._ask("arrived", self._node, key, size, seconds)

    def _shipper(self) -> Shipper:
        if not isinstance(self._backend, Shipper):
            raise SandboxError(f"the sandboxes of {self._backend.name} cannot be shipped")
        return self._backend


__all__ = ["NodeSharing", "Place", "SharedFolder"]
