"""How many containers are kept ready."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.sandbox.docker_demand import IDLE
from pytest_swegym.sandbox.docker_demand import MAKING
from pytest_swegym.sandbox.docker_demand import MEMORY
from pytest_swegym.sandbox.docker_demand import Demand


MOST = 6


def asked(*times: float) -> Demand:
    demand = Demand(MOST)
    for each in times:
        demand.note(each)
    return demand


def test_nothing_is_kept_before_the_first_demand() -> None:
    assert Demand(MOST).depth(0.0) == 0


def test_an_episode_now_and_then_keeps_one() -> None:
    assert asked(0.0, 10.0, 20.0).depth(21.0) == 1


def test_a_burst_is_expected_again_for_a_while() -> None:
    demand = asked(0.0, 0.1, 0.2, 0.3)
    assert [demand.depth(now) for now in (0.4, MEMORY - 1, MEMORY + 1, IDLE - 1, IDLE + 1)] == [4, 4, 1, 1, 0]


def test_no_more_than_the_most() -> None:
    assert asked(*(n / 100 for n in range(50))).depth(1.0) == MOST


@given(steps=st.lists(st.floats(0.01, 40.0), min_size=1, max_size=40), later=st.floats(0.0, 400.0))
def test_depth_is_the_largest_number_within_the_time_of_a_making(steps: list[float], later: float) -> None:
    times = [sum(steps[: n + 1]) for n in range(len(steps))]
    demand, now = Demand(MOST), times[-1] + later
    for each in times:
        demand.note(each)
        demand.depth(each)  # a look changes nothing
    counts = [sum(t - MAKING < each <= t for each in times) for t in times if now - t < MEMORY]
    expected = 0 if later >= IDLE else min(MOST, max([1, *counts]))
    assert demand.depth(now) == expected
