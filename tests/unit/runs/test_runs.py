"""The executor: order, limits, stopping; and which results may be trusted."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_swegym.results import ResultStore
from pytest_swegym.runs import LocalExecutor
from pytest_swegym.runs import attempt_key
from pytest_swegym.runs import finished
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict


TASK = Task.from_dict({"instance_id": "a", "repo": "x", "fail_to_pass": ["t"]})
GIVEN = {"number": 0, "seed": 0, "solver": "s", "sandbox": "auto", "reward": "r", "protect": "strict", "grader": 1}
GIVEN |= {"compat": "same-run", "tools": "none"}


def test_runs_everything_in_order_with_one_worker() -> None:
    done: list[int] = []
    executor = LocalExecutor([(str(n), lambda n=n: done.append(n)) for n in range(5)], workers=1)  # type: ignore[misc]
    executor.start()
    executor.join(30)
    assert done == [0, 1, 2, 3, 4]


def test_runs_at_most_so_many_at_once() -> None:
    barrier, seen = threading.Barrier(2, timeout=30), []

    def job() -> None:
        barrier.wait()
        seen.append(executor.running)
        barrier.wait()

    executor = LocalExecutor([(str(n), job) for n in range(4)], workers=2)
    executor.start()
    executor.join(30)
    assert len(seen) == 4
    assert max(seen) == 2


def test_job_taken_out_is_not_run() -> None:
    done: list[str] = []
    executor = LocalExecutor([(name, lambda name=name: done.append(name)) for name in "abc"], workers=1)  # type: ignore[misc]
    assert executor.take("b")
    assert not executor.take("b")
    executor.start()
    executor.join(30)
    assert done == ["a", "c"]
    assert not executor.take("a")


@pytest.mark.parametrize("early", [True, False])
def test_stop_starts_nothing_more(early: bool) -> None:
    first, go = threading.Event(), threading.Event()
    done: list[int] = []
    stopped: list[bool] = []

    def job() -> None:
        first.set()
        go.wait(30)
        done.append(1)

    executor = LocalExecutor([(str(n), job) for n in range(3)], workers=1, stop_early=lambda: bool(stopped))
    executor.start()
    first.wait(30)
    if early:
        stopped.append(True)
    else:
        executor.stop()
    go.set()
    executor.join(30)
    assert done == [1]


def test_job_that_raises_does_not_end_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []
    executor = LocalExecutor([("a", lambda: 1 // 0), ("b", lambda: done.append(1))], workers=1)  # type: ignore[list-item]
    executor.start()
    executor.join(30)
    assert done == [1]
    assert "a could not be reported" in caplog.text


def test_key_changes_with_everything_that_matters() -> None:
    changed = [{**GIVEN, name: "other"} for name in GIVEN]
    keys = {attempt_key(TASK, **given) for given in (GIVEN, *changed)}  # type: ignore[arg-type]
    other = replace(TASK, spec=replace(TASK.spec, problem_statement="told otherwise"))
    assert len(keys | {attempt_key(other, **GIVEN)}) == len(GIVEN) + 2  # type: ignore[arg-type]


def test_only_equal_content_without_infra_error_is_finished(tmp_path: Path) -> None:
    store = ResultStore(root=tmp_path)
    record = AttemptRecord(instance_id="a", verdict=Verdict.UNRESOLVED, reward=0.0, content_key="k")
    store.write(record)
    assert finished(store, "a", "k") == record
    assert finished(store, "a", "other") is None
    assert finished(store, "b", "k") is None
    store.write(replace(record, verdict=Verdict.INFRA_ERROR))
    assert finished(store, "a", "k") is None
