"""Many sandboxes at once: start, memory, steps and end of N that live together; fresh episodes, forks, and the limits.

python benchmarks/density.py                          # 1,000 embedded ones, about a minute
python benchmarks/density.py --alive 5000             # more of them
python benchmarks/density.py --alive 50 --backends bubblewrap,watchdog,docker
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from measure import Figure
from measure import descendants
from measure import figure
from measure import interleaved
from measure import machine
from measure import memory_of_tree
from measure import show

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import Backend
from pytest_swegym.sandbox import Dropper
from pytest_swegym.sandbox import Sandbox
from pytest_swegym.sandbox import Shell
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import EnvironmentSpec


REPOSITORY = "/testbed"
SMALL, LARGE = 50, 5000
#: What the kernel holds for processes, namespaces and mounts.
KERNEL = ("Slab", "KernelStack", "PageTables", "Percpu")
#: Sandboxes that are started at a time: each start waits for the kernel half of its time.
STARTERS = 2 * (os.cpu_count() or 1)
_Live = tuple[Sandbox, Shell]


def backend_of(name: str) -> Backend:
    return make_backend("bubblewrap", cgroups=False) if name == "watchdog" else make_backend(name)


def repository(backend: Backend, files: int) -> Snapshot:
    """A snapshot with a repository of so many files and one commit; made once."""
    key = f"benchmark-density-{files}"
    found = backend.find(key)
    if found is not None:
        return found
    base = backend.base(EnvironmentSpec(python=">=3.8"))
    sandbox = backend.start(base)
    with tempfile.TemporaryDirectory() as name:
        for number in range(files):
            path = Path(name, f"package{number // 100}", f"module{number}.py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"def answer() -> int:\n    return {number}\n" * 20)
        sandbox.upload(Path(name), REPOSITORY)
    author = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    made = sandbox.exec(["sh", "-c", "git init -q . && git add . && git commit -qm base"], cwd=REPOSITORY, env=author)
    if made.exit_code != 0:
        raise SystemExit(made.output)
    return backend.save(sandbox, key, env=base.env, python=base.python)


def begin(backend: Backend, snapshot: Snapshot) -> _Live:
    """A sandbox that has answered in its kept shell."""
    sandbox = backend.start(snapshot)
    shell = sandbox.shell(cwd=REPOSITORY)
    says(shell, "echo on", "on\n")
    return sandbox, shell


def says(shell: Shell, command: str, expected: str) -> None:
    said = shell.run(command).output
    if said != expected:
        raise SystemExit(f"a sandbox answered {command!r} with {said!r}")


def episodes(name: str, backend: Backend, runs: int) -> list[Figure]:
    """Going to a fresh episode, and forking one that runs."""
    large, small = repository(backend, LARGE), repository(backend, SMALL)
    live, spent = begin(backend, large), cpu()

    def reset() -> None:
        nonlocal live
        live[0].close()
        live = begin(backend, large)

    found = interleaved({f"{name}: close, start, first command in the kept shell": reset}, runs=runs)
    spent = (cpu() - spent) * 1000 / (runs + 1)
    forked: list[_Live] = []
    origins = {files: begin(backend, snapshot) for files, snapshot in ((SMALL, small), (LARGE, large))}

    def fork(files: int) -> None:
        origins[files][1].run("echo more >> new.txt")
        snapshot = origins[files][0].snapshot()
        forked.append(begin(backend, snapshot))

    forks: dict[str, Callable[[], object]] = {
        f"{name}: snapshot, fork, first command; {files:,} files": functools.partial(fork, files) for files in origins
    }
    found |= interleaved(forks, runs=runs)
    end([live, *origins.values(), *forked])
    return [*found.values(), figure(f"{name}: processor time of that close, start, first command", [spent])]


def branching(name: str, backend: Backend, count: int) -> list[Figure]:
    """Many forks of one state, all alive."""
    origin = begin(backend, repository(backend, LARGE))
    origin[1].run("echo state > state.txt")
    started = time.perf_counter()
    state = origin[0].snapshot()
    forks = [begin(backend, state) for _ in range(count)]
    taken = time.perf_counter() - started
    for number, (_, shell) in enumerate(forks):
        shell.run(f"echo {number} > state.txt")
    seen = {shell.run("cat state.txt").output for _, shell in [origin, *forks]}
    if len(seen) != count + 1:
        raise SystemExit("forks of one state see each other's files")
    end([origin, *forks])
    if isinstance(backend, Dropper):
        backend.drop(state)
    return [figure(f"{name}: {count} forks of one state, all alive and answering", [taken], "s")]


def alive(name: str, backend: Backend, count: int) -> list[Figure]:
    """``count`` sandboxes at once: how long, how much, how fast, and gone."""
    snapshot = repository(backend, SMALL)
    end([begin(backend, snapshot)])
    here, before, files, began = os.getpid(), memory(), descriptors(), time.perf_counter()
    held: list[_Live] = []
    try:
        with ThreadPoolExecutor(STARTERS) as pool:
            for live in pool.map(lambda _: begin(backend, snapshot), range(count)):
                held.append(live)
    except SandboxError as error:
        print(f"the limit: {len(held):,} sandboxes, then {error}", flush=True)
        count = len(held)
    taken, title = time.perf_counter() - began, f"{name}: {count:,} alive"
    time.sleep(1)
    after = memory()
    each = {what: [(after[what] - before[what]) / count] for what in after}
    processes = descendants(here)
    calls = {"echo": ("echo on", "on\n"), "ls | head": ("ls package0 | head -1", "module0.py\n")}
    taken_by: dict[str, list[float]] = {step: [] for step in calls}
    for step in [*calls] * 200:
        shell = random.choice(held)[1]
        started = time.perf_counter()
        says(shell, *calls[step])
        taken_by[step].append((time.perf_counter() - started) * 1000)
    opened = descriptors() - files
    return [
        figure(f"{title}: start of all", [taken], "s"),
        figure(f"{title}: start of each, {STARTERS} at a time", [taken / count * 1000]),
        figure(f"{title}: memory each, PSS of its processes", each["PSS"], "MiB"),
        figure(f"{title}: memory each, of the kernel", each["kernel"], "MiB"),
        figure(f"{title}: memory each, less that is available", each["gone"], "MiB"),
        figure(f"{title}: processes each", [len(processes) / count], "count"),
        figure(f"{title}: descriptors each", [opened / count], "count"),
        *(figure(f"{title}: a step: {step}", times) for step, times in taken_by.items()),
        *ends(title, backend, processes),
    ]


def ends(title: str, backend: Backend, processes: list[int]) -> list[Figure]:
    """The end of a backend, by its close."""
    watcher = ThreadPoolExecutor(1)
    gone = watcher.submit(until_gone, processes)
    started = time.perf_counter()
    backend.close()
    taken = time.perf_counter() - started
    return [
        figure(f"{title}: from close until every process is gone", [gone.result()], "s"),
        figure(f"{title}: close, with every file and control group removed", [taken], "s"),
    ]


def killed(name: str, count: int) -> list[Figure]:
    """The end of a controller by SIGKILL."""
    argv = [sys.executable, __file__, "--hold", name, "--alive", str(count)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as controller:
        if controller.stdout is None or controller.stdout.readline() != "ready\n":
            raise SystemExit("the controller did not start its sandboxes")
        processes = descendants(controller.pid)
        controller.send_signal(signal.SIGKILL)
        taken = until_gone(processes)
    backend_of(name).sweep()
    return [figure(f"{name}: {count:,} alive, SIGKILL of the controller: until every process is gone", [taken], "s")]


def hold(name: str, count: int) -> None:
    """Start sandboxes, and wait for the end."""
    backend = backend_of(name)
    snapshot = repository(backend, SMALL)
    with ThreadPoolExecutor(STARTERS) as pool:
        held = list(pool.map(lambda _: begin(backend, snapshot), range(count)))
    print("ready" if len(held) == count else "failed", flush=True)
    signal.pause()


def until_gone(processes: list[int]) -> float:
    """Seconds until none of them lives; one that is dead and that its parent has not asked for is gone."""
    started = time.perf_counter()
    left = processes
    while left := [pid for pid in left if lives(pid)]:
        time.sleep(0.02)
    return time.perf_counter() - started


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def end(lives: list[_Live]) -> None:
    for sandbox, _ in lives:
        sandbox.close()


def memory() -> dict[str, float]:
    """MiB: of this process and those below, of the kernel, and no longer available."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    size = {name: int(value.split()[0]) / 1024 for name, value in lines.items()}
    kernel = sum(size[name] for name in KERNEL)
    return {"PSS": memory_of_tree(os.getpid()), "kernel": kernel, "gone": -size["MemAvailable"]}


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measured(name: str, count: int, runs: int) -> list[Figure]:
    backend = backend_of(name)
    reason = backend.available()
    if reason is not None:
        raise SystemExit(f"{name}: {reason}")
    parts: list[Callable[[], list[Figure]]] = [
        lambda: episodes(name, backend, runs),
        lambda: branching(name, backend, min(count, 100)),
        lambda: alive(name, backend, count),
        lambda: killed(name, min(count, 200)) if name != "docker" else [],
    ]
    try:
        return [each for part in parts for each in show(part())]
    finally:
        backend.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alive", type=int, default=1000, help="sandboxes at once (default: 1000)")
    parser.add_argument(
        "--backends", default="bubblewrap", help="names, with commas (watchdog: without control groups)"
    )
    parser.add_argument("--runs", type=int, default=25, help="fresh episodes and forks (default: 25)")
    parser.add_argument("--out", type=Path, help="write the figures there, as JSON")
    parser.add_argument("--hold", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hold:
        hold(options.hold, options.alive)
        return
    figures = [each for name in options.backends.split(",") for each in measured(name, options.alive, options.runs)]
    if options.out:
        text = json.dumps({"machine": machine(), "figures": [asdict(each) for each in figures]}, indent=1)
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
