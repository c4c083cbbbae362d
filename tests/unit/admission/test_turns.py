"""Slots: so many at a time, in the order in which they were asked for."""

from __future__ import annotations

import threading
import time

import pytest

from pytest_swegym.admission import Turns
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox.scope import Scope


def asking(turns: Turns, number: int, order: list[int], scope: Scope | None = None) -> threading.Thread:
    """A thread that waits for its turn; it is waiting when this returns."""

    def work() -> None:
        try:
            with turns.take(scope):
                order.append(number)
        except SandboxClosed:
            order.append(-number)

    before = len(turns._waiting)
    thread = threading.Thread(target=work)
    thread.start()
    while len(turns._waiting) == before and thread.is_alive():
        time.sleep(0.001)
    return thread


def test_who_asked_first_is_first() -> None:
    turns, order = Turns(1), list[int]()
    with turns.take():
        threads = [asking(turns, number, order) for number in range(1, 9)]
        assert order == []
    for thread in threads:
        thread.join(30)
    assert order == list(range(1, 9))
    assert turns.given == 9
    assert 0 < turns.longest <= turns.waited


def test_at_most_so_many_at_a_time() -> None:
    turns, lock = Turns(3), threading.Lock()
    at_work = most = 0

    def work() -> None:
        nonlocal at_work, most
        for _ in range(20):
            with turns.take():
                with lock:
                    at_work += 1
                    most = max(most, at_work)
                time.sleep(0.0005)
                with lock:
                    at_work -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == 3
    assert turns.given == 160


def test_cancelled_one_leaves_the_line() -> None:
    turns, order, scope = Turns(1), list[int](), Scope()
    with turns.take():
        threads = [asking(turns, 1, order, scope), asking(turns, 2, order)]
        scope.close()
        threads[0].join(30)
        assert order == [-1]
    threads[1].join(30)
    assert order == [-1, 2]
    with pytest.raises(SandboxClosed), turns.take(), turns.take(scope):
        pass
    with turns.take():  # and its slot was given back
        pass


def test_closed_nobody_gets_one() -> None:
    turns, order = Turns(1), list[int]()
    with turns.take():
        threads = [asking(turns, number, order) for number in (1, 2)]
        turns.close()
        for thread in threads:
            thread.join(30)
    assert sorted(order) == [-2, -1]
    with pytest.raises(SandboxClosed), turns.take():
        pass


def test_spare_ones_are_those_that_nobody_waits_for() -> None:
    turns, order = Turns(4), list[int]()
    with turns.take(), turns.spare(8) as extra:
        assert extra == 3
        thread = asking(turns, 1, order)
        with turns.spare(1) as none:
            assert none == 0
    thread.join(30)
    assert order == [1]
    with turns.spare(2) as extra:
        assert extra == 2


def test_slot_of_who_waits_for_a_model_is_for_others_meanwhile() -> None:
    turns, order = Turns(1), list[int]()

    def ask(question: str) -> str:
        asking(turns, 1, order).join(30)
        return question.upper()

    with turns.take():
        assert turns.lent(ask)("why") == "WHY"
        assert order == [1]
        with turns.spare(1) as none:
            assert none == 0
    with turns.spare(5) as all_of_it:
        assert all_of_it == 1


def test_slot_that_cannot_be_had_back_is_not_given_back_twice() -> None:
    turns = Turns(1)
    with pytest.raises(SandboxClosed), turns.take():
        turns.lent(turns.close)()
    assert turns._free == 1
