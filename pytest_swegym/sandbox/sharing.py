"""What a backend may offer besides: snapshots that go to other machines, and are not made there again."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Protocol
from typing import runtime_checkable

from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.task.spec import EnvironmentSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What one machine found out or made, and others need not again: facts, as JSON, and saved snapshots."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    snapshots: tuple[Snapshot, ...] = ()


class Sharing(Protocol):
    """How the machines of one run come by what one of them has made."""

    def once(self, name: str, make: Callable[[], Shared]) -> Shared:
        """What a machine made under that name, its snapshots brought here; if none did, ``make`` makes it here.

        Machines that ask meanwhile wait. What cannot be brought here is made here. Raises what ``make`` raises.
        """
        ...


@runtime_checkable
class Shipper(Protocol):
    """What a backend offers besides, so that a snapshot that one machine saved need not be made by another.

    ``sharing`` is asked for a snapshot before it is made, and told of it; ``None`` where there is one machine.
    """

    sharing: Sharing | None

    def platform(self, environment: EnvironmentSpec) -> str:
        """The same on all machines that can start each other's snapshots of that environment.

        Raises as :meth:`~pytest_swegym.sandbox.base.Backend.base`.
        """
        ...

    def kept(self) -> list[str]:
        """The keys of all saved snapshots."""
        ...

    def parcels(self, snapshot: Snapshot) -> list[str]:
        """What must be shipped of a saved snapshot, as keys of saved snapshots: its own last, after those below it."""
        ...

    def pack(self, key: str) -> Iterator[bytes]:
        """A saved snapshot, without those below it, in chunks of some MiB.

        Raises :class:`SandboxError` if there is none of that key, or if it rests on what only this machine has.
        """
        ...

    def unpack(self, key: str, chunks: Iterable[bytes]) -> Snapshot:
        """Keep what another machine packed under ``key``. Atomic, as :meth:`~pytest_swegym.sandbox.base.Backend.save`.

        Raises :class:`SandboxError` if it is no such thing, larger than 64 GiB, or cannot be started here.
        """
        ...
