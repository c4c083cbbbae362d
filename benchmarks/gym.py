"""What an episode costs, on both backends in one run: ``python benchmarks/gym.py [--runs N]``.

Reset is a fresh sandbox and its shell; a step is ``echo``; a fork is a sandbox started from a snapshot, and its shell.
Then the same through the environment, at Hello World of the shipped curriculum: observations with the diff since the
start and the tree's name, and without; the end is graded.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


sys.path.insert(0, str(Path(__file__).parent))

import measure
from measure import Figure
from measure import figure
from measure import interleaved

from pytest_swegym.sandbox import Backend
from pytest_swegym.sandbox import Dropper
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import EnvironmentSpec


STEP = "echo done"
CHANGE = "mkdir -p /srv/work && for i in 1 2 3 4 5 6 7 8 9; do echo $i > /srv/work/$i; done"
EPISODES, STEPS, AT_ONCE = 100, 30, 4


def measured(backend: Backend, base: Snapshot, runs: int) -> list[Figure]:
    """Reset, step, snapshot, fork, and many episodes."""
    figures = [*singles(backend, base, runs), *episodes(backend, base)]
    return [Figure(f"{backend.name}: {f.name}", f.median, f.spread, f.runs, f.unit) for f in figures]


def singles(backend: Backend, base: Snapshot, runs: int) -> list[Figure]:
    with backend.start(base) as sandbox:
        shell = sandbox.shell()
        shell.run(CHANGE)
        moment = sandbox.snapshot()

        def snapshot() -> None:
            taken = sandbox.snapshot()
            if isinstance(backend, Dropper):
                backend.drop(taken)

        steps = interleaved({"one step": lambda: shell.run(STEP)}, runs=runs * 20)
        rest = interleaved(
            {
                "reset: a fresh sandbox and its first step": lambda: fresh(backend, base),
                "snapshot (and its removal)": snapshot,
                "fork: a sandbox of a snapshot and its first step": lambda: fresh(backend, moment),
            },
            runs=runs,
        )
        told = interleaved({"the shell's state, told": shell.state}, runs=runs)
    return [*steps.values(), *rest.values(), *told.values()]


def fresh(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        sandbox.shell().run(STEP)


def episodes(backend: Backend, base: Snapshot) -> list[Figure]:
    """Wall time and rate of many episodes in one process, and what the process and its sandboxes take meanwhile."""
    gc.collect()
    peak = [0.0]

    def episode(number: int) -> None:
        with backend.start(base) as sandbox:
            shell = sandbox.shell()
            for step in range(STEPS):
                shell.run(f"echo {step} > /tmp/f")
            if number % 10 == 5:
                peak[0] = max(peak[0], measure.memory_of_tree(os.getpid()))

    wall = timed(lambda: list(_map(episode)))
    name = f"{EPISODES} episodes of {STEPS} steps, {AT_ONCE} at once"
    return [
        figure(f"{name}: wall", [wall], "s"),
        figure(f"{name}: rate", [EPISODES * STEPS / wall], "steps/s"),
        figure(f"{name}: memory, highest seen", [peak[0]], "MiB"),
    ]


def _map(episode: Callable[[int], None]) -> list[None]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(episode, range(EPISODES)))


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def environment(name: str, runs: int) -> list[Figure]:
    """The same through ``SWEGymEnv``; a grade is one check in a fork of its own."""
    from pytest_swegym.env import SWEGymEnv

    at, say = {"task_id": "1"}, json.dumps({"action": "command", "command": STEP})
    with (
        SWEGymEnv(tasks="curriculum", sandbox=name, cache=False) as env,
        SWEGymEnv(tasks="curriculum", sandbox=name, watch=False) as blind,
    ):
        env.reset(options=at)
        blind.reset(options=at)
        blind.step(say)
        steps = {
            "a step, files watched": lambda: env.step(say),
            "a step, files not watched": lambda: blind.step(say),
        }
        figures = interleaved(steps, runs=runs * 10)
        rest = {
            "reset": lambda: env.reset(options=at),
            "snapshot": env.snapshot,
            "fork, and its close": lambda: env.fork().close(),
        }
        figures |= interleaved(rest, runs=runs)
        ends = []
        for _ in range(runs):
            env.reset(options=at)
            env.step(say)
            ends.append(timed(lambda: env.step('{"action": "submit"}')) * 1000)
    found = [*figures.values(), figure("submit, graded", ends), *vector(name, say)]
    return [Figure(f"env on {name}: {f.name}", f.median, f.spread, f.runs, f.unit) for f in found]


def vector(name: str, say: str) -> list[Figure]:
    """All episodes alive at the same time in one process, graded at their end."""
    from pytest_swegym.env import ThreadVectorEnv

    gc.collect()
    with ThreadVectorEnv(EPISODES, tasks="curriculum", sandbox=name, cache=False, watch=False) as envs:
        start = timed(lambda: envs.reset(options={"task_id": "1"}))
        play = timed(lambda: [envs.step([say] * EPISODES) for _ in range(STEPS)])
        memory = measure.memory_of_tree(os.getpid())
        end = timed(lambda: envs.step(['{"action": "submit"}'] * EPISODES))
    title = f"{EPISODES} episodes alive"
    return [
        figure(f"{title}: reset of all", [start], "s"),
        figure(f"{title}: {STEPS} steps of each", [play], "s"),
        figure(f"{title}: rate", [EPISODES * STEPS / play], "steps/s"),
        figure(f"{title}: memory of the process and all below it", [memory], "MiB"),
        figure(f"{title}: submit and grade all", [end], "s"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--backends", default="bubblewrap,docker")
    parser.add_argument("--out", type=Path, default=None, help="write the figures as JSON too")
    options = parser.parse_args()
    print(f"machine: {measure.machine()}\n{options.runs} runs each, medians\n")
    figures: list[Figure] = []
    for name in options.backends.split(","):
        backend = make_backend(name)
        base = backend.base(EnvironmentSpec(python=">=3.8"))
        figures += measure.show(measured(backend, base, options.runs))
        backend.close()
        figures += measure.show(environment(name, options.runs))
    measure.write(figures, options.out)


if __name__ == "__main__":
    main()
