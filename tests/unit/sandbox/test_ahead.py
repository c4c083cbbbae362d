"""The next thing is started ahead only for a habit, and never left over."""

from __future__ import annotations

import os
import time

import pytest

from pytest_swegym.sandbox import ahead
from pytest_swegym.sandbox.ahead import Ahead


class Things:
    """Numbered things that remember which were ended."""

    def __init__(self) -> None:
        self.made = 0
        self.ended: list[int] = []
        self.ahead = Ahead(self.ended.append)

    def make(self) -> int:
        self.made += 1
        return self.made

    def reset(self, kind: str = "a") -> int:
        """What a backend does when one is closed and the next is started."""
        self.ahead.ended(kind)
        taken = self.ahead.take(kind)
        thing = self.make() if taken is None else taken
        self.ahead.started(kind, self.make)
        return thing


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Things:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(ahead, "_SOON", 60.0)
    monkeypatch.setattr(ahead, "_KEPT", 60.0)
    return Things()


def test_one_reset_is_no_habit(things: Things) -> None:
    things.ahead.started("a", things.make)
    things.reset()
    things.ahead.discard()
    assert things.made == 1
    assert things.ended == []


def test_every_thing_of_a_habit_is_another_one_and_the_last_is_ended(things: Things) -> None:
    got = [things.reset() for _ in range(10)]
    assert len(set(got)) == 10
    things.ahead.discard()
    assert sorted([*got, *things.ended]) == list(range(1, things.made + 1))
    assert len(things.ended) == 1


def test_another_kind_gets_nothing_of_it(things: Things) -> None:
    for _ in range(3):
        things.reset("a")
    assert things.ahead.take("b") is None
    things.ahead.discard(lambda kind: kind == "b")
    assert things.ended == []
    assert things.ahead.take("a") is not None


def test_what_nobody_takes_is_ended(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_KEPT", 0.2)
    for _ in range(3):
        things.reset()
    deadline = time.monotonic() + 10
    while not things.ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(things.ended) == 1
    assert things.ahead.take("a") is None


def test_one_that_could_not_be_started_is_nobodys_error(things: Things) -> None:
    def fail() -> int:
        raise OSError("no room")

    for _ in range(3):
        things.ahead.ended("a")
        things.ahead.started("a", fail)
    assert things.ahead.take("a") is None


def test_one_processor_has_better_to_do(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert [things.reset() for _ in range(4)] == [1, 2, 3, 4]
