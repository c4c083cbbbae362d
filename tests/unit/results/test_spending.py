"""What attempts took, and what a resolved instance costs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.errors import ConfigError
from pytest_swegym.results import summarize
from pytest_swegym.results.markdown import run_markdown
from pytest_swegym.results.spending import Spending
from pytest_swegym.results.spending import money
from pytest_swegym.results.spending import spending
from pytest_swegym.results.spending import spending_lines
from pytest_swegym.results.tally import read_tally
from pytest_swegym.results.text import summary_lines
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Usage
from pytest_swegym.task import Verdict


def record(number: int, verdict: Verdict = Verdict.UNRESOLVED, *, steps: Any = None, **usage: Any) -> AttemptRecord:
    extra: dict[str, Any] = {"steps": steps} if steps is not None else {}
    if usage:
        extra["usage"] = Usage(**usage).to_dict()
    stages = {"solve": float(number), "grade": 1.0}
    return AttemptRecord(instance_id=f"i{number}", verdict=verdict, extra=extra, stages=stages, patch="x")


PRICED = [
    record(
        1, Verdict.RESOLVED, steps=4, requests=4, prompt_tokens=1000, cached_tokens=500, completion_tokens=40, cost=0.5
    ),
    record(2, steps=8, requests=8, prompt_tokens=2000, completion_tokens=60, cost=1.0),
    record(3, Verdict.INFRA_ERROR, steps=6, requests=1, prompt_tokens=10, completion_tokens=0, cost=0.0),
]


def test_sums_means_and_medians() -> None:
    found = spending(PRICED)
    assert found.usage == Usage(requests=13, prompt_tokens=3010, cached_tokens=500, completion_tokens=100, cost=1.5)
    assert (found.cost_per_attempt, found.cost_per_resolved) == (0.5, 1.5)
    assert (found.seconds, found.steps) == (3.0, 6.0)
    assert list(spending_lines(found)) == [
        "model: 13 requests, 3,010 tokens sent (500 of them cached), 100 received, 0.0 s",
        "cost: 1.50, 0.50 per attempt, 1.50 per resolved instance",
        "median per attempt: 6 steps, 3.0 s",
    ]


def test_an_instance_counts_once_however_often_it_was_resolved() -> None:
    twice = [PRICED[0], replace(PRICED[0], attempt=1)]
    assert spending(twice).cost_per_resolved == 1.0


@pytest.mark.parametrize(
    ("records", "attempt", "resolved"),
    [
        ([], None, None),
        ([record(1, Verdict.RESOLVED)], None, None),
        ([record(1, requests=1, cost=2.0)], 2.0, None),
        ([record(1, Verdict.RESOLVED, requests=1)], None, None),
        ([record(1, Verdict.RESOLVED, requests=1, cost=2.0), record(2, requests=1)], 2.0, None),
        ([record(1, Verdict.RESOLVED, requests=1, cost=2.0), record(2)], 2.0, 2.0),
        ([record(1, Verdict.RESOLVED, requests=1, cost=0.0)], 0.0, 0.0),
    ],
)
def test_what_is_not_known_is_not_claimed(
    records: list[AttemptRecord], attempt: float | None, resolved: float | None
) -> None:
    found = spending(records)
    assert (found.cost_per_attempt, found.cost_per_resolved) == (attempt, resolved)


@pytest.mark.parametrize(
    "told", [{"usage": 3, "steps": "many"}, {"usage": {"cost": "x"}, "steps": True}, {"usage": {}}]
)
def test_what_hooks_wrote_does_not_break_it(told: dict[str, Any]) -> None:
    found = spending([replace(record(1), extra=told)])
    assert (found.steps, found.cost_per_attempt) == (None, None)
    assert list(spending_lines(found))[1:] == []


def test_an_attempt_of_no_step_has_0_and_without_requests_nothing_is_said_of_a_model() -> None:
    none = {"requests": 0, "prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "seconds": 0.0, "cost": 0.0}
    found = spending([replace(record(1), extra={"usage": none, "steps": 0})])
    assert found.steps == 0.0
    assert list(spending_lines(found)) == ["median per attempt: 0 steps, 2.0 s"]


def test_the_summary_tells_it() -> None:
    summary = summarize(PRICED)
    data = json.loads(json.dumps(summary.to_dict()))
    assert data["spent"]["cost_per_resolved"] == 1.5
    assert data["spent"]["usage"]["requests"] == 13
    assert {name: group["count"] for name, group in data["failures"].items()} == {"infra": 1, "wrong": 1}
    assert read_tally(data, where="here") == replace(summary.tally, where="here")
    assert Spending.from_dict(data["spent"]) == replace(summary.spent, attempts=0, resolved=0)
    lines = list(summary_lines(summary))
    assert "cost: 1.50, 0.50 per attempt, 1.50 per resolved instance" in lines
    assert "failed: infra 1, wrong 1" in lines
    assert "- cost: 1.50, 0.50 per attempt, 1.50 per resolved instance" in run_markdown(summary, PRICED)


def test_nothing_is_said_of_what_did_not_happen() -> None:
    lines = list(summary_lines(summarize([record(1, Verdict.RESOLVED)])))
    assert not [line for line in lines if line.startswith(("model:", "cost:", "median", "failed:"))]


@pytest.mark.parametrize("data", [None, [], {}, {"usage": None}])
def test_an_older_summary_tells_less(data: Any) -> None:
    assert Spending.from_dict(data) == Spending()


@pytest.mark.parametrize("data", [{"cost_per_attempt": "1"}, {"median_steps": True}, {"usage": {"requests": "x"}}])
def test_a_damaged_one_is_refused(data: Any) -> None:
    with pytest.raises(ConfigError):
        Spending.from_dict(data)


@given(st.floats(min_value=0, max_value=1e9))
def test_money_says_something(cost: float) -> None:
    assert float(money(cost).replace(",", "")) == pytest.approx(cost, rel=0.06)
