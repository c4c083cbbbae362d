"""Intervals and the paired test, against what enumeration says."""

from __future__ import annotations

import itertools
from math import comb
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from pytest_swegym.results.statistics import Pair
from pytest_swegym.results.statistics import bootstrap_rate
from pytest_swegym.results.statistics import paired_test
from pytest_swegym.results.statistics import pass_at_k
from pytest_swegym.results.statistics import wilson


def pair(before: tuple[int, int], after: tuple[int, int]) -> Pair:
    return Pair(resolved_before=before[0], graded_before=before[1], resolved_after=after[0], graded_after=after[1])


@st.composite
def pairs(draw: st.DrawFn, attempts: int = 3, instances: int = 4) -> list[Pair]:
    found = []
    for _ in range(draw(st.integers(1, instances))):
        before, after = draw(st.integers(1, attempts)), draw(st.integers(1, attempts))
        found.append(pair((draw(st.integers(0, before)), before), (draw(st.integers(0, after)), after)))
    return found


def by_enumeration(found: list[Pair]) -> tuple[float, float]:
    """One-sided and two-sided p: every way to deal each instance's results out to the two runs, counted."""
    ways: dict[int, int] = {0: 1}
    for p in found:
        results = [1] * (p.resolved_before + p.resolved_after)
        results += [0] * (p.graded_before + p.graded_after - len(results))
        dealt = [
            sum(results[i] for i in chosen) for chosen in itertools.combinations(range(len(results)), p.graded_after)
        ]
        added: dict[int, int] = {}
        for total, count in ways.items():
            for each in dealt:
                added[total + each] = added.get(total + each, 0) + count
        ways = added
    seen, everything = sum(p.resolved_after for p in found), sum(ways.values())
    below = sum(count for total, count in ways.items() if total <= seen)
    unlikely = sum(count for count in ways.values() if count <= ways[seen])
    return below / everything, unlikely / everything


@given(pairs())
@settings(max_examples=60)
def test_paired_test_is_what_enumeration_says(found: list[Pair]) -> None:
    test = paired_test(found)
    assert (test.p_loss, test.p_two_sided) == pytest.approx(by_enumeration(found))
    assert test.instances == len(found)
    assert test.difference == pytest.approx(sum(p.difference for p in found) / len(found))


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5), st.integers(0, 5))
def test_one_attempt_each_is_mcnemars_exact_test(lost: int, gained: int, both: int, none: int) -> None:
    found = (
        [pair((1, 1), (0, 1))] * lost
        + [pair((0, 1), (1, 1))] * gained
        + [pair((1, 1), (1, 1))] * both
        + [pair((0, 1), (0, 1))] * none
    )
    if not found:
        with pytest.raises(ValueError, match="no instance"):
            paired_test(found)
        return
    changed = lost + gained
    one_sided = sum(comb(changed, k) for k in range(gained + 1)) / 2**changed
    two_sided = min(1.0, 2 * sum(comb(changed, k) for k in range(min(lost, gained) + 1)) / 2**changed)
    test = paired_test(found)
    assert (test.p_loss, test.p_two_sided) == pytest.approx((one_sided, two_sided))


@given(pairs(attempts=5, instances=20))
@settings(max_examples=25)
def test_turning_the_runs_round_turns_the_result_round(found: list[Pair]) -> None:
    turned = [pair((p.resolved_after, p.graded_after), (p.resolved_before, p.graded_before)) for p in found]
    there, back = paired_test(found), paired_test(turned)
    assert there.p_two_sided == pytest.approx(back.p_two_sided)
    assert there.difference == pytest.approx(-back.difference)
    # Both tails hold the result itself.
    assert there.p_loss + back.p_loss >= 1 - 1e-9


def test_many_instances_of_many_attempts() -> None:
    same = paired_test([pair((4, 8), (4, 8))] * 500)
    assert same.p_two_sided == pytest.approx(1.0)
    assert same.interval == (0.0, 0.0)
    worse = paired_test([pair((5, 8), (4, 8))] * 500)
    assert worse.p_loss < 1e-6
    assert worse.difference == pytest.approx(-1 / 8)


def test_one_instance_has_no_interval() -> None:
    assert paired_test([pair((1, 1), (0, 1))]).interval is None
    assert bootstrap_rate([(1, 1)]) is None


def test_interval_of_the_difference_holds_it() -> None:
    found = [pair((1, 1), (0, 1))] * 6 + [pair((0, 1), (1, 1))] * 2 + [pair((1, 1), (1, 1))] * 12
    test = paired_test(found)
    assert test.interval is not None
    assert test.interval[0] < test.difference < test.interval[1]
    assert paired_test(found) == test, "the same results give the same interval"


@given(st.integers(1, 300), st.data())
def test_wilson_is_its_formula(graded: int, data: st.DataObject) -> None:
    resolved = data.draw(st.integers(0, graded))
    z, rate = 1.959963984540054, resolved / graded
    middle = (rate + z * z / (2 * graded)) / (1 + z * z / graded)
    half = z / (1 + z * z / graded) * sqrt(rate * (1 - rate) / graded + z * z / (4 * graded * graded))
    assert wilson(resolved, graded) == pytest.approx((max(0, middle - half), min(1, middle + half)), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 4), st.just(4)), min_size=2, max_size=8))
@settings(max_examples=20)
def test_bootstrap_holds_the_rate(counts: list[tuple[int, int]]) -> None:
    found = bootstrap_rate(counts)
    if len(set(counts)) == 1:
        assert found is None, "an interval without any width says too much"
        return
    assert found is not None
    assert 0 <= found[0] <= sum(r for r, _ in counts) / (4 * len(counts)) <= found[1] <= 1


def test_bootstrap_of_two_instances_is_what_enumeration_says() -> None:
    # Drawn with return from (0 of 1) and (1 of 1): rates 0, 1/2, 1 with 1/4, 1/2, 1/4.
    assert bootstrap_rate([(0, 1), (1, 1)]) == (0.0, 1.0)


def test_bootstrap_resamples_whole_instances() -> None:
    """Ten attempts at each of ten instances that always go the same way tell as much as one attempt each."""
    many, one = bootstrap_rate([(10, 10), (0, 10)] * 5), bootstrap_rate([(1, 1), (0, 1)] * 5)
    assert many == one
    independent = wilson(50, 100)
    assert many is not None
    assert many[1] - many[0] > 1.5 * (independent[1] - independent[0])


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 7))
def test_pass_at_k_is_the_mean_over_all_draws(results: list[bool], k: int) -> None:
    if k > len(results):
        with pytest.raises(ValueError, match=f"no pass@{k}"):
            pass_at_k(len(results), sum(results), k)
        return
    draws = [any(draw) for draw in itertools.combinations(results, k)]
    assert pass_at_k(len(results), sum(results), k) == pytest.approx(sum(draws) / len(draws))
