"""How cost grows: ``python benchmarks/scaling.py [--parts live,files,attempts,jobs] [--out FILE]``.

Start, step and memory with more and more sandboxes alive; start, snapshot, fork and diff with a larger and larger
repository; an attempt's share of a run's time with more attempts of one task, and with more of them at the same time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


sys.path.insert(0, str(Path(__file__).parent))

import measure
from measure import Figure
from measure import figure
from measure import interleaved

from pytest_swegym.lab import Lab
from pytest_swegym.lab import Prepared
from pytest_swegym.runs import Conditions
from pytest_swegym.runs import run
from pytest_swegym.sandbox import Backend
from pytest_swegym.sandbox import Dropper
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import Task
from pytest_swegym.task.files import load_tasks
from pytest_swegym.workspace import Workspace


ROOT = Path(__file__).resolve().parents[1]
TASK = ROOT / "task_specs" / "itsdangerous__2.1.0.swegym.toml"
LIVE = (1, 10, 50, 100, 200, 400)
FILES = (100, 1000, 5000, 20000)
ATTEMPTS = (1, 4, 16)
JOBS = (1, 2, 4, 16)
#: Seconds that the attempts of ``jobs`` wait for a model, in so many steps.
WAIT, STEPS = 0.1, 10


def live(backend: Backend, prepared: Prepared) -> list[Figure]:
    """Each level on top of the one before: start of one more, a step in any of them, and what each takes."""
    held: list[Workspace] = []
    figures: list[Figure] = []
    lab = Lab(backend)
    with ThreadPoolExecutor(4) as threads:
        before = measure.memory_of_tree(os.getpid())

        def one(_: int) -> float:
            begun = time.perf_counter()
            workspace = lab.workspace(prepared.task.spec, prepared.snapshot)
            workspace.shell().run("echo done")
            held.append(workspace)
            return (time.perf_counter() - begun) * 1000

        for count in LIVE:
            list(threads.map(one, range(count - len(held) - 1)))
            starts = [one(0)]
            for _ in range(4):
                held.pop().close()
                starts.append(one(0))
            shells = [each.shell() for each in held[:: max(1, count // 25)]]
            steps = [_timed(lambda shell=shell: shell.run("echo done")) for shell in shells * 4]
            memory = (measure.memory_of_tree(os.getpid()) - before) / count
            figures += [
                figure(f"{count} alive: start of one more", starts),
                figure(f"{count} alive: one step", steps),
                figure(f"{count} alive: memory of each", [memory], "MiB"),
            ]
        ended = _timed(lambda: list(threads.map(Workspace.close, held)))
    return [*figures, figure(f"{LIVE[-1]} alive: all ended", [ended])]


def files(lab: Lab, runs: int) -> list[Figure]:
    """The same small task in larger and larger repositories, taken in turns."""
    candidates: dict[str, Callable[[], object]] = {}
    held: list[Workspace] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in FILES:
            prepared = lab.prepare(task_of(Path(folder) / str(count), count))
            workspace = lab.workspace(prepared.task.spec, prepared.snapshot)
            workspace.write("module_0.py", "changed = 1\n")
            held.append(workspace)
            for what, call in operations(lab, prepared, workspace).items():
                candidates[f"{count:,} files: {what}"] = call
        figures = interleaved(candidates, runs=runs)
        for workspace in held:
            workspace.close()
    return list(figures.values())


def operations(lab: Lab, prepared: Prepared, used: Workspace) -> dict[str, Callable[[], object]]:
    def start() -> None:
        with lab.workspace(prepared.task.spec, prepared.snapshot) as workspace:
            workspace.shell().run("echo done")

    def fork() -> None:
        moment = used.snapshot()
        with used.branch(moment) as branch:
            branch.shell().run("echo done")
        if isinstance(lab.backend, Dropper):
            lab.backend.drop(moment)

    return {"start to first command": start, "snapshot, fork, first command": fork, "diff": used.diff}


def task_of(folder: Path, count: int) -> Task:
    """A repository of so many modules in folders of fifty, with one test."""
    for number in range(count):
        path = folder / (f"module_{number}.py" if number < 50 else f"part_{number // 50}/module_{number}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""Module {number}."""\n\n\ndef answer() -> int:\n    return {number}\n')
    (folder / "test_answer.py").write_text(
        "from module_0 import answer\n\n\ndef test_it():\n    assert answer() == 1\n"
    )
    fixed = "--- a/module_0.py\n+++ b/module_0.py\n@@ -5 +5 @@\n-    return 0\n+    return 1\n"
    given = {
        "instance_id": f"files-{count}",
        "repo": str(folder),
        "problem_statement": "one, please",
        "packages": ["pytest"],
        "patch": fixed,
        "fail_to_pass": ["test_answer.py::test_it"],
    }
    path = folder.parent / f"{count}.json"
    path.write_text(json.dumps(given))
    (task,) = load_tasks(path)
    return task


def attempts(task: Task, name: str) -> list[Figure]:
    """What one attempt takes of a run's time, and of the processors', as the run gets longer."""
    found = []
    for count in ATTEMPTS:
        wall, cpu = _run(task, name, count, 1, "gold")
        found.append(figure(f"{count} attempts, one by one: each", [wall / count * 1000]))
        found.append(figure(f"{count} attempts, one by one: processor time of each", [cpu / count * 1000]))
    return found


def jobs(task: Task, name: str) -> list[Figure]:
    """Attempts that wait for a model most of their time, so many at once."""
    found = []
    for count in JOBS:
        wall, _ = _run(task, name, max(4, count), count, waiting)
        found.append(figure(f"{count} jobs: rate", [max(4, count) / wall * 60], "attempts/min"))
    return found


def waiting(task: Task, workspace: Workspace) -> None:
    """A solver whose model takes its time."""
    shell = workspace.shell()
    for _ in range(STEPS):
        time.sleep(WAIT)
        shell.run("git status --short")
    workspace.write("left.txt", "something to grade\n")


def _run(task: Task, name: str, count: int, at_once: int, solver: object) -> tuple[float, float]:
    conditions = Conditions(sandbox=name, no_cache=True, root=str(ROOT))
    begun, cpu = time.perf_counter(), _processor_time()
    with run([task], solver, attempts=count, jobs=at_once, conditions=conditions) as rollouts:  # type: ignore[arg-type]
        verdicts = [each.record.verdict.value for each in rollouts]
    if len(verdicts) != count or "infra_error" in verdicts:
        raise RuntimeError(f"attempts went wrong: {verdicts}")
    return time.perf_counter() - begun, _processor_time() - cpu


def _processor_time() -> float:
    """Seconds of this process and of those that it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--sandbox", default="bubblewrap")
    parser.add_argument("--parts", default="live,files,attempts,jobs")
    parser.add_argument("--out", type=Path, default=None, help="write the figures as JSON too")
    options = parser.parse_args()
    (task,) = load_tasks(TASK)
    backend = make_backend(options.sandbox)
    lab = Lab(backend)
    prepared = lab.prepare(task)
    parts: dict[str, Callable[[], list[Figure]]] = {
        "live": lambda: live(backend, prepared),
        "files": lambda: files(lab, options.runs),
        "attempts": lambda: attempts(task, options.sandbox),
        "jobs": lambda: jobs(task, options.sandbox),
    }
    print(f"machine: {measure.machine()}\n")
    figures: list[Figure] = []
    for part in options.parts.split(","):
        figures += measure.show(parts[part]())
    lab.close()
    measure.write(figures, options.out)


if __name__ == "__main__":
    main()
