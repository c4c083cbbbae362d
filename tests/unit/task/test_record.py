"""Attempt records as JSON."""

from __future__ import annotations

import json

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


def test_json_and_back_is_the_same_record() -> None:
    record = AttemptRecord(
        instance_id="a-1",
        attempt=2,
        verdict=Verdict.UNRESOLVED,
        reward=0.5,
        fail_to_pass={"t::a": Outcome.MISSING},
        pass_to_pass={"t::b": Outcome.PASSED},
        reasons=("never ran: t::a",),
        stages={"solve": 0.25},
        extra={"tokens": 12},
    )
    again = AttemptRecord.from_dict(json.loads(json.dumps(record.to_dict())))
    assert again == record
    assert again.key == "a-1.2"
    assert not again.resolved


def test_an_infra_error_has_no_reward() -> None:
    record = AttemptRecord(instance_id="a-1", verdict=Verdict.INFRA_ERROR)
    assert record.to_dict()["reward"] is None


@pytest.mark.parametrize("damage", [{"format": "other/1"}, {"verdict": "great"}, {"fail_to_pass": {"a": "maybe"}}])
def test_damaged_records_are_refused_by_name(damage: dict[str, object]) -> None:
    data = {**AttemptRecord(instance_id="a-1", verdict=Verdict.RESOLVED).to_dict(), **damage}
    with pytest.raises(ConfigError, match=r"a-1/record\.json: "):
        AttemptRecord.from_dict(data, where="a-1/record.json")
