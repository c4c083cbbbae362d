"""A judge's grade is a number from 0 to 10, or none."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swegym.grading.judge import parse_score


@pytest.mark.parametrize(
    ("said", "score"),
    [
        (0, 0.0),
        (10, 10.0),
        (7.5, 7.5),
        ("8", 8.0),
        (" 8/10 ", 8.0),
        ("4/5", 8.0),
        ("Score: 9.5/10", 9.5),
        ("grade 3", 3.0),
    ],
)
def test_grades(said: Any, score: float) -> None:
    assert parse_score(said) == score


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "good job",
        "11",
        "12/10",
        "-1",
        -1,
        11,
        True,
        float("nan"),
        float("inf"),
        "8/0",
        "8 or 9",
        "1e9",
        [],
        {},
        "9" * 400,
    ],
)
def test_no_grades(said: Any) -> None:
    assert parse_score(said) is None
