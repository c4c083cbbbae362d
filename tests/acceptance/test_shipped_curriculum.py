"""Every task of the shipped curriculum: its reference scores 1; doing nothing and an almost right attempt, less."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.episode import Attempt
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.rows import RowOptions
from pytest_swegym.rows import load
from pytest_swegym.rows.curriculum import read_curriculum
from pytest_swegym.rows.curriculum import shipped
from pytest_swegym.solvers import load_solver
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import Verdict
from pytest_swegym.workspace import Workspace


TABLE = Path(__file__).parents[2] / "docs" / "curriculum-tasks.md"
CATEGORIES = {"Shell", "Git", "Python", "Debugging", "Refactoring", "Review", "Data", "C"}
RAW: dict[str, dict[str, Any]] = read_curriculum(shipped())
#: An empty start, modes of files, and commits that only the reflog names: played on Docker too.
ON_DOCKER = ("1", "5", "27")
ONE_OF_EACH = list({task["category"]: number for number, task in RAW.items()}.values())
OK = {"passed"}

bubblewrap = pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
docker = pytest.mark.parametrize("lab", ["docker"], indirect=True)


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {entry.task.id.rpartition("__")[2]: entry.task for entry in load("curriculum", RowOptions())}


def play(lab: Lab, task: Task, solver: Any) -> AttemptRecord:
    def reward(spec: TaskSpec, grade: Grade) -> float:
        return compute_reward("fraction", grade)

    attempt = Attempt(task, solver, lab, reward=reward, reward_name="fraction")
    try:
        return attempt.record()
    finally:
        attempt.close()


def near_miss(number: str) -> Any:
    """A solver that does what the task's ``near_miss`` says."""

    def solve(task: TaskSpec, workspace: Workspace) -> None:
        result = workspace.run(RAW[number]["near_miss"], timeout=60)
        assert result.exit_code == 0, result.output

    return solve


def failed(record: AttemptRecord) -> list[str]:
    outcomes = {**record.fail_to_pass, **record.pass_to_pass}
    return sorted(name for name, outcome in outcomes.items() if outcome.value not in OK)


def reference_scores_1(lab: Lab, task: Task) -> None:
    record = play(lab, task, load_solver("gold"))
    assert (record.error, failed(record)) == ("", [])
    assert (record.verdict, record.reward) == (Verdict.RESOLVED, 1.0)


def near_miss_is_noticed(lab: Lab, number: str, task: Task) -> None:
    record = play(lab, task, near_miss(number))
    assert (record.verdict, record.error) == (Verdict.UNRESOLVED, "")
    assert failed(record) == sorted(RAW[number]["near_miss_fails"])
    assert record.reward is not None
    assert 0 <= record.reward < 1


def nothing_is_not_enough(lab: Lab, task: Task) -> None:
    record = play(lab, task, load_solver("empty"))
    assert (record.verdict, record.error) == (Verdict.UNRESOLVED, "")
    assert failed(record) == sorted(task.hidden.fail_to_pass)
    assert record.reward == len(task.hidden.pass_to_pass) / len(task.hidden.checks)


@bubblewrap
@pytest.mark.parametrize("number", RAW)
def test_reference_and_near_miss(number: str, lab: Lab, tasks: dict[str, Task]) -> None:
    reference_scores_1(lab, tasks[number])
    near_miss_is_noticed(lab, number, tasks[number])


@bubblewrap
@pytest.mark.parametrize("number", RAW)
def test_every_check_to_be_won_fails_at_the_start(number: str, lab: Lab, tasks: dict[str, Task]) -> None:
    """What the checks say of the start is measured when a task is prepared; that is the grade of doing nothing."""
    prepared = lab.prepare(tasks[number])
    failing = {name for name, outcome in prepared.baseline.tests.items() if outcome.value not in OK}
    assert failing == set(prepared.task.hidden.fail_to_pass)
    assert failing
    lab.release(tasks[number])


@bubblewrap
@pytest.mark.parametrize("number", ONE_OF_EACH)
def test_doing_nothing_scores_what_holds_at_the_start(number: str, lab: Lab, tasks: dict[str, Task]) -> None:
    nothing_is_not_enough(lab, tasks[number])


@docker
@pytest.mark.parametrize("number", ON_DOCKER)
def test_the_same_on_docker(number: str, lab: Lab, tasks: dict[str, Task]) -> None:
    reference_scores_1(lab, tasks[number])
    near_miss_is_noticed(lab, number, tasks[number])
    nothing_is_not_enough(lab, tasks[number])


@bubblewrap
def test_hello_world_is_exact(lab: Lab, tasks: dict[str, Task]) -> None:
    task = tasks["1"]
    assert task.spec.problem_statement == "Write a Python file `hello.py` printing the string 'Hello, World!'"
    rewards = {}
    for text in ("Hello, World!", "Hello, world!", "Hello, World"):

        def say(spec: TaskSpec, workspace: Workspace, text: str = text) -> None:
            workspace.write("hello.py", f"print({text!r})\n")

        rewards[text] = play(lab, task, say).reward
    assert rewards == {"Hello, World!": 1.0, "Hello, world!": 0.0, "Hello, World": 0.0}


def test_it_is_a_curriculum() -> None:
    assert list(RAW) == [str(number) for number in range(1, len(RAW) + 1)]
    assert len(RAW) >= 25
    levels = [task["level"] for task in RAW.values()]
    assert levels == sorted(levels)
    counts = Counter(task["category"] for task in RAW.values())
    assert set(counts) == CATEGORIES
    assert min(counts.values()) >= 3
    assert RAW["1"]["title"] == "Hello World"


@pytest.mark.parametrize("number", RAW)
def test_each_task_is_whole(number: str) -> None:
    task = RAW[number]
    assert all(task[key].strip() for key in ("title", "teaches", "description", "solution", "near_miss"))
    names = {check["name"] for check in task["checks"]}
    assert task["near_miss_fails"]
    assert set(task["near_miss_fails"]) <= names
    assert all("stdout" in check for check in task["checks"])  # no check goes by an exit code alone


def test_the_table_in_the_manual_is_the_curriculum() -> None:
    rows = [f"| {n} | {t['category']} | {t['title']} | {t['teaches']} |" for n, t in RAW.items()]
    written = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line[:3].strip("| ").isdigit()]
    assert written == rows


@pytest.mark.parametrize("number", RAW)
def test_needs_names_the_programs_that_a_machine_may_lack(number: str) -> None:
    task = RAW[number]
    scripts = "\n".join([task.get("setup", ""), task["solution"], *(check["run"] for check in task["checks"])])
    started = {line.split()[0] for line in scripts.splitlines() if line.split()} & {"gcc", "make", "git"}
    assert started <= set(task.get("needs", ()))
