"""Which candidate is chosen, by what, and what is said where that could not be gone by."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.search.candidate import Candidate
from pytest_swegym.agents.search.candidate import Seen
from pytest_swegym.agents.search.choose import choose
from pytest_swegym.agents.search.choose import same
from pytest_swegym.agents.search.judge import read_number
from pytest_swegym.errors import ModelUnavailable
from pytest_swegym.errors import SolverError


def patch(*lines: str, name: str = "a.py", at: int = 1, below: str = "def f():") -> str:
    header = f"diff --git a/{name} b/{name}\nindex {at:07x}..1 100644\n--- a/{name}\n+++ b/{name}\n"
    return "\n".join([f"{header}@@ -{at} +{at} @@", f" {below}", *lines, ""])


def made(number: int, text: str = "", *, rank: tuple[float, ...] | None = None, error: bool = False) -> Candidate:
    seen = None if rank is None else Seen(score=rank[-1], rank=rank)
    failed = SolverError("no idea") if error else None
    return Candidate(number=number, seed=number, patch=text, changed=bool(text.strip()), seen=seen, error=failed)


ONE, OTHER = patch("-x", "+y"), patch("-x", "+z")


def test_the_largest_group_wins_the_vote_then_the_smallest_patch_then_the_first() -> None:
    found = choose([made(0, ONE), made(1, OTHER), made(2, OTHER + "\n\n"), made(3, OTHER)], "vote")
    assert found.candidate is not None
    assert (found.candidate.number, found.by) == (1, "vote")
    found = choose([made(0, patch("-x", "+longer")), made(1, ONE), made(2, OTHER)], "vote")
    assert found.candidate is not None
    assert found.candidate.number == 1


def test_breaking_nothing_comes_before_mending_much() -> None:
    found = choose([made(0, ONE, rank=(-1, 5)), made(1, OTHER, rank=(0, 0)), made(2, ONE)], "tests")
    assert found.candidate is not None
    assert found.candidate.number == 1


def test_a_tie_is_voted_on_by_all() -> None:
    given = [made(0, ONE, rank=(0, 1)), made(1, OTHER, rank=(0, 1)), made(2, OTHER, rank=(-1, 0))]
    found = choose(given, "tests")
    assert found.candidate is not None
    assert found.candidate.number == 1


@given(
    st.lists(st.tuples(st.sampled_from(["", "\n", ONE, OTHER]), st.floats(-1, 1), st.booleans()), max_size=6),
    st.sampled_from(["tests", "vote", "model", "graded"]),
)
def test_an_empty_or_failed_candidate_never_wins(given_ones: list[tuple[str, float, bool]], select: str) -> None:
    candidates = [
        made(number, text, rank=(rank,), error=error) for number, (text, rank, error) in enumerate(given_ones)
    ]
    chosen = choose(candidates, select, judge=lambda patches: 1).candidate
    assert (chosen is not None) == any(each.real for each in candidates)
    if chosen is not None:
        assert chosen.real
        assert select != "graded" or chosen.seen == max(
            (each.seen for each in candidates if each.real and each.seen), key=lambda seen: seen.rank
        )


def test_a_judge_sees_each_patch_once_and_its_number_counts() -> None:
    shown: list[Sequence[str]] = []

    def judge(patches: Sequence[str]) -> int:
        shown.append(patches)
        return 2

    found = choose([made(0, ONE), made(1, ONE), made(2, OTHER)], "model", judge=judge)
    assert found.candidate is not None
    assert (found.candidate.number, found.by, shown) == (2, "model", [[ONE, OTHER]])
    assert "no model was asked" in choose([made(0, ONE), made(1, ONE)], "model", judge=judge).note
    assert len(shown) == 1


@pytest.mark.parametrize("error", [ValueError("ends with 'perhaps'"), ModelUnavailable("no server")])
def test_a_judge_of_no_use_leaves_it_to_the_vote_and_that_is_told(error: Exception) -> None:
    def judge(patches: Sequence[str]) -> int:
        raise error

    found = choose([made(0, ONE), made(1, OTHER), made(2, OTHER)], "model", judge=judge)
    assert found.candidate is not None
    assert (found.candidate.number, found.by, found.note) == (1, "vote", f"not by the model: {error}")


def test_tests_that_cannot_be_gone_by_leave_it_to_the_vote() -> None:
    found = choose([made(0, ONE), made(1, OTHER)], "tests", problem="there are no tests that can be seen")
    assert (found.by, found.note) == ("vote", "there are no tests that can be seen")


@pytest.mark.parametrize(
    "other",
    [
        patch("-x", "+y  "),
        patch("-x", "+", "+y", "+"),
        patch("-x", "+y", at=7),
        patch("-x", "+y", "", " more", "-", "+"),
    ],
)
def test_blank_lines_and_places_make_no_other_patch(other: str) -> None:
    assert same(made(0, ONE)) == same(made(1, other))


@pytest.mark.parametrize(
    "other",
    [
        patch("-x", "+  y"),
        patch("-x", "+y", name="b.py"),
        patch("+x", "-y"),
        patch("-x", "+y", below="def g():"),
        ONE + ONE,
    ],
)
def test_all_else_does(other: str) -> None:
    assert same(made(0, ONE)) != same(made(1, other))


def test_the_number_stands_alone_in_the_last_line_of_a_reply() -> None:
    assert read_number("Patch 1 breaks 3 tests.\n**2**\n", 2) == 2
    assert read_number("Patch 2.", 2) == 2
    for reply in ("", "1 or 2", "3", "0", "the first", "2\nI think", "99999999999999999999"):
        with pytest.raises(ValueError, match="not with a number from 1 to 2"):
            read_number(reply, 2)
