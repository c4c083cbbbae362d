"""Who may begin: by what is measured, with fake readings."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.admission import Admission
from pytest_swegym.admission import Reading
from pytest_swegym.admission import Room
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SandboxClosed


MIB, GIB = 2**20, 2**30
#: A machine of 24 GiB keeps 1.2 of them free.
TOTAL = 24 * GIB


@dataclass
class Fake:
    """A machine that reads as it is told; its clock goes when it is told."""

    free: int = TOTAL
    disk: int = 100 * GIB
    some: float = 0.0
    full: float = 0.0
    cores: int = 2
    now: float = 0.0
    made_room: list[float] = field(default_factory=list)

    def read(self) -> Reading:
        disk = {"/cache": Room(free=self.disk, total=100 * GIB)}
        return Reading(memory=Room(free=self.free, total=TOTAL), some=self.some, full=self.full, disk=disk)

    def admission(self, **more: float) -> Admission:
        options = {"pause": 0.001, "patience": 0.0, **more}
        return Admission(self, clock=lambda: self.now, make_room=lambda: self.made_room.append(self.now), **options)  # type: ignore[arg-type]


def begin(admission: Admission) -> Callable[[], None] | None:
    """A place, if there is one now."""
    tries = iter([False, True])
    return admission.enter(lambda: next(tries))


def test_64_small_attempts_begin_at_once_on_24_gib() -> None:
    admission = Fake().admission()
    assert all(begin(admission) for _ in range(64))
    assert admission.running == 64


def test_as_many_begin_as_there_is_memory_for_before_any_was_measured() -> None:
    fake = Fake(free=3 * GIB)
    admission = fake.admission()
    places = [begin(admission) for _ in range(64)]
    # 3 GiB less the floor of 1.2 GiB, at 256 MiB each.
    assert sum(place is not None for place in places) == 7
    assert (
        "memory is short (3.0 GiB are free, and 1.2 GiB must stay so; an attempt takes 256 MiB)" in admission.why_not()
    )


def test_what_attempts_were_seen_to_take_counts_not_their_limits() -> None:
    fake = Fake(free=4 * GIB)
    admission = fake.admission()
    for _ in range(5):
        assert begin(admission) is not None
    fake.now, fake.free = 60.0, 4 * GIB - 5 * 400 * MIB  # they take 400 MiB each
    # 2.0 GiB less the floor of 1.2 GiB: two more of those.
    assert [begin(admission) is not None for _ in range(3)] == [True, True, False]
    assert "an attempt takes 400 MiB" in admission.why_not()


def test_one_may_always_run_and_the_others_begin_when_there_is_room_again() -> None:
    fake = Fake(free=0)
    admission = fake.admission()
    leave = begin(admission)
    assert leave is not None
    assert begin(admission) is None
    leave()
    leave()  # twice is once
    assert admission.running == 0
    assert begin(admission) is not None
    fake.free = TOTAL
    assert begin(admission) is not None


@pytest.mark.parametrize(("some", "full", "waits"), [(19.0, 4.0, False), (21.0, 0.0, True), (0.0, 6.0, True)])
def test_nothing_begins_while_processes_wait_for_memory(some: float, full: float, waits: bool) -> None:
    fake = Fake(some=some, full=full)
    admission = fake.admission()
    assert begin(admission) is not None
    assert (begin(admission) is None) == waits
    assert ("wait for memory" in admission.why_not()) == waits


def test_why_it_waits_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    fake = Fake(free=0)
    admission = fake.admission()
    with caplog.at_level(logging.INFO):
        begin(admission)
        for _ in range(5):
            assert begin(admission) is None
        fake.free = TOTAL
        begin(admission)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("memory is short (0 MiB are free")
    assert "the 1 that run go on" in said[0]
    assert said[1] == "attempts begin again"


def test_full_disk_is_emptied_by_the_budget_and_waited_for() -> None:
    fake = Fake(disk=10 * MIB)
    admission = fake.admission()
    assert begin(admission) is not None
    assert begin(admission) is None
    assert begin(admission) is None
    assert fake.made_room == [0.0]  # not at every look
    fake.now = 10.0
    assert "/cache is full (10 MiB are free, and 256 MiB must stay so)" in admission.why_not()
    assert fake.made_room == [0.0, 10.0]
    fake.disk = 10 * GIB
    assert begin(admission) is not None


def test_room_that_was_made_is_enough() -> None:
    fake = Fake(disk=10 * MIB)
    admission = fake.admission()
    admission.make_room = lambda: setattr(fake, "disk", GIB)
    admission.require_disk()
    assert fake.disk == GIB


def test_room_that_cannot_be_made_is_told_and_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise OSError("the daemon is gone")

    admission = Fake(disk=MIB).admission()
    admission.make_room = fail
    assert "/cache is full" in admission.why_not()
    assert "the daemon is gone" in caplog.text


def test_disk_that_stays_full_is_an_infra_error_that_names_the_folder() -> None:
    admission = Fake(disk=10 * MIB).admission()
    with pytest.raises(InfraError, match=r"/cache: the disk is full.*10 MiB are free.*free some space.*disk-budget"):
        admission.require_disk()


def test_others_that_run_are_waited_for_before_a_disk_is_called_full() -> None:
    fake = Fake()
    admission = fake.admission(patience=30.0)
    assert begin(admission) is not None
    assert begin(admission) is not None
    fake.disk = 0
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        fake.now += 6.0
        if looks == 3:
            fake.disk = GIB

    admission.make_room = look
    admission.require_disk()
    assert looks == 3
    fake.disk = 0
    with pytest.raises(InfraError, match="the disk is full"):
        admission.require_disk()


def test_closed_nothing_begins() -> None:
    admission = Fake().admission()
    with admission.place():
        assert admission.running == 1
        admission.close()
    assert admission.enter() is None
    with pytest.raises(SandboxClosed), admission.place():
        pass
    with pytest.raises(SandboxClosed), admission.turns.take():
        pass


@given(st.lists(st.tuples(st.booleans(), st.integers(0, TOTAL), st.integers(0, 20)), max_size=40))
def test_whatever_is_read_one_runs_and_nothing_is_lost(steps: list[tuple[bool, int, int]]) -> None:
    fake = Fake()
    admission = fake.admission()
    places: list[Callable[[], None]] = []
    for begins, free, seconds in steps:
        fake.free, fake.now = free, fake.now + seconds
        if begins:
            place = begin(admission)
            assert place is not None or places
            if place is not None:
                # None begins below the floor but the first.
                assert not places or free >= TOTAL // 20
                places.append(place)
        elif places:
            places.pop()()
        assert admission.running == len(places)
