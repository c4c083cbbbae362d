"""Rewards of single steps: what they are made of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.errors import ConfigError
from pytest_swegym.session.rewards import STEP_REWARDS
from pytest_swegym.session.rewards import Similarity
from pytest_swegym.session.rewards import _changes
from pytest_swegym.session.rewards import _hops
from pytest_swegym.session.rewards import make_step_reward
from pytest_swegym.session.rewards import number
from pytest_swegym.settings import options
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict


PATCH = "--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,3 @@\n-x = 1  # one\n+x = 2  # two\n+# a comment\n+\n+y = '# no comment'\n"


def task(patch: str = PATCH) -> Task:
    return Task.from_dict({"instance_id": "a-1", "repo": "here", "fail_to_pass": ["a::b"], "patch": patch})


def peek() -> Grade:
    return Grade(verdict=Verdict.UNRESOLVED)


def test_the_names_are_those_of_the_option() -> None:
    assert options.STEP_REWARDS == STEP_REWARDS
    made = {name: make_step_reward(name, task(), peek=peek) for name in STEP_REWARDS}
    assert [name for name, reward in made.items() if reward is None] == ["none"]


@pytest.mark.parametrize(
    ("name", "patch", "message"),
    [
        ("nonsense", PATCH, "unknown step reward 'nonsense'; choose from none, tests"),
        ("similarity", "", "a-1 has no gold patch"),
        ("distance", "", "a-1 has no gold patch"),
        ("no.module:attr", PATCH, "could not import"),
    ],
)
def test_a_reward_that_cannot_be_made_says_why(name: str, patch: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_step_reward(name, task(patch), peek=peek)


def test_comments_and_blank_lines_are_no_changes() -> None:
    assert _changes(PATCH) == ["-x = 1", "+x = 2", "+y = '# no comment'"]


@given(patch=st.text(alphabet="+-# \nab'", max_size=200))
def test_any_text_has_a_similarity(patch: str) -> None:
    reward = Similarity(PATCH)
    reward._matcher.set_seq1(_changes(patch))
    assert 0 <= reward._matcher.ratio() <= 1


@pytest.mark.parametrize(
    ("place", "goal", "hops"),
    [
        ("/w", "/w/a.py", 1),
        ("/w/a.py", "/w/a.py", 0),
        ("/w/src", "/w/a.py", 2),
        ("/", "/w/src/a.py", 3),
        ("/x", "/w", 2),
    ],
)
def test_folders_between_two_places(place: str, goal: str, hops: int) -> None:
    assert _hops(place, goal) == hops


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None, b"1"])
def test_only_finite_numbers_are_rewards(value: Any) -> None:
    with pytest.raises(ConfigError, match="mine returned"):
        number(value, "mine")
    assert number(1, "mine") == 1.0
