"""More attempts than cores: what is gained, who waits how long, and whether anybody dies or starves.

python benchmarks/admission.py                         # 64 attempts, about a minute
python benchmarks/admission.py --attempts 256 --think 5
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from measure import Figure
from measure import figure
from measure import machine
from measure import show

from pytest_swegym import runs
from pytest_swegym.admission import Machine
from pytest_swegym.admission import Turns
from pytest_swegym.runs.job import make_lab
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


#: When each attempt's solver began and ended.
_Times = dict[int, tuple[float, float]]
#: A test that computes for a fifth of a second or so.
TESTS = (
    "import unittest\nimport calc\n\n\nclass TestCalc(unittest.TestCase):\n    def test_add(self):\n"
    "        self.assertEqual(sum(calc.add(n, 1) for n in range(2_000_000)), 2_000_001_000_000)\n"
)
CALC = "def add(a, b):\n    return a - b\n"


def task_at(folder: Path) -> Task:
    (folder / "calc.py").write_text(CALC)
    return Task.from_dict(
        {
            "instance_id": "calc",
            "repo": str(folder),
            "runner": "unittest",
            "test_files": {"test_calc.py": TESTS},
            "fail_to_pass": ["test_calc.TestCalc.test_add"],
        }
    )


def solver(think: float, times: _Times) -> Callable[[TaskSpec, Workspace], str | None]:
    """Thinks three times as a model does, without computing, and acts in between; every answer is another."""

    def solve(task: TaskSpec, workspace: Workspace) -> str | None:
        began = time.perf_counter()
        for step in range(3):
            time.sleep(think / 3)
            workspace.run(f"echo step {step}; cat calc.py")
        number = workspace.occasion.number
        workspace.run(f"sed -i 's/a - b/a + b  # {number}/' calc.py")
        times[number] = began, time.perf_counter()
        return None

    return solve


class Watch:
    """The least memory that was free, read every tenth of a second."""

    def __init__(self) -> None:
        self.least = Machine().read().memory.free
        self._over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        probe = Machine()
        while not self._over.wait(0.1):
            self.least = min(self.least, probe.read().memory.free)

    def end(self) -> float:
        self._over.set()
        return self.least / 2**20


def overtaken(asked: dict[int, float], ended: list[int]) -> int:
    """By how many places any attempt ended later than it asked to be graded: fewer than cores is perfect order."""
    places = {number: place for place, number in enumerate(sorted(asked, key=asked.__getitem__))}
    return max(place - places[number] for place, number in enumerate(ended))


def run(task: Task, attempts: int, jobs: int, think: float) -> tuple[list[Any], Turns, float, _Times]:
    """All attempts in the order of their ends, their slots, the seconds of all, and the times of each solver."""
    conditions, times = runs.Conditions(sandbox="bubblewrap", no_cache=True), _Times()
    lab = make_lab(conditions)
    lab.prepare(task)
    began = time.perf_counter()
    try:
        options: Any = {"attempts": attempts, "jobs": jobs, "conditions": conditions}
        with runs.run(
            task, solver(think, times), executor=lambda terms: runs.LocalExecutor(terms, lab=lab), **options
        ) as rollouts:
            records = [done.record for done in rollouts]
        failed = [record for record in records if not record.resolved]
        if failed:
            raise RuntimeError(f"{len(failed)} of {attempts} attempts failed: {failed[0].error or failed[0].reasons}")
        return records, lab.admission.turns, time.perf_counter() - began, times
    finally:
        lab.close()


def measure(attempts: int, think: float) -> list[Figure]:
    cores = Machine().cores
    with tempfile.TemporaryDirectory() as folder:
        task = task_at(Path(folder))
        watch = Watch()
        free, cpu = Machine().read().memory.free / 2**20, resource.getrusage(resource.RUSAGE_CHILDREN)
        many, turns, wall, times = run(task, attempts, attempts, think)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        few, _, narrow, _ = run(task, attempts // 4, cores, think)
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    asked, order = {number: end for number, (_, end) in times.items()}, [record.attempt for record in many]
    graded = [record.stages["grade"] for record in many if "grade" in record.stages]
    name = f"{attempts} attempts asked on {cores} cores"
    return [
        figure(f"{name}: resolved", [sum(record.resolved for record in many)], "count"),
        figure(f"{name}: all of them", [wall], "s"),
        figure(f"{cores} at a time instead, as many attempts", [narrow * attempts / len(few)], "s"),
        figure(
            f"{name}: a solver, of which {think:g} s are its model's",
            [end - began for began, end in times.values()],
            "s",
        ),
        figure(f"{name}: a grade, waiting for a core included", graded, "s"),
        figure(f"{name}: longest wait for a core", [turns.longest], "s"),
        figure(f"{name}: mean wait for a core", [turns.waited / max(1, turns.given)], "s"),
        figure(f"{name}: places by which one was overtaken, from answer to grade", [overtaken(asked, order)], "count"),
        figure(f"{name}: processor seconds of what ended", [used], "s"),
        figure(f"{name}: memory taken at most", [free - watch.end()], "MiB"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=64)
    parser.add_argument("--think", type=float, default=3.0, help="seconds that a solver waits for its model")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    figures = show(measure(options.attempts, options.think))
    if options.out is not None:
        options.out.write_text(json.dumps({"machine": machine(), "figures": [asdict(each) for each in figures]}))


if __name__ == "__main__":
    main()
