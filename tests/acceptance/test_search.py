"""Searches in real sandboxes: candidates in branches, the best of several, and a population of prompts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.config import BestOf
from pytest_swegym.agents.search import BestOfSolver
from pytest_swegym.episode import Attempt
from pytest_swegym.errors import InfraError
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.solvers import LoadedSolver
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import Verdict
from pytest_swegym.workspace import Occasion
from pytest_swegym.workspace import Workspace


one_backend = pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True, scope="session")
FIX = "sed -i 's/a - b/a + b/' calc.py"
BREAK = "sed -i 's/a - b/a + b/; s/a \\* 2/a * 3/' calc.py"
OTHER = "sed -i 's/a - b/b - a/' calc.py"
Solve = Callable[[TaskSpec, Workspace], "str | None"]


def inner(function: Solve, **wants: bool) -> LoadedSolver:
    return LoadedSolver(name="own", identity="own", function=function, **wants)


def attempt(task: Task, lab: Lab, solver: Any, folder: Path | None = None, seed: int = 1) -> AttemptRecord:
    return Attempt(
        task,
        solver,
        lab,
        reward=lambda spec, grade: compute_reward("resolved", grade),
        seed=seed,
        occasion=Occasion(folder=folder),
    ).record()


def best_of(count: int, function: Solve, *, graded: bool = False, **how: Any) -> LoadedSolver:
    config = AgentConfig(best_of=BestOf(**how))
    solver = BestOfSolver(inner(function), count, config)
    return LoadedSolver(name=f"best_of:{count}", identity="", function=solver, graded=graded)


def commands(*each: str) -> Solve:
    """What the candidates do, one after the other."""

    def solve(task: TaskSpec, workspace: Workspace) -> None:
        workspace.run(each[workspace.occasion.number % len(each)])

    return solve


@pytest.mark.usefixtures("no_sandbox_left")
def test_the_visible_tests_choose(task: Task, lab: Lab, tmp_path: Path) -> None:
    solver = best_of(4, commands("true", BREAK, "kill -9 -1", FIX), select="tests")
    record = attempt(task, lab, solver, tmp_path)
    assert record.resolved, record.reasons
    assert record.extra["selected"] == {"by": "tests"}
    told = {each["number"]: each for each in record.extra["candidates"]}
    assert [each["chosen"] for each in told.values()] == [False, False, False, True]
    assert told[1]["tests"] == {"fixed": 0, "broken": 1, "run": 1}
    assert told[3]["tests"] == {"fixed": 0, "broken": 0, "run": 1}
    assert told[0]["error"] == told[3]["error"] == ""
    assert told[0]["patch_sha"] == ""
    assert len({each["seed"] for each in told.values()}) == 4
    assert "graded_looks" not in record.extra
    assert (tmp_path / "candidates" / "3" / "patch.diff").read_text() == record.patch
    assert not (tmp_path / "candidates" / "0" / "patch.diff").exists()


@pytest.fixture
def no_sandbox_left(lab: Lab) -> Iterator[None]:
    yield
    backend: Any = lab.backend
    assert not [sandbox for sandbox in backend._sandboxes if not getattr(sandbox, "closed", False)]
