"""What is said of candidates of which none is chosen."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swegym.agents.search.candidate import Candidate
from pytest_swegym.agents.search.candidate import told_alike


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([], {}),
        ([{}, {}], {}),
        ([{"steps": 2, "ending": "steps"}, {"steps": 5, "ending": "steps"}], {"steps": 5, "ending": "steps"}),
        ([{"steps": 0, "ending": "steps"}, {"ending": "submit"}], {"steps": 0}),
        ([{"ending": "steps"}, {}], {}),
        ([{"model": "a"}, {"model": ""}, {}], {"model": "a"}),
        ([{"model": "a"}, {"model": "b"}, {"steps": "many"}], {}),
    ],
)
def test_what_all_have_alike(told: list[dict[str, Any]], said: dict[str, Any]) -> None:
    assert told_alike([Candidate(number=n, seed=n, told=each) for n, each in enumerate(told)]) == said
