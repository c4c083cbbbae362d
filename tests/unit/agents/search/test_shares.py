"""Time and budgets of a search: fairly shared, never more than there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.search.shares import Share
from pytest_swegym.agents.search.shares import Shares
from pytest_swegym.errors import BudgetSpent
from pytest_swegym.task.usage import Usage


@given(
    st.integers(1, 50),
    st.integers(1, 8),
    st.integers(1, 4),
    st.lists(st.floats(0, 1), min_size=8, max_size=8),
)
def test_requests_of_all_candidates_never_exceed_the_budget(
    budget: int, planned: int, parallel: int, used: list[float]
) -> None:
    shares = Shares(AgentConfig(max_requests=budget), seconds=1000, planned=planned, parallel=parallel)
    running = []
    for part in used[:planned]:
        share = shares.take()
        if share is None:
            assert shares.spent == "requests"
            break
        assert share.config.max_requests >= 1
        running.append((share, part))
        if len(running) == parallel:
            for each, how_much in running:
                shares.give_back(each, Usage(requests=int(each.config.max_requests * how_much)))
            running.clear()
        promised = sum(each.config.max_requests for each, _ in running)
        assert shares.usage.requests + promised <= budget


def test_what_one_leaves_over_is_for_the_others() -> None:
    shares = Shares(AgentConfig(max_cost=4.0, max_tokens=400), seconds=1000, planned=4)
    first = shares.take()
    assert first is not None
    assert (first.config.max_cost, first.config.max_tokens) == (1.0, 100)
    shares.give_back(first, Usage(cost=0.25, prompt_tokens=40))
    second = shares.take()
    assert second is not None
    assert (second.config.max_cost, second.config.max_tokens) == (1.25, 120)


class Clock:
    """A time that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def seconds(share: Share | None) -> float:
    assert share is not None
    return share.seconds


def test_candidates_that_run_at_once_have_the_same_time() -> None:
    clock = Clock()
    shares = Shares(AgentConfig(), seconds=110, planned=4, parallel=2, clock=clock)
    assert [seconds(shares.take()), seconds(shares.take())] == [50.0, 50.0]
    clock.now = 20.0
    assert [seconds(shares.take()), seconds(shares.take())] == [80.0, 80.0]


def test_time_that_is_needed_to_look_at_candidates_is_kept() -> None:
    shares = Shares(AgentConfig(max_seconds=60), seconds=1000, planned=2, clock=Clock())
    shares.looked(20.0)
    assert seconds(shares.take()) == 10.0


def test_the_first_always_begins_and_without_time_no_other() -> None:
    clock = Clock()
    shares = Shares(AgentConfig(), seconds=1.0, planned=3, clock=clock)
    shares.looked(5.0)
    assert seconds(shares.take()) == 0.45
    clock.now = 0.4
    assert shares.take() is None
    assert shares.spent == "seconds"


def test_nothing_is_left_for_a_judge_when_the_budget_is_used_up() -> None:
    shares = Shares(AgentConfig(max_requests=3), seconds=100, planned=1)
    assert shares.rest().max_requests == 3
    shares.spend(Usage(requests=3))
    with pytest.raises(BudgetSpent, match="requests"):
        shares.rest()
    assert shares.take() is None
