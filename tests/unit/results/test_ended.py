"""How an attempt's episode ended, in words."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swegym.results.ended import ended
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Verdict


USAGE = {"requests": 2, "prompt_tokens": 1000, "completion_tokens": 234}


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({}, ""),
        ({"steps": 3}, ""),
        ({"ending": 7}, ""),
        ({"ending": "submit"}, "the episode ended: submit"),
        ({"ending": "submit", "steps": 1}, "the episode ended: submit (1 step)"),
        ({"ending": "steps", "steps": 5, "usage": USAGE}, "the episode ended: steps (5 steps, 1234 tokens)"),
        (
            {"ending": "cost", "steps": 0, "usage": {**USAGE, "cost": 0.25}},
            "the episode ended: cost (0 steps, 1234 tokens, cost 0.25)",
        ),
        ({"ending": "a\x1b[2Jb\n", "usage": "much"}, "the episode ended: a [2Jb "),
    ],
)
def test_an_ending_is_told_with_what_it_took(extra: dict[str, Any], text: str) -> None:
    assert ended(AttemptRecord(instance_id="a-1", verdict=Verdict.UNRESOLVED, extra=extra)) == text
