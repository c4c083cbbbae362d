"""Attempts on a cluster of Ray: what one costs more than here, what more nodes bring, what shipping a snapshot takes.

All nodes are on this machine, each with a cache of its own: figures of network and of many cores are not here.

python benchmarks/cluster.py                    # 1, 2 and 4 nodes, a minute or two
python benchmarks/cluster.py --think 20 --nodes 1 4 8
"""

from __future__ import annotations

import argparse
import json
import os
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
from measure import memory_of_tree
from measure import show

from pytest_swegym.errors import InfraError
from pytest_swegym.runs import Conditions
from pytest_swegym.runs import Done
from pytest_swegym.runs import Job
from pytest_swegym.runs import Terms
from pytest_swegym.runs.local import LocalExecutor
from pytest_swegym.runs.ray import RayExecutor
from pytest_swegym.task import Task


CALC = "def add(a, b):\n    return a - b\n"
TESTS = (
    "import unittest\nimport calc\n\n\nclass TestCalc(unittest.TestCase):\n    def test_add(self):\n"
    "        self.assertEqual(calc.add(1, 2), 3)\n"
)
SOLVERS = """
import time

def fix(task, workspace):
    workspace.write("calc.py", workspace.read("calc.py").replace("a - b", "a + b"))

def think(task, workspace):
    time.sleep({think})
    fix(task, workspace)
"""
MEMORY = 80 * 2**20


class Round:
    """An executor, and the waiting for what comes of its jobs."""

    def __init__(self, make: Callable[[Terms], Any], root: Path, jobs: int) -> None:
        self._ended = threading.Condition()
        self.done: dict[str, Done | Exception] = {}
        self.starts: dict[str, float] = {}
        conditions = Conditions(sandbox="bubblewrap", no_cache=True, root=str(root))
        self.executor = make(Terms(conditions=conditions, jobs=jobs, ended=self._end, on_event=self._happened))

    def _end(self, job: Job, what: Done | Exception) -> None:
        with self._ended:
            self.done[job.key] = what
            self._ended.notify_all()

    def _happened(self, key: str, event: Any) -> None:
        self.starts.setdefault(key, time.perf_counter())

    def make(self, task: Task, solver: str, numbers: range) -> list[Done]:
        """Attempts at a task, all of them ended. Raises what one failed with."""
        jobs = [Job(task=task, solver=solver, number=number) for number in numbers]
        for job in jobs:
            self.executor.submit(job)
        with self._ended:
            self._ended.wait_for(lambda: all(job.key in self.done for job in jobs), timeout=600)
        found = [self.done.get(job.key, InfraError("no end in ten minutes")) for job in jobs]
        for each in found:
            if isinstance(each, Exception):
                raise each
            if not each.record.resolved:
                raise InfraError(f"{each.record.key}: {each.record.error or each.record.reasons}")
        return [each for each in found if isinstance(each, Done)]

    def close(self) -> None:
        self.executor.close()


class Nodes:
    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self._folder, self._count = folder, 0
        self.cluster: Any = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": MEMORY},
        )

    def grow(self, count: int) -> None:
        while self._count < count:
            cache = self._folder / f"node-{self._count}"
            self.cluster.add_node(num_cpus=1, object_store_memory=MEMORY, env_vars={"SWEGYM_CACHE": str(cache)})
            self._count += 1

    def executor(self, terms: Terms) -> RayExecutor:
        return RayExecutor(terms, address=self.cluster.address)


def project(folder: Path, think: float) -> tuple[Path, Task, Task]:
    """A folder with solvers, a small task, and one whose repository has 5,000 files."""
    root = folder / "project"
    for name in ("small", "large"):
        (root / name).mkdir(parents=True)
        (root / name / "calc.py").write_text(CALC)
    for number in range(5000):
        path = root / "large" / f"package-{number // 100}" / f"file-{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(5000).hex().encode())
    (root / "solvers.py").write_text(SOLVERS.format(think=think))
    fields = {"runner": "unittest", "test_files": {"test_calc.py": TESTS}, "timeout": 300, "solve_timeout": 300,
              "fail_to_pass": ["test_calc.TestCalc.test_add"]}  # fmt: skip
    small = Task.from_dict({**fields, "instance_id": "small", "repo": "./small"})
    return root, small, Task.from_dict({**fields, "instance_id": "large", "repo": "./large"})


def overhead(nodes: Nodes, root: Path, task: Task, count: int) -> list[Figure]:
    """One attempt after the other, here and on the cluster in turn; the task is prepared on both."""
    here, there = Round(LocalExecutor, root, 1), Round(nodes.executor, root, 1)
    times: dict[str, list[float]] = {"here": [], "on a node": []}
    try:
        for number in range(count + 1):
            for name, each in (("here", here), ("on a node", there)):
                started = time.perf_counter()
                each.make(task, "solvers.py:fix", range(number, number + 1))
                if number:
                    times[name].append((time.perf_counter() - started) * 1000)
        return [figure(f"one attempt, {name}", values) for name, values in times.items()]
    finally:
        here.close()
        there.close()


def throughput(nodes: Nodes, root: Path, task: Task, count: int, slots: int, waves: int) -> list[Figure]:
    """Attempts that wait for a model, ``slots`` at a time on each of ``count`` nodes."""
    nodes.grow(count)
    round_ = Round(nodes.executor, root, slots * count)
    try:
        asked = time.perf_counter()
        round_.make(task, "solvers.py:fix", range(1000, 1000 + count * slots))  # all workers live, all is prepared
        ready = time.perf_counter() - asked
        started = time.perf_counter()
        round_.make(task, "solvers.py:think", range(count * slots * waves))
        seconds = time.perf_counter() - started
        named, rate = f"{count} nodes" if count > 1 else "1 node", count * slots * waves * 60 / seconds
        return [
            figure(f"attempts per minute, {slots} at a time on each of {named}", [rate], "/min"),
            figure(f"from the first order to {count * slots} attempts done on {named}", [ready], "s"),
            figure(f"memory of a worker, {slots} attempts at a time, {named}", workers() or [0.0], "MiB"),
        ]
    finally:
        round_.close()


def workers() -> list[float]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::Hand"):
                found.append(memory_of_tree(int(path.parent.name)))
        except OSError:
            continue
    return found


def shipping(nodes: Nodes, root: Path, task: Task) -> list[Figure]:
    """A repository of 5,000 files and 50 MB: prepared on one node, brought to the others."""
    round_ = Round(nodes.executor, root, nodes._count)
    try:
        done = round_.make(task, "solvers.py:think", range(nodes._count))
        total, each = round_.executor.shipped()
        size, others = total.bytes / 2**20, nodes._count - 1
        checkouts = sorted(found.record.stages["checkout"] for found in done)
        return [
            figure("snapshots shipped more than once to a node", [float(sum(n > 1 for n in each.values()))], "count"),
            figure("a snapshot of 5,000 files: MiB shipped to each node", [size / others], "MiB"),
            figure("a snapshot of 5,000 files: shipped to a node", [total.seconds / others], "s"),
            figure("a snapshot of 5,000 files: made on the first node", [checkouts[0]], "s"),
            figure("a snapshot of 5,000 files: until the last node has it", [checkouts[-1]], "s"),
        ]
    finally:
        round_.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="attempts whose overhead is measured")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--slots", type=int, default=4, help="attempts at a time on a node")
    parser.add_argument("--think", type=float, default=6.0, help="seconds that a solver waits for its model")
    parser.add_argument("--waves", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="swegym-cluster-") as name:
        folder = Path(name)
        os.environ["SWEGYM_CACHE"] = str(folder / "driver")
        root, small, large = project(folder, given.think)
        nodes = Nodes(folder)
        try:
            nodes.grow(1)
            figures += show(overhead(nodes, root, small, given.runs))
            for count in given.nodes:
                figures += show(throughput(nodes, root, small, count, given.slots, given.waves))
            figures += show(shipping(nodes, root, large))
        finally:
            nodes.cluster.shutdown()
    if given.out is not None:
        report = {"machine": machine(), "figures": [asdict(each) for each in figures]}
        given.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
