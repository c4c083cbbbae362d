"""What waits: the highest priority first, of equals the oldest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.runs.queue import Queue


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 1.0, 2.5]), st.booleans())))
def test_order_is_that_of_a_stable_sort(steps: list[tuple[str, float, bool]]) -> None:
    queue: Queue[str] = Queue()
    waiting: list[tuple[float, str]] = []
    for key, priority, puts in steps:
        known = any(key == each for _, each in waiting)
        if puts and known:
            with pytest.raises(KeyError):
                queue.put(key, key.upper(), priority)
        elif puts:
            queue.put(key, key.upper(), priority)
            waiting.append((priority, key))
        else:
            assert queue.take(key) == (key.upper() if known else None)
            waiting = [each for each in waiting if each[1] != key]
        expected = [key for _, key in sorted(waiting, key=lambda each: -each[0])]
        assert list(queue.upcoming()) == [key.upper() for key in expected]
        assert len(queue) == len(expected)
    assert [queue.pop() for _ in expected_of(waiting)] == [(key, key.upper()) for key in expected_of(waiting)]
    assert queue.pop() is None


def expected_of(waiting: list[tuple[float, str]]) -> list[str]:
    return [key for _, key in sorted(waiting, key=lambda each: -each[0])]


def test_cleared_it_has_nothing() -> None:
    queue: Queue[int] = Queue()
    queue.put("a", 1)
    queue.clear()
    assert (len(queue), queue.pop(), list(queue.upcoming())) == (0, None, [])
