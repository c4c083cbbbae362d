"""Sandboxes that are made ready before they are asked for."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.spares import Spares


class Small:
    """As much of a sandbox as is looked at."""

    def __init__(self, how: str) -> None:
        self.how, self.closed = how, False

    def close(self) -> None:
        self.closed = True


class Bench:
    """Spares, and every sandbox that was made: when it was asked for, or ahead."""

    def __init__(self, most: int = 4) -> None:
        self.spares = Spares(most)
        self.made: list[Small] = []

    def make(self, how: str) -> Sandbox:
        self.made.append(Small(how))
        return cast("Sandbox", self.made[-1])

    def take(self, key: str) -> Small:
        sandbox = self.spares.take(key, lambda: self.make("now"), lambda: self.make("ahead"))
        self.spares.settle()
        return cast("Small", sandbox)


def test_what_is_asked_for_once_is_not_made_ahead() -> None:
    bench = Bench()
    assert [bench.take(key).how for key in "abc"] == ["now"] * 3
    assert (len(bench.made), bench.spares.waiting()) == (3, 0)


def test_what_is_asked_for_again_is_there_and_handed_out_once() -> None:
    bench = Bench()
    taken = [bench.take("a") for _ in range(5)]
    assert [each.how for each in taken] == ["now", "now", "ahead", "ahead", "ahead"]
    assert len(set(map(id, taken))) == 5
    assert not any(each.closed for each in bench.made)
    assert bench.spares.waiting() == 1
    assert bench.take("b").how == "now"
    assert bench.spares.found == 3


def test_only_a_few_wait_and_the_oldest_goes() -> None:
    bench = Bench(most=2)
    for key in "aabbcc":
        bench.take(key)
    assert bench.spares.waiting() == 2
    assert [each.closed for each in bench.made if each.how == "ahead"] == [True, False, False]
    assert [bench.take(key).how for key in "ac"] == ["now", "ahead"]


def test_none_is_left_when_it_is_closed() -> None:
    bench = Bench()
    taken = [bench.take("a"), bench.take("a")]
    bench.spares.close()
    bench.spares.close()
    assert [each.closed for each in bench.made if each.how == "ahead"] == [True]
    assert not any(each.closed for each in taken)
    assert bench.take("a").how == "now"
    assert (len(bench.made), bench.spares.waiting()) == (4, 0)


def test_one_that_comes_up_too_late_is_closed() -> None:
    bench, gate = Bench(), threading.Event()

    def slow() -> Sandbox:
        gate.wait(30)
        return bench.make("ahead")

    for _ in range(2):
        bench.spares.take("a", lambda: bench.make("now"), slow)
    threading.Timer(0.05, gate.set).start()
    bench.spares.close()
    assert [each.closed for each in bench.made if each.how == "ahead"] == [True]


def test_who_asks_is_not_told_of_a_failure_ahead() -> None:
    bench = Bench()

    def fail() -> Sandbox:
        raise SandboxError("no room")

    for _ in range(3):
        bench.spares.take("a", lambda: bench.make("now"), fail)
        bench.spares.settle()
    assert (len(bench.made), bench.spares.waiting()) == (3, 0)
    with pytest.raises(SandboxError, match="no room"):
        bench.spares.take("a", fail, lambda: bench.make("ahead"))
    bench.spares.close()
