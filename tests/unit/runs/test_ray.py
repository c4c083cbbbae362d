"""The driver of a cluster, over one whose workers live, die and answer as the test says; and what a worker is told."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SandboxUnavailable
from pytest_swegym.results.cache import grader_digest
from pytest_swegym.runs import Conditions
from pytest_swegym.runs import Done
from pytest_swegym.runs import Job
from pytest_swegym.runs import Terms
from pytest_swegym.runs import ray as driver
from pytest_swegym.runs import ray_worker
from pytest_swegym.sandbox.docker_owner import own_name
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict


class Method:
    """What is called with ``.remote``."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def options(self, **_: Any) -> Method:
        return self

    def remote(self, *given: Any) -> Any:
        return self._call(*given)


class Ref(list[Any]):
    """What a call will say, thing by thing."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other


class Workers:
    """A cluster with two cores. ``births`` says of each worker where it lives, or why it does not.

    No attempt ends before so many workers were ``tried``.
    """

    failures, ships_root = (RuntimeError, StopIteration), False

    def __init__(self, births: Iterator[str | Exception], tried: int) -> None:
        self.births, self.left = births, tried

    def __call__(self, *_: Any, **__: Any) -> Workers:
        return self

    def cores(self) -> int:
        return 2

    def nodes(self) -> set[str]:
        return {"good", "bad"}

    def hand(self, *_: Any) -> Any:
        self.left -= 1
        nothing = Method(lambda *_: None)
        ready = Method(lambda: Ref([next(self.births)]))
        return SimpleNamespace(ready=ready, perform=Method(self._perform), cancel=nothing, close=nothing)

    def _perform(self, ident: str, job: Job, files: Mapping[str, bytes]) -> Ref:
        record = AttemptRecord(instance_id=job.task.id, verdict=Verdict.RESOLVED, reward=1.0)
        done = Done(record=record, grade=Grade(verdict=Verdict.RESOLVED), files={"trajectory.jsonl": b"{}\n"})
        return Ref([[{"event": "attempt_started"}], done])

    def ready(self, refs: Sequence[Ref], seconds: float) -> list[Ref]:
        found = [ref for ref in refs if self.left <= 0 or not isinstance(ref[0], Done)]
        if not found:
            time.sleep(0.001)
        return found

    def get(self, ref: Ref) -> tuple[str, str]:
        if isinstance(ref[0], Exception):
            raise ref[0]
        return ref[0], grader_digest()

    def next(self, call: Ref) -> Any:
        return call.pop(0)

    def check_sendable(self, solver: Any) -> None: ...
    def bury(self, hand: Any, who: str) -> None: ...
    def lost(self, node: str) -> None: ...
    def watch(self, tell: Any) -> None: ...
    def end(self) -> None: ...


def ended(
    births: Iterator[str | Exception], monkeypatch: pytest.MonkeyPatch, *, tried: int = 0, **terms: Any
) -> dict[str, Done | Exception]:
    """What comes of two attempts, by their keys."""
    found: dict[str, Done | Exception] = {}
    whole = threading.Event()

    def tell(job: Job, what: Done | Exception) -> None:
        found[job.key] = what
        if len(found) == 2:
            whole.set()

    monkeypatch.setattr(driver, "Cluster", Workers(births, tried))
    executor = driver.RayExecutor(Terms(conditions=Conditions(), jobs=0, ended=tell, **terms))
    try:
        for name in "ab":
            task = Task.from_dict({"instance_id": name, "repo": "x", "fail_to_pass": ["t"]})
            executor.submit(Job(task=task, solver="gold"))
        assert whole.wait(30)
    finally:
        executor.close()
    return found


def good() -> Iterator[str | Exception]:
    while True:
        yield "good"


def bad() -> Iterator[str | Exception]:
    while True:
        yield SandboxUnavailable("no bubblewrap here")


def test_attempt_whose_files_cannot_be_written_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "attempts").write_text("a file where a folder is wanted")
    found = ended(good(), monkeypatch, folder=lambda key: tmp_path / "attempts" / key)
    assert {type(what) for what in found.values()} == {InfraError}
    assert str(found["a"]).startswith("a: its files could not be written")


def test_who_listens_and_fails_harms_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    def listen(key: str, event: Mapping[str, Any]) -> None:
        pytest.fail("a hook of somebody's")

    assert {type(what) for what in ended(good(), monkeypatch, on_event=listen).values()} == {Done}


def test_node_on_which_no_worker_lives_ends_no_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def births() -> Iterator[str | Exception]:
        yield "good"
        yield from bad()

    with caplog.at_level(logging.WARNING):
        assert {type(what) for what in ended(births(), monkeypatch, tried=2).values()} == {Done}
    assert caplog.text.count("no bubblewrap here") == 1


@pytest.mark.parametrize("error", [SandboxUnavailable("no bubblewrap here"), RuntimeError("no bubblewrap here")])
def test_where_no_worker_lives_at_all_every_attempt_says_why(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def births() -> Iterator[str | Exception]:
        while True:
            yield error

    found = ended(births(), monkeypatch)
    assert [isinstance(what, InfraError) and "no bubblewrap here" in str(what) for what in found.values()] == [True] * 2


def test_cluster_whose_head_is_gone_ends_what_waits_or_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = InfraError("its head answers no more")
    monkeypatch.setattr(Workers, "watch", lambda self, tell: threading.Timer(0.1, tell, [gone]).start())
    assert [*ended(good(), monkeypatch, tried=99).values()] == [gone, gone]


def test_what_is_cancelled_before_it_begins_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))  # a worker puts its own in place
    hand = ray_worker.Hand(ray_worker.Post(who="w", conditions=Conditions()), None)
    hand.cancel("ident")
    assert hand._scope("ident").closed
    assert not hand._scope("other").closed


def test_folders_of_the_dead_go_and_those_of_other_machines_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path))
    host, rest = own_name().split("/", 1)
    began = rest.rpartition("/")[2]
    own, dead = ray_worker._own_prefix() + "x", "~".join([*own_name().split("/")[:-1], f"{began}0", "x"])
    other = "~".join([f"not-{host}", *dead.split("~")[1:]])
    for name in (own, dead, other):
        (ray_worker._folders() / name).mkdir()
    ray_worker._sweep_folders()
    assert {path.name for path in ray_worker._folders().iterdir()} == {own, other}
