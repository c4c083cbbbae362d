"""Finished attempts wait to be taken: order, room, cancelling, both kinds of waiting."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pytest_swegym.runs.inbox import Inbox


def put_all(inbox: Inbox[int], count: int, put: list[int]) -> threading.Thread:
    def work() -> None:
        for number in range(count):
            inbox.put(number)
            put.append(number)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_who_brings_one_too_many_waits_until_one_is_taken() -> None:
    inbox: Inbox[int] = Inbox(2)
    inbox.expect(6)
    put: list[int] = []
    thread = put_all(inbox, 6, put)
    taken = []
    for number in range(6):
        taken.append(inbox.get())
        assert len(put) <= number + 1 + 2 + 1  # taken, waiting, and the one whose bringer has just gone on
    thread.join(30)
    assert taken == list(range(6))
    assert inbox.get() is None


def test_get_waits_for_what_is_due_and_no_longer_than_asked() -> None:
    inbox: Inbox[int] = Inbox(1)
    assert inbox.get() is None
    inbox.expect()
    assert inbox.get(0.01) is None
    assert inbox.due == 1
    inbox.put(7)
    assert (inbox.get(), inbox.due) == (7, 0)


def test_called_off_ends_the_waiting() -> None:
    inbox: Inbox[int] = Inbox(1)
    inbox.expect()
    found: list[int | None] = [0]
    thread = threading.Thread(target=lambda: found.append(inbox.get()))
    thread.start()
    inbox.expect(-1)
    thread.join(30)
    assert found == [0, None]


def test_what_need_not_wait_does_not() -> None:
    inbox: Inbox[int] = Inbox(1)
    inbox.expect(3)
    for number in range(3):
        inbox.put(number, wait=False)
    assert [inbox.get() for _ in range(4)] == [0, 1, 2, None]


def test_closed_it_frees_who_waits_on_both_sides() -> None:
    inbox: Inbox[int] = Inbox(1)
    inbox.expect(5)
    put: list[int] = []
    thread = put_all(inbox, 5, put)
    inbox.close()
    thread.join(30)
    assert len(put) == 5
    assert (inbox.get(), inbox.due) == (None, 0)


def test_async_taking_loses_nothing_when_it_is_cancelled() -> None:
    async def main() -> list[int | None]:
        inbox: Inbox[int] = Inbox(2)
        inbox.expect(4)
        for _ in range(3):  # three that gave up
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(inbox.aget(), 0.01)
        thread = put_all(inbox, 4, [])
        found = [await inbox.aget() for _ in range(5)]
        thread.join(30)
        return found

    assert asyncio.run(main()) == [0, 1, 2, 3, None]


def test_several_tasks_share_what_comes() -> None:
    async def main() -> list[int]:
        inbox: Inbox[int] = Inbox(4)
        inbox.expect(40)
        found: list[int] = []

        async def take() -> None:
            while (number := await inbox.aget()) is not None:
                found.append(number)

        tasks = [asyncio.create_task(take()) for _ in range(3)]
        thread = put_all(inbox, 40, [])
        await asyncio.gather(*tasks)
        thread.join(30)
        return found

    assert sorted(asyncio.run(main())) == list(range(40))
