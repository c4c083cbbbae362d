"""What a solver may know of its attempt: nothing hidden, unless it says so, and then the record tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.episode import Attempt
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Occasion
from pytest_swegym.workspace import Workspace


pytestmark = pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True, scope="session")
FIX = "sed -i 's/a - b/a + b/' calc.py"


def attempt(task: Task, lab: Lab, solver: Any) -> AttemptRecord:
    return Attempt(task, solver, lab, reward=lambda spec, grade: compute_reward("resolved", grade)).record()


def test_a_solver_sees_neither_grades_nor_the_paths_of_the_solution(task: Task, lab: Lab) -> None:
    seen: list[Any] = []

    def solve(spec: TaskSpec, workspace: Workspace) -> None:
        seen.append((workspace.occasion.score, workspace.occasion.oracle))

    record = attempt(task, lab, solve)
    assert seen == [(None, ())]
    assert "graded_looks" not in record.extra


def test_a_graded_solver_searches_by_the_reward_and_its_record_says_so(task: Task, lab: Lab) -> None:
    class Search:
        graded = True
        rewards: tuple[float, ...] = ()

        def __call__(self, spec: TaskSpec, workspace: Workspace) -> str:
            assert workspace.occasion.score is not None
            before = workspace.occasion.score(workspace)
            with workspace.branch() as branch:
                branch.run(FIX)
                fixed, patch = workspace.occasion.score(branch), branch.diff()
            self.rewards = (before, fixed)
            return patch

    search = Search()
    record = attempt(task, lab, search)
    assert search.rewards == (0.0, 1.0)
    assert record.resolved
    assert record.extra["graded_looks"] == 2


def test_the_folder_of_an_attempt_is_there_when_its_solver_begins(task: Task, lab: Lab, tmp_path: Path) -> None:
    def solve(spec: TaskSpec, workspace: Workspace) -> None:
        assert workspace.occasion.folder is not None
        (workspace.occasion.folder / "notes.txt").write_text("begun")

    folder = tmp_path / "attempts" / "calc-1"
    Attempt(task, solve, lab, reward=lambda spec, grade: 0.0, occasion=Occasion(folder=folder)).record()
    assert (folder / "notes.txt").read_text() == "begun"


def test_an_oracle_solver_knows_the_paths_of_the_solution_only(task: Task, lab: Lab) -> None:
    class Told:
        oracle = True
        paths: tuple[str, ...] = ()

        def __call__(self, spec: TaskSpec, workspace: Workspace) -> str:
            self.paths = workspace.occasion.oracle
            assert workspace.occasion.score is None
            return ""

    told = Told()
    record = attempt(task, lab, told)
    assert told.paths == ("calc.py",)
    assert record.extra["oracle"] is True
