from __future__ import annotations

import json

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.grading import Baseline
from pytest_swegym.grading.integrity import UNORDERLY
from pytest_swegym.task import Outcome


def test_json_both_ways() -> None:
    baseline = Baseline(
        tests={"t.py::a[\udc80]": Outcome.XFAILED}, quirks=frozenset({"x"}), exit_code=1, duration=0.5,
        seconds={"t.py": 0.25}, log=b"long"
    )  # fmt: skip
    assert Baseline.from_dict(json.loads(json.dumps(baseline.to_dict()))) == baseline


def test_one_that_was_measured_before_there_were_durations_is_read() -> None:
    old = {name: value for name, value in Baseline(duration=1.0).to_dict().items() if name != "seconds"}
    assert Baseline.from_dict(old) == Baseline(duration=1.0)


@pytest.mark.parametrize(
    "data",
    [{}, {"format": "other"}, {"format": "swegym.baseline/1"}, {**Baseline().to_dict(), "tests": {"a": "no"}}, []],
)
def test_damaged_ones_are_refused(data: object) -> None:
    with pytest.raises(ConfigError, match=r"^cache\.json: "):
        Baseline.from_dict(data, where="cache.json")  # type: ignore[arg-type]


def test_quirks_excuse_the_same_alone() -> None:
    baseline = Baseline(quirks=frozenset({"replaced a.b"}))
    assert baseline.excuses("replaced a.b")
    assert not baseline.excuses("replaced a.c")
    broken = Baseline(quirks=frozenset({UNORDERLY}))
    assert broken.excuses("canary 'fail 0' came out as passed")
    assert not broken.excuses("replaced a.b")
