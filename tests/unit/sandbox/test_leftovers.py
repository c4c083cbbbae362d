"""What closed sandboxes left is removed once, by a thread or without one."""

from __future__ import annotations

import threading

import pytest

from pytest_swegym.sandbox.leftovers import Leftovers


def fail() -> None:
    raise OSError("busy")


def test_each_removal_is_done_once_and_one_that_fails_stops_none() -> None:
    leftovers, done = Leftovers(), list[int]()
    for number in range(600):
        leftovers.add(fail if number == 5 else lambda number=number: done.append(number))  # type: ignore[misc]
    leftovers.wait()
    assert done == [number for number in range(600) if number != 5]


def test_where_no_thread_can_be_started_it_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    leftovers, done = Leftovers(), list[str]()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        leftovers.add(lambda: done.append("now"))
        leftovers.add(fail)
        assert done == ["now"]
    leftovers.add(lambda: done.append("later"))
    leftovers.wait()
    assert done == ["now", "later"]
