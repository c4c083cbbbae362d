"""Ten thousand episodes on a hundred nodes, simulated: ``python benchmarks/simulate.py [--no-check] [--out FILE]``.

First the simulation is checked: what an episode takes is measured alone, 64 episodes with a model that takes its time
are simulated on this machine's cores, and then really run (``pytest_swegym.runs``, every attempt begun at once). Then
clusters are simulated at those costs, and at those of ``--costs START,STEP,GRADE`` (core seconds) if told so.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path


sys.path.insert(0, str(Path(__file__).parent))

import measure
from measure import Figure
from measure import figure
from simulation import Cluster
from simulation import Costs
from simulation import Load
from simulation import Outcome
from simulation import simulate

from pytest_swegym.grading import grade
from pytest_swegym.lab import Lab
from pytest_swegym.runs import Conditions
from pytest_swegym.runs import run
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import Task
from pytest_swegym.task.files import load_tasks
from pytest_swegym.workspace import Workspace


ROOT = Path(__file__).resolve().parents[1]
TASK = ROOT / "task_specs" / "itsdangerous__2.1.0.swegym.toml"
#: What an action of the checked episodes does: look, change, look again.
ACTION = "git status --short; grep -rn 'def ' src | head -20; python -c 'import json'"
CHECKED = Load(episodes=64, steps=8, attempts=64, latency=1.0)
#: Ten thousand alive at the same time, twice over; the snapshot of a middling repository with its packages.
LOAD = Load(episodes=20_000, steps=15, attempts=8, latency=5.0)
CLUSTER = Cluster(nodes=100, cores=8, room=100, link=120.0)
SNAPSHOT_MIB = 60.0
#: Core seconds of a grade whose tests take long.
HEAVY = 30.0


class Solver:
    """An agent whose model takes as long as the simulated one's; the next attempt is the next episode."""

    def __init__(self, load: Load) -> None:
        self._load, self._numbers, self._lock = load, itertools.count(), threading.Lock()

    def __call__(self, task: Task, workspace: Workspace) -> None:
        with self._lock:
            number = next(self._numbers)
        shell = workspace.shell()
        for seconds in self._load.replies(number):
            time.sleep(seconds)
            shell.run(ACTION)
        workspace.write("left.txt", "something to grade\n")


def alone(task: Task, runs: int) -> Costs:
    """The parts of an episode, one by one with nothing else to do: seconds, of which nearly all need a core."""
    lab = Lab(make_backend("bubblewrap"))
    prepared = lab.prepare(task)
    times: dict[str, list[float]] = {"start": [], "step": [], "grade": []}
    for _ in range(runs):
        begun = time.perf_counter()
        with lab.workspace(task.spec, prepared.snapshot) as workspace:
            shell = workspace.shell()
            shell.run("true")
            times["start"].append(time.perf_counter() - begun)
            for _ in range(3):
                begun = time.perf_counter()
                shell.run(ACTION)
                times["step"].append(time.perf_counter() - begun)
            workspace.write("left.txt", "something to grade\n")
            patch = workspace.diff()
        begun = time.perf_counter()
        with lab.workspace(prepared.task.spec, prepared.snapshot) as workspace:
            grade(prepared.task, patch, workspace, baseline=prepared.baseline)
        times["grade"].append(time.perf_counter() - begun)
    lab.close()
    return Costs(**{name: statistics.median(values) for name, values in times.items()})


def really(task: Task, load: Load) -> Outcome:
    """The same episodes, run."""
    outcome, begun = Outcome(), time.perf_counter()
    conditions = Conditions(sandbox="bubblewrap", no_cache=True, root=str(ROOT))
    with run([task], Solver(load), attempts=load.episodes, jobs=load.episodes, conditions=conditions) as rollouts:
        for done in rollouts:
            if done.record.verdict.value == "infra_error":
                raise RuntimeError(f"an episode went wrong: {done.record.reasons}")
            outcome.durations.append(sum(done.record.stages.values()))
    outcome.seconds = time.perf_counter() - begun
    return outcome


def checked(task: Task, costs: Costs, cores: int) -> Iterator[Figure]:
    """Simulated, and run: how long it takes in all, and how long an episode."""
    cluster = Cluster(nodes=1, cores=cores, room=CHECKED.episodes)
    title = f"check: {CHECKED.episodes} episodes on {cores} cores"
    for name, outcome in {"simulated": simulate(cluster, CHECKED, costs), "run": really(task, CHECKED)}.items():
        yield figure(f"{title}, {name}: all of them", [outcome.seconds], "s")
        yield figure(f"{title}, {name}: one episode", outcome.durations, "s")


def scenarios() -> Iterator[tuple[str, Cluster, Load]]:
    """What is varied, one thing at a time."""
    yield "cluster of 100 nodes of 8 cores", CLUSTER, LOAD
    for nodes in (1, 4, 16):
        part = replace(LOAD, episodes=LOAD.episodes * nodes // 100)
        yield f"cluster of {nodes} nodes of 8 cores, as many episodes on each", replace(CLUSTER, nodes=nodes), part
    for cores in (1, 2, 4):
        yield f"cluster of 100 nodes of {cores} cores", replace(CLUSTER, cores=cores), LOAD
    yield "cluster of 100 nodes of 8 cores, one lost every 30 s", replace(CLUSTER, loss=30.0), LOAD
    yield "cluster of 100 nodes of 8 cores, a model twice as fast", CLUSTER, replace(LOAD, latency=LOAD.latency / 2)
    yield "cluster of 100 nodes of 8 cores, 64 episodes looked ahead", replace(CLUSTER, look=64), LOAD
    yield "cluster of 100 nodes of 8 cores, a task for each episode", CLUSTER, replace(LOAD, attempts=1)


def told(name: str, cluster: Cluster, load: Load, costs: Costs) -> Iterator[Figure]:
    outcome = simulate(cluster, load, costs)
    yield figure(f"{name}: rate", [outcome.rate * 60], "episodes/min")
    yield figure(f"{name}: one episode", outcome.durations, "s")
    yield figure(f"{name}: cores in use", [outcome.busy * 100], "%")
    yield figure(f"{name}: of an episode, waiting for a core", [outcome.waited * 100], "%")
    yield figure(f"{name}: shipped to each node", [outcome.shipped_mib / cluster.nodes / 1024], "GiB")
    if cluster.loss:
        yield figure(f"{name}: begun again", [float(outcome.begun_again)], "episodes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--no-check", action="store_true", help="do not run the 64 episodes")
    parser.add_argument("--costs", default="", metavar="START,STEP,GRADE", help="core seconds, instead of measuring")
    parser.add_argument("--out", type=Path, default=None, help="write the figures as JSON too")
    options = parser.parse_args()
    (task,) = load_tasks(TASK)
    print(f"machine: {measure.machine()}\n")
    given = [float(word) for word in options.costs.split(",") if word]
    costs = Costs(start=given[0], step=given[1], grade=given[2]) if given else alone(task, options.runs)
    parts = {"start": costs.start, "step": costs.step, "grade": costs.grade}
    figures = measure.show([figure(f"cost of an episode: {name}", [each * 1000]) for name, each in parts.items()])
    if not options.no_check:
        figures += measure.show(list(checked(task, costs, os.cpu_count() or 1)))
    costs = replace(costs, snapshot_mib=SNAPSHOT_MIB)
    for name, cluster, load in scenarios():
        figures += measure.show(list(told(name, cluster, load, costs)))
    heavy = replace(costs, grade=HEAVY)
    figures += measure.show(
        list(told(f"cluster of 100 nodes of 8 cores, tests of {HEAVY:.0f} s", CLUSTER, LOAD, heavy))
    )
    measure.write(figures, options.out)


if __name__ == "__main__":
    main()
