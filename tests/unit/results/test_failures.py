"""Why attempts fail: one word each, with a fixed precedence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.results.failures import BUDGETS
from pytest_swegym.results.failures import FAILURES
from pytest_swegym.results.failures import detail_of
from pytest_swegym.results.failures import failure_of
from pytest_swegym.results.failures import groups
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


OK, BAD, LATER = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_RUN
WRONG = AttemptRecord(
    instance_id="calc-1",
    verdict=Verdict.UNRESOLVED,
    patch="diff",
    reasons=("1 of 2 fail\nmore",),
    fail_to_pass={"a": OK, "b": BAD},
    pass_to_pass={"c": OK},
)
EMPTY: dict[str, Any] = {"verdict": Verdict.INVALID_PATCH, "patch": " \n", "reasons": ("the patch is empty",)}


@pytest.mark.parametrize(
    ("fields", "failure", "detail"),
    [
        ({"verdict": Verdict.RESOLVED}, "", ""),
        ({}, "wrong", "fixes some"),
        ({"fail_to_pass": {"a": BAD}}, "wrong", "fixes nothing"),
        ({"fail_to_pass": {"a": OK}, "pass_to_pass": {"c": Outcome.MISSING}}, "wrong", "breaks what worked"),
        ({"fail_to_pass": {"a": BAD}, "pass_to_pass": {"c": BAD}}, "wrong", "fixes nothing, breaks what worked"),
        ({"fail_to_pass": {"a": BAD, "b": LATER}, "pass_to_pass": {"c": LATER}}, "wrong", "does not fix all"),
        ({"fail_to_pass": {"a": OK}, "pass_to_pass": {"c": BAD, "d": LATER}}, "wrong", "breaks what worked"),
        ({"fail_to_pass": {"a": OK}}, "wrong", "1 of 2 fail"),
        ({"fail_to_pass": {}, "pass_to_pass": {}, "reasons": ()}, "wrong", ""),
        (EMPTY, "no edit", ""),
        ({**EMPTY, "tree": "ab12"}, "does not apply", "the patch is empty"),
        ({"verdict": Verdict.INVALID_PATCH, "reasons": ("git apply: no",)}, "does not apply", "git apply: no"),
        ({"verdict": Verdict.TIMEOUT, "error_stage": "solve"}, "timeout", "the solver"),
        ({"verdict": Verdict.TIMEOUT}, "timeout", "the tests"),
        ({"verdict": Verdict.SOLVER_ERROR, "patch": "", "reasons": ("KeyError: 1",)}, "solver error", "KeyError: 1"),
        ({**EMPTY, "extra": {"ending": "tokens"}}, "budget", "tokens"),
        ({**EMPTY, "extra": {"ending": "forfeit"}}, "no edit", ""),
        ({"extra": {"ending": "submit"}}, "wrong", "fixes some"),
        ({"extra": {"ending": "invalid_replies"}}, "wrong", "fixes some, invalid replies"),
        ({"verdict": Verdict.RESOLVED, "extra": {"ending": "invalid_replies"}}, "", ""),
        ({**EMPTY, "extra": {"ending": "invalid_replies", "steps": 3}}, "no edit", "invalid replies"),
        ({"patch": "", "tree": "ab", "extra": {"ending": "invalid_replies", "steps": 0}}, "no edit", "invalid replies"),
        ({"patch": "", "tree": "ab12", "extra": {"steps": 0}}, "no edit", ""),
        ({"patch": "", "tree": "ab12", "extra": {"steps": 1}}, "wrong", "fixes some"),
        ({"verdict": Verdict.SOLVER_ERROR, "extra": {"ending": "cost"}}, "budget", "cost"),
        ({"verdict": Verdict.TAMPERED, "extra": {"ending": "cost"}}, "tampered", "1 of 2 fail"),
        ({"verdict": Verdict.INFRA_ERROR, "patch": "", "extra": {"ending": "cost"}}, "infra", "1 of 2 fail"),
    ],
)
def test_the_first_reason_that_holds(fields: dict[str, Any], failure: str, detail: str) -> None:
    record = replace(WRONG, **fields)
    assert (failure_of(record), detail_of(record)) == (failure, detail)


@given(
    st.sampled_from(Verdict),
    st.sampled_from(["", "diff"]),
    st.sampled_from(["", "submit", *sorted(BUDGETS)]) | st.none() | st.lists(st.integers(), max_size=1),
)
def test_whatever_is_not_resolved_has_a_reason(verdict: Verdict, patch: str, ending: Any) -> None:
    record = replace(WRONG, verdict=verdict, patch=patch, extra={"ending": ending})
    assert (failure_of(record) in FAILURES) != record.resolved
    assert sum(group.count for group in groups([record])) == (not record.resolved)


def test_groups_are_counted_the_most_frequent_first() -> None:
    budget = replace(WRONG, instance_id="calc-2", extra={"ending": "steps"})
    nothing = replace(WRONG, attempt=1, fail_to_pass={"a": BAD})
    found = groups([budget, replace(WRONG, verdict=Verdict.RESOLVED, attempt=2), WRONG, nothing])
    assert [(group.name, group.count, group.attempts) for group in found] == [
        ("wrong", 2, ("calc-1", "calc-1.1")),
        ("budget", 1, ("calc-2",)),
    ]
    assert [str(group) for group in found] == ["wrong 2 (fixes some; fixes nothing)", "budget 1 (steps)"]
    assert found[1].to_dict() == {"count": 1, "attempts": ["calc-2"], "details": {"steps": 1}}
    assert groups([]) == ()
