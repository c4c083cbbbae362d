"""What every task of a curriculum is worth to its reference, to doing nothing and to its near miss.

python benchmarks/curriculum_scores.py [--tasks curriculum] [--sandbox bubblewrap] [--only 1,7,12]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pytest_swegym.episode import Attempt
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.rows import RowOptions
from pytest_swegym.rows import load
from pytest_swegym.rows.curriculum import read_curriculum
from pytest_swegym.rows.curriculum import shipped
from pytest_swegym.sandbox import make_backend
from pytest_swegym.solvers import load_solver
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=Path, default=shipped(), help="a curriculum.json (default: the shipped one)")
    parser.add_argument("--sandbox", default="bubblewrap")
    parser.add_argument("--only", default="", help="task ids, separated by commas")
    options = parser.parse_args()
    only = set(filter(None, options.only.split(",")))
    lab = Lab(make_backend(options.sandbox))
    print(f"{'id':>3}  {'category':<12} {'title':<32} {'reference':>9} {'empty':>6} {'near miss':>9}")
    wrong = 0
    try:
        scripts = read_curriculum(options.tasks)
        for entry in load(str(options.tasks), RowOptions()):
            number = entry.task.id.rpartition("__")[2]
            if not only or number in only:
                scores = [play(lab, entry.task, solver) for solver in solvers(scripts[number].get("near_miss", ""))]
                wrong += scores[0] != "1.00" or "1.00" in scores[1:]
                reference, empty, missed = scores
                print(f"{number:>3}  {entry.task.spec.tags[0]:<12} {entry.task.spec.title:<32} ", end="")
                print(f"{reference:>9} {empty:>6} {missed:>9}", flush=True)
    finally:
        lab.close()
    return min(wrong, 1)


def solvers(near_miss: str) -> list[Any]:
    def solve(task: TaskSpec, workspace: Workspace) -> None:
        workspace.run(near_miss)

    return [load_solver("gold"), load_solver("empty"), solve]


def play(lab: Lab, task: Task, solver: Any) -> str:
    """The ``fraction`` reward with two digits; why there is none, if the machinery failed."""

    def reward(spec: TaskSpec, grade: Grade) -> float:
        return compute_reward("fraction", grade)

    attempt = Attempt(task, solver, lab, reward=reward)
    try:
        record: AttemptRecord = attempt.record()
    finally:
        attempt.close()
    return record.verdict.value if record.reward is None else f"{record.reward:.2f}"


if __name__ == "__main__":
    sys.exit(main())
