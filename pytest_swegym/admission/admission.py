"""Who may begin, by what the machine has left; and who may compute, in turn."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_swegym.admission.machine import Machine
from pytest_swegym.admission.machine import Probe
from pytest_swegym.admission.machine import Reading
from pytest_swegym.admission.machine import Room
from pytest_swegym.admission.turns import Turns
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SandboxClosed


log = logging.getLogger("pytest_swegym.admission")

MIB, GIB = 2**20, 2**30
#: What stays free: a part of all there is, and at most so much.
MEMORY_PART, MEMORY_FLOOR = 20, 4 * GIB
DISK_PART, DISK_FLOOR = 20, 256 * MIB
#: Percent of the time that some, or all, processes may wait for memory.
SOME, FULL = 20.0, 5.0
#: What an attempt is reckoned to take: before any has shown it, and the least and the most of what they show.
FIRST, LEAST, MOST = 256 * MIB, 64 * MIB, 4 * GIB
#: Seconds until what an attempt takes is seen in a reading.
SETTLED = 10.0
#: Seconds between two looks, for which an attempt waits for room on a disk, and between two times that it is made.
PAUSE, PATIENCE, RELIEF = 0.25, 60.0, 5.0


class Admission:
    """Lets attempts begin while there is memory and disk for them, and compute in turn. Safe to use from many threads.

    An attempt holds a *place* from its beginning to its end. Its sandbox's limit is not what it takes: places are given
    by what ``probe`` reads and by what attempts have taken so far. What runs is never asked to give way, and one
    attempt may always run. ``turns`` are slots, as many as cores, for what computes: building, measuring, grading. An
    attempt that waits for a model has a place and no slot.

    ``make_room`` removes from a full disk what may go.
    """

    def __init__(
        self,
        probe: Probe | None = None,
        *,
        slots: int | None = None,
        make_room: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        pause: float = PAUSE,
        patience: float = PATIENCE,
    ) -> None:
        self._probe = probe or Machine()
        self.turns = Turns(slots or self._probe.cores)
        self.make_room = make_room
        self._clock, self._pause, self._patience = clock, pause, patience
        self._changed = threading.Condition()
        self._places: dict[int, float] = {}
        self._count = 0
        self._expected = float(FIRST)
        self._idle: int | None = None
        self._relief: float | None = None
        self._told = ""
        self._closed = False

    @property
    def running(self) -> int:
        """Attempts that hold a place."""
        return len(self._places)

    def enter(self, stopped: Callable[[], bool] = lambda: False) -> Callable[[], None] | None:
        """Wait for a place, which the returned function gives back; ``None`` if ``stopped`` says so before.

        Why it waits is told once.
        """
        while not (stopped() or self._closed):
            reason = self.why_not()
            with self._changed:
                if not reason or not self._places:
                    self._tell("")
                    return self._given()
                self._tell(reason)
                self._changed.wait(self._pause)
        return None

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for as long as the block runs. Raises :class:`SandboxClosed` if the run is over."""
        leave = self.enter()
        if leave is None:
            raise SandboxClosed("the run has ended")
        try:
            yield
        finally:
            leave()

    def why_not(self) -> str:
        """Why no attempt may begin now, in words; empty if one may."""
        reading, folder = self._relieved()
        if folder:
            return f"{folder} is full ({_told(reading.disk[folder], _disk_floor)})"
        return self._short_of_memory(reading)

    def require_disk(self) -> None:
        """Wait for room on the disks, while others that run may leave some.

        Raises :class:`InfraError`, which names the folder, if there comes none.
        """
        until = self._clock() + self._patience
        while True:
            reading, folder = self._relieved()
            if not folder:
                return
            with self._changed:
                if self._closed or len(self._places) < 2 or self._clock() >= until:
                    raise InfraError(
                        f"{folder}: the disk is full ({_told(reading.disk[folder], _disk_floor)}): free some space, or"
                        " let --swegym-disk-budget remove what was not used for longest"
                    )
                self._changed.wait(self._pause)

    def _relieved(self) -> tuple[Reading, str]:
        """How the machine stands, and a folder that is full though room was made: that takes a while, so not always."""
        reading = self._probe.read()
        folder = _full_disk(reading)
        now = self._clock()
        if not folder or (self._relief is not None and now - self._relief < RELIEF):
            return reading, folder
        self._relief = now
        try:
            self.make_room()
        except (InfraError, OSError) as error:
            log.warning("no room could be made on the disk: %s", error)
        reading = self._probe.read()
        return reading, _full_disk(reading)

    def close(self) -> None:
        """Nothing begins or computes any more; who waits is told."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.turns.close()

    def _given(self) -> Callable[[], None]:
        self._count += 1
        number = self._count
        self._places[number] = self._clock()

        def leave() -> None:
            with self._changed:
                self._places.pop(number, None)
                self._changed.notify_all()

        return leave

    def _short_of_memory(self, reading: Reading) -> str:
        memory, floor = reading.memory, _memory_floor(reading.memory)
        with self._changed:
            now = self._clock()
            fresh = sum(now - since < SETTLED for since in self._places.values())
            settled = len(self._places) - fresh
            if not self._places or self._idle is None:
                self._idle = memory.free
            elif settled:
                taken = (self._idle - memory.free) / settled
                self._expected = min(max(taken, LEAST), MOST)
            wanted = self._expected * (fresh + 1)
        if reading.some > SOME or reading.full > FULL:
            return f"processes wait for memory ({reading.some:.0f}% of the time, {reading.full:.0f}% all of them)"
        if memory.free - wanted < floor:
            return f"memory is short ({_told(memory, _memory_floor)}; an attempt takes {_shown(self._expected)})"
        return ""

    def _tell(self, reason: str) -> None:
        """Once for each time that it begins to wait; the numbers change all the time."""
        if reason and not self._told:
            log.info("%s: no attempt begins for now, the %d that run go on", reason, len(self._places))
        elif not reason and self._told:
            log.info("attempts begin again")
        self._told = reason


def _memory_floor(room: Room) -> int:
    return min(room.total // MEMORY_PART, MEMORY_FLOOR)


def _disk_floor(room: Room) -> int:
    return min(room.total // DISK_PART, DISK_FLOOR)


def _full_disk(reading: Reading) -> str:
    """The folder with less room than must stay; empty if there is none."""
    return next((folder for folder, room in reading.disk.items() if room.free < _disk_floor(room)), "")


def _told(room: Room, floor: Callable[[Room], int]) -> str:
    return f"{_shown(room.free)} are free, and {_shown(floor(room))} must stay so"


def _shown(size: float) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"


__all__ = ["Admission"]
