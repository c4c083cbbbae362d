"""Docker's reset, beside the bare SDK and ``docker run``: ``python benchmarks/docker_pool.py [--runs N] [--alive N]``.

A reset is: the old episode's container ends, and a fresh one has done its first step. It is measured twice. At an
episode's pace there are 30 steps and half a second (a fast model's) between two resets, and a container waits. In a
tight loop there is nothing between: then what counts is how much work a container is for the daemon. The SDK by hand
is create, start, ``exec_run`` of the same step, and a removal by force. All of them take turns in blocks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


sys.path.insert(0, str(Path(__file__).parent))

import measure
from measure import Figure
from measure import figure
from measure import interleaved

from pytest_swegym.sandbox import Sandbox
from pytest_swegym.sandbox import Shell
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox.docker import DockerBackend
from pytest_swegym.task import EnvironmentSpec


STEP = "echo done"
STEPS, MODEL = 30, 0.5
#: Resets of one candidate before it is another's turn, in the tight loop.
BLOCK = 5


class Ours:
    """An episode of ours: its sandbox and its shell."""

    def __init__(self, backend: DockerBackend, base: Snapshot) -> None:
        self.name = "reset"
        self._backend, self._base = backend, base
        self._sandbox: Sandbox | None = None
        self._shell: Shell | None = None

    def reset(self) -> None:
        self.end()
        self._sandbox = self._backend.start(self._base)
        self._shell = self._sandbox.shell()
        self.step()

    def step(self) -> None:
        assert self._shell is not None
        assert self._shell.run(STEP).output == "done\n"

    def end(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()


class BySdk:
    """The same with the Docker SDK alone."""

    def __init__(self, client: Any, image: str) -> None:
        self.name = "Docker SDK: a fresh container and its first exec_run"
        self._client, self._image = client, image
        self._container: Any = None

    def reset(self) -> None:
        self.end()
        containers = self._client.containers
        self._container = containers.create(self._image, ["sleep", "600"], network_mode="none")
        self._container.start()
        self.step()

    def step(self) -> None:
        assert self._container.exec_run(["sh", "-c", STEP]).output == b"done\n"

    def end(self) -> None:
        if self._container is not None:
            self._container.remove(force=True)


def paced(candidates: list[Ours | BySdk], runs: int) -> list[Figure]:
    """Resets with an episode's work and a model's time between them."""

    def episode(each: Ours | BySdk) -> float:
        for _ in range(STEPS):
            each.step()
        time.sleep(MODEL)
        return timed(each.reset)

    for each in candidates:
        each.reset()
    times = [[episode(each) for each in candidates] for _ in range(runs + 1)][1:]
    where = f"at an episode's pace ({STEPS} steps and {MODEL:g} s between)"
    return [
        figure(f"{each.name}, {where}", list(column))
        for each, column in zip(candidates, zip(*times, strict=True), strict=True)
    ]


def tight(candidates: list[Ours | BySdk], runs: int) -> list[Figure]:
    """Resets without a pause, in blocks by turns; the first of a block finds what was prepared, and does not count."""
    times: dict[str, list[float]] = {each.name: [] for each in candidates}
    while len(times[candidates[0].name]) < runs:
        for each in candidates:
            times[each.name] += [timed(each.reset) for _ in range(BLOCK)][1:]
    return [figure(f"{name}, in a tight loop", values) for name, values in times.items()]


def commands(backend: DockerBackend, base: Snapshot, client: Any, runs: int) -> list[Figure]:
    """One command, a snapshot and a fork of it."""
    image = str(base.ref["image"])
    run = ["docker", "run", "--rm", "--network=none", image, "sh", "-c", STEP]
    bare = client.containers.run(image, ["sleep", "600"], detach=True, network_mode="none")
    try:
        with backend.start(base) as sandbox:
            figures = interleaved(
                {
                    "one exec": lambda: sandbox.exec(["sh", "-c", STEP]),
                    "one exec with a small stdin": lambda: sandbox.exec(["cat"], stdin=b"done\n" * 100),
                    "Docker SDK: one exec_run": lambda: bare.exec_run(["sh", "-c", STEP]),
                },
                runs=runs * 3,
            )
            sandbox.exec(["sh", "-c", "mkdir -p /srv && for i in 1 2 3 4 5 6 7 8 9; do echo $i >/srv/$i; done"])
            figures |= interleaved(
                {
                    "snapshot (and its removal)": lambda: backend.drop(sandbox.snapshot()),
                    "docker run --rm of the step": lambda: subprocess.run(run, check=True, capture_output=True),
                },
                runs=runs,
            )
    finally:
        bare.remove(force=True)
    return list(figures.values())


def alive(backend: DockerBackend, base: Snapshot, count: int) -> list[Figure]:
    """Many at once: each with a shell that answers while all live."""
    sandboxes: list[Sandbox] = []
    shells: list[Shell] = []

    def start() -> None:
        with ThreadPoolExecutor(8) as threads:
            sandboxes.extend(threads.map(lambda _: backend.start(base), range(count)))
            shells.extend(threads.map(lambda each: each.shell(), sandboxes))
            list(threads.map(lambda shell: shell.run(STEP), shells))

    begun = timed(start) / 1000
    steps = [timed(lambda each=shell: each.run(STEP)) for shell in shells for _ in range(3)]
    ended = timed(backend.close) / 1000
    return [
        figure(f"{count} alive: start of all, and a first step of each", [begun], "s"),
        figure(f"{count} alive: one step", steps),
        figure(f"{count} alive: close, until all are gone", [ended], "s"),
    ]


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    import docker

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--alive", type=int, default=100)
    parser.add_argument("--out", type=Path, default=None, help="write the figures as JSON too")
    options = parser.parse_args()
    print(f"machine: {measure.machine()}\n{options.runs} runs each, medians\n")
    backend, client = DockerBackend(), docker.from_env()
    base = backend.base(EnvironmentSpec(python=">=3.8"))
    candidates = [Ours(backend, base), BySdk(client, str(base.ref["image"]))]
    figures = measure.show(named(paced(candidates, options.runs)))
    figures += measure.show(named(tight(candidates, options.runs)))
    for each in candidates:
        each.end()
    figures += measure.show(named(commands(backend, base, client, options.runs)))
    if options.alive:
        figures += measure.show(named(alive(backend, base, options.alive)))
    backend.close()
    client.close()
    measure.write(figures, options.out)


def named(figures: list[Figure]) -> list[Figure]:
    return [Figure(f"docker: {f.name}", f.median, f.spread, f.runs, f.unit) for f in figures]


if __name__ == "__main__":
    main()
