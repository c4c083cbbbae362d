"""A run as an iterator: with an executor whose attempts end when the test says so."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym import runs
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SandboxError
from pytest_swegym.results import ResultStore
from pytest_swegym.results.events import EVENTS
from pytest_swegym.results.events import EventTail
from pytest_swegym.runs import Conditions
from pytest_swegym.runs import Done
from pytest_swegym.runs import Job
from pytest_swegym.runs import Rollouts
from pytest_swegym.runs import Terms
from pytest_swegym.runs.job import content_of
from pytest_swegym.runs.job import solver_of
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict


class ByHand:
    """Fulfils :class:`~pytest_swegym.runs.Executor`; an attempt ends when :meth:`end` says so."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.closed = 0

    def __call__(self, terms: Terms) -> ByHand:
        self.terms = terms
        return self

    def submit(self, job: Job) -> None:
        if job.key in self.jobs:
            raise ConfigError(f"{job.key}: runs already")
        self.jobs[job.key] = job

    def cancel(self, key: str) -> bool:
        return self.jobs.pop(key, None) is not None

    def close(self) -> None:
        self.closed += 1
        self.jobs.clear()

    def end(self, *keys: str, what: Exception | None = None) -> None:
        for key in keys:
            job = self.jobs.pop(key, None)
            if job is not None:
                self.terms.ended(job, what or self.done(job))

    def done(self, job: Job) -> Done:
        conditions = self.terms.conditions
        content = content_of(job, conditions, solver_of(job, conditions), None)
        given: dict[str, Any] = {"instance_id": job.task.id, "attempt": job.number, "run_id": self.terms.run_id}
        record = AttemptRecord(**given, verdict=Verdict.RESOLVED, reward=1.0, solver="gold", content_key=content)
        return Done(record=record, grade=Grade(verdict=Verdict.RESOLVED, log=b"ran"))


def task(name: str) -> Task:
    return Task.from_dict({"instance_id": name, "repo": "x", "fail_to_pass": ["t"]})


@pytest.fixture
def hand() -> ByHand:
    return ByHand()


@pytest.fixture
def begin(hand: ByHand) -> Iterator[Callable[..., Rollouts]]:
    """A run of ``gold`` at the tasks a and b; what is begun ends with the test."""
    begun: list[Rollouts] = []

    def make(names: str = "ab", **more: Any) -> Rollouts:
        begun.append(runs.run(list(map(task, names)), "gold", executor=hand, **{"backlog": 8, **more}))
        return begun[-1]

    yield make
    for each in begun:
        each.close()


def keys(rollouts: Rollouts) -> list[str]:
    return [done.record.key for done in rollouts]


def test_records_come_as_they_end(hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    with begin(attempts=2) as rollouts:
        assert list(hand.jobs) == ["a", "a.1", "b", "b.1"]
        hand.end("b", "a.1", "b.1", "a")
        assert keys(rollouts) == ["b", "a.1", "b.1", "a"]
        assert rollouts.next() is None
    assert hand.closed == 1


def test_more_can_be_submitted_while_it_runs(hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    with begin("a") as rollouts:
        assert rollouts.submit(task("c"), number=3, priority=2.0, solver="empty") == "c.3"
        assert (hand.jobs["c.3"].priority, hand.jobs["c.3"].solver) == (2.0, "empty")
        hand.end("a", "c.3")
        assert keys(rollouts) == ["a", "c.3"]
        rollouts.submit(task("d"))
        hand.end("d")
        assert keys(rollouts) == ["d"]


def test_attempt_that_runs_already_is_refused_and_not_waited_for(hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    with begin("a") as rollouts:
        with pytest.raises(ConfigError, match="a: runs already"):
            rollouts.submit(task("a"))
        hand.end("a")
        assert keys(rollouts) == ["a"]


def test_failure_of_the_machinery_reaches_the_consumer_and_the_rest_goes_on(
    hand: ByHand, begin: Callable[..., Rollouts]
) -> None:
    with begin() as rollouts:
        hand.end("a", what=SandboxError("the daemon is gone"))
        hand.end("b")
        with pytest.raises(SandboxError, match="the daemon is gone"):
            next(rollouts)
        assert keys(rollouts) == ["b"]


def test_slow_consumer_stalls_who_brings_results(hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    with begin("abcd", backlog=2) as rollouts:
        brought: list[str] = []

        def bring() -> None:
            for key in "abcd":
                hand.end(key)
                brought.append(key)

        thread = threading.Thread(target=bring)
        thread.start()
        thread.join(0.2)
        assert brought == ["a", "b"]
        assert keys(rollouts) == ["a", "b", "c", "d"]
        thread.join(30)


def test_leaving_frees_who_waits_to_bring(hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    with begin(backlog=1):
        thread = threading.Thread(target=lambda: hand.end("a", "b"))
        thread.start()
    thread.join(30)
    assert not thread.is_alive()


def test_cancelled_one_is_not_waited_for(hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    with begin("abc") as rollouts:
        assert rollouts.cancel("b")
        assert not rollouts.cancel("b")
        hand.end("a")
        assert not rollouts.cancel("a")
        assert next(rollouts).record.key == "a"
        assert rollouts.cancel()
        assert not rollouts.cancel()
        assert keys(rollouts) == []
        assert hand.jobs == {}


def test_breaking_out_of_a_loop_ends_nothing_leaving_the_with_does(
    hand: ByHand, begin: Callable[..., Rollouts]
) -> None:
    with begin() as rollouts:
        hand.end("a")
        for done in rollouts:
            assert done.record.key == "a"
            break
        assert list(hand.jobs) == ["b"]
    assert (hand.jobs, hand.closed) == ({}, 1)
    rollouts.close()
    assert hand.closed == 1
    assert keys(rollouts) == []
    with pytest.raises(ConfigError, match="c: the run is closed"):
        rollouts.submit(task("c"))


def test_abandoned_run_ends(hand: ByHand) -> None:
    rollouts = runs.run([task("a")], "gold", executor=hand)
    del rollouts
    gc.collect()
    assert hand.closed == 1


def test_async_loop_and_its_end(hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    async def main() -> list[str]:
        async with begin() as rollouts:
            thread = threading.Timer(0.05, hand.end, ["b", "a"])
            thread.start()
            return [done.record.key async for done in rollouts]

    assert asyncio.run(main()) == ["b", "a"]
    assert hand.closed == 1


def test_cancelled_task_ends_the_run(hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    async def main() -> None:
        async with begin() as rollouts:
            async for _ in rollouts:
                raise AssertionError("nothing has ended")

    async def cancelled() -> None:
        running = asyncio.create_task(main())
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    assert (hand.closed, hand.jobs) == (1, {})


def test_waiting_that_times_out_loses_nothing(hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    async def main() -> list[str]:
        async with begin("a") as rollouts:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(rollouts.__anext__(), 0.02)
            hand.end("a")
            return [done.record.key async for done in rollouts]

    assert asyncio.run(main()) == ["a"]


def test_output_is_as_the_plugins_and_is_continued(
    tmp_path: Path, hand: ByHand, begin: Callable[..., Rollouts]
) -> None:
    with begin("abc", output=tmp_path) as rollouts:
        hand.terms.on_event("a", {"event": "attempt_started", "instance_id": "a", "number": 0})  # type: ignore[misc]
        hand.end("a", "b")
        assert next(rollouts).record.key == "a"  # b is on the disk as well, and c is cut
    store = ResultStore(root=tmp_path)
    assert [record.key for record in store.records()] == ["a", "b"]
    assert {"summary.json", "summary.md", "predictions.jsonl", "index.html", EVENTS} <= {
        path.name for path in tmp_path.iterdir()
    }
    told = [event["event"] for event in EventTail(tmp_path / EVENTS).read()]
    assert told == ["run_started", "attempt_started", "attempt_finished", "attempt_finished", "run_ended"]

    with pytest.raises(ConfigError, match=r"holds a run; add Conditions\(resume=True\)"):
        begin("abc", output=tmp_path)
    with begin("abc", output=tmp_path, conditions=Conditions(resume=True), backlog=1) as rollouts:
        assert list(hand.jobs) == ["c"]
        kept = [next(rollouts), next(rollouts)]
        assert [(done.record.key, done.kept, done.grade.log) for done in kept] == [
            ("a", True, b"ran"),
            ("b", True, b"ran"),
        ]
        hand.end("c")
        assert [(done.record.key, done.kept) for done in rollouts] == [("c", False)]
        summary = rollouts.conclude()
        assert summary is not None
        assert summary.attempts == 3


def test_what_is_of_other_content_is_made_again(tmp_path: Path, hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    with begin("a", output=tmp_path):
        hand.end("a")
    with begin("a", output=tmp_path, conditions=Conditions(resume=True, seed=7)):
        assert list(hand.jobs) == ["a"]
    (tmp_path / "attempts" / "a" / "record.json").write_text("{")
    with begin("a", output=tmp_path, conditions=Conditions(resume=True)):
        assert list(hand.jobs) == ["a"]


def test_run_that_cannot_begin_leaves_no_run_in_its_folder(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ConfigError, match="jobs=0: expected a whole number of at least 1"):
            runs.run([task("a")], "gold", jobs=0, output=tmp_path)


def test_who_continues_names_the_content_wherever_it_is_made(
    tmp_path: Path, hand: ByHand, begin: Callable[..., Rollouts]
) -> None:
    with begin("a", output=tmp_path):
        job = hand.jobs["a"]
        assert job.content == content_of(job, Conditions(), solver_of(job, Conditions()), None) != ""


def test_folder_of_another_solver_is_refused(tmp_path: Path, hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    with begin("a", output=tmp_path):
        hand.end("a")
    with pytest.raises(ConfigError, match="holds attempts of the solver 'gold'"):
        runs.run([task("a")], "empty", executor=hand, output=tmp_path, conditions=Conditions(resume=True))


def test_record_that_cannot_be_written_is_told(tmp_path: Path, hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    with begin("a", output=tmp_path) as rollouts:
        (tmp_path / "attempts").write_text("a file where a folder is wanted")
        hand.end("a")
        with pytest.raises(InfraError, match="a: its record could not be written"):
            next(rollouts)


def test_tasks_by_name_and_rows_that_are_chosen(tmp_path: Path, hand: ByHand, begin: Callable[..., Rollouts]) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(f'{{"instance_id": "{name}", "repo": "x", "fail_to_pass": ["t"]}}\n' for name in "uvw"))
    conditions = Conditions(root=str(tmp_path))
    with runs.run(["tasks.jsonl", task("a")], "gold", executor=hand, conditions=conditions):
        assert list(hand.jobs) == ["u", "v", "w", "a"]
    with runs.run(path, "gold", executor=hand, rows=runs.row_options(filters=["v"])):
        assert list(hand.jobs) == ["v"]
    with pytest.raises(ConfigError, match="nowhere"):
        runs.run("nowhere", "gold", executor=hand)


@pytest.mark.parametrize(
    ("solver", "said"),
    [("golden", "unknown solver 'golden'"), ("human", "needs a terminal"), (lambda task: None, "must take two")],
)
def test_wrong_solver_is_told_at_once(hand: ByHand, solver: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        runs.run([task("a")], solver, executor=hand)


def test_no_jobs_at_all_is_told() -> None:
    with pytest.raises(ConfigError, match="jobs=0: expected a whole number of at least 1"):
        runs.run([task("a")], "gold", jobs=0)


def test_executor_that_nobody_knows_is_told() -> None:
    with pytest.raises(ConfigError, match="executor='clowd': 'clowd' is not known; choose from: local, ray or module"):
        runs.run([task("a")], "gold", executor="clowd")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shards": "two"}, "shards='two': expected a whole number of at least 1, or auto"),
        ({"shards": 0}, "shards=0: expected a whole number of at least 1, or auto"),
        ({"shards": True}, "shards=True: expected a whole number"),
        ({"prefork": "yes"}, "prefork='yes': .*choose from: off, on"),
        ({"step_reward": "x"}, "step_reward='x': .*choose from: none, tests, .* or module:attr"),
        ({"reward": "frac"}, "reward='frac': .*choose from: resolved, .* did you mean 'fraction'"),
        ({"reward": len}, "reward=<built-in function len>: expected a name"),
        ({"fast_fail": "no"}, "fast_fail='no': expected True or False"),
        (
            {"fast_fail": True, "reward": "delta"},
            "fast_fail=True: .*reward='delta' counts all; choose reward='resolved'",
        ),
        ({"seed": "7"}, "seed='7': expected a number"),
        ({"seed": -1}, "seed=-1: expected a whole number of at least 0"),
        ({"max_steps": 1.5}, "max_steps=1.5: expected a whole number of at least 1"),
        ({"disk_budget": -1}, "disk_budget=-1: expected GiB"),
        ({"tools": "search"}, "tools='search': expected a list of texts, even of one"),
        ({"agent": [3]}, r"agent=\(3,\): expected a list of texts"),
        ({"judge": ""}, "judge='': expected a name"),
    ],
)
def test_condition_that_no_option_would_take_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Conditions(**given)


def test_conditions_are_as_the_options_take_them(tmp_path: Path) -> None:
    given = Conditions(shards="auto", tools=["search"], root=tmp_path, disk_budget=5, reward="mine:reward")  # type: ignore[arg-type]
    assert (given.processes, given.tools, given.folder, Conditions(shards=2).processes) == (0, ("search",), tmp_path, 2)
    assert Conditions.from_dict(given.to_dict()) == given


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"attempts": 0}, "attempts=0: expected a whole number of at least 1"),
        ({"jobs": "32"}, "jobs='32': expected a whole number of at least 0"),
        ({"rows": {"limit": 1}}, r"rows={'limit': 1}: expected what runs.row_options\(...\) makes"),
        ({"conditions": {"seed": 1}}, r"conditions={'seed': 1}: expected runs.Conditions\(...\)"),
        ({"conditions": {}}, r"conditions={}: expected runs.Conditions\(...\)"),
        ({"tasks": [3]}, "tasks=3: expected a name, a path or a Task"),
        ({"executor": 3}, "executor=3: expected local or ray, or a callable"),
    ],
)
def test_argument_of_a_wrong_kind_is_told(hand: ByHand, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        runs.run(**{"tasks": [task("a")], "solver": "gold", "executor": hand, **given})


def test_submit_tells_what_it_wants(begin: Callable[..., Rollouts]) -> None:
    rollouts: Any = begin("a")
    with pytest.raises(ConfigError, match=r"task='curriculum__1': expected a Task, as runs\.tasks_of gives them"):
        rollouts.submit("curriculum__1")
    with pytest.raises(ConfigError, match="priority='high': expected a number"):
        rollouts.submit(task("b"), priority="high")
    with pytest.raises(ConfigError, match="number=-1: expected a whole number of at least 0"):
        rollouts.submit(task("b"), number=-1)


@pytest.mark.parametrize(
    ("call", "given", "said"),
    [
        (Conditions, {"shard": 2}, "Conditions takes no 'shard'; did you mean 'shards'?; it takes: sandbox, reward"),
        (runs.run, {"attempt": 2}, "run takes no 'attempt'; did you mean 'attempts'"),
        (Rollouts.submit, {"prio": 2}, "Rollouts.submit takes no 'prio'; did you mean 'priority'"),
    ],
)
def test_unknown_argument_is_told_with_the_nearest(call: Callable[..., Any], given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        call(**given)


def test_page_names_every_condition() -> None:
    page = (Path(__file__).parents[3] / "docs" / "library.md").read_text(encoding="utf-8")
    table = page.partition("## Conditions")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` ", table, flags=re.MULTILINE) == [each.name for each in fields(Conditions)]
