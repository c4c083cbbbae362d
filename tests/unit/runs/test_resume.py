"""Which results of an earlier run may be trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_swegym.results import ResultStore
from pytest_swegym.runs import attempt_key
from pytest_swegym.runs import finished
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict


TASK = Task.from_dict({"instance_id": "a", "repo": "x", "fail_to_pass": ["t"]})
GIVEN = {"number": 0, "seed": 0, "solver": "s", "sandbox": "auto", "reward": "r", "protect": "strict", "grader": 1}
GIVEN |= {"compat": "same-run", "tools": "none"}


def test_key_changes_with_everything_that_matters() -> None:
    changed = [{**GIVEN, name: "other"} for name in GIVEN]
    keys = {attempt_key(TASK, **given) for given in (GIVEN, *changed)}  # type: ignore[arg-type]
    other = replace(TASK, spec=replace(TASK.spec, problem_statement="told otherwise"))
    assert len(keys | {attempt_key(other, **GIVEN)}) == len(GIVEN) + 2  # type: ignore[arg-type]


def test_key_changes_with_how_the_tests_are_run() -> None:
    def key(**manner: Any) -> str:
        return attempt_key(TASK, **GIVEN, **manner)  # type: ignore[arg-type]

    assert key(fast_fail=False, shards=1) == key()
    assert key(shards=2) == key(shards=0)
    assert len({key(), key(fast_fail=True), key(shards=2), key(fast_fail=True, shards=2)}) == 4


def test_only_equal_content_without_infra_error_is_finished(tmp_path: Path) -> None:
    store = ResultStore(root=tmp_path)
    record = AttemptRecord(instance_id="a", verdict=Verdict.UNRESOLVED, reward=0.0, content_key="k")
    store.write(record)
    assert finished(store, "a", "k") == record
    assert finished(store, "a", "other") is None
    assert finished(store, "b", "k") is None
    store.write(replace(record, verdict=Verdict.INFRA_ERROR))
    assert finished(store, "a", "k") is None
