"""One grade whose Python waits already (--swegym-prefork=on), beside an ordinary one and what is run by hand.

``python benchmarks/prefork.py [--same] [--runs N] [--docker] [--out FILE] [TASK ...]``, of ``task_specs``. With
``--same`` every task is graded both ways, with its gold patch and with one beside the point, and verdicts are compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any


sys.path.insert(0, str(Path(__file__).parent))

from grades import BARE
from grades import DOCKER
from grades import GRADE
from grades import by_hand
from grades import graded
from grades import patched
from measure import Figure
from measure import descendants
from measure import figure
from measure import interleaved
from measure import machine
from measure import memory_of_tree
from measure import show
from measure import write

from pytest_swegym.grading import grade
from pytest_swegym.grading.run import begin_tests
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import Task
from pytest_swegym.task.files import load_tasks
from pytest_swegym.workspace import Workspace


ROOT = Path(__file__).resolve().parents[1]
TIMED = ("marshmallow__4.2.3", "itsdangerous__2.1.0", "sqlparse__0.5.4")
AHEAD = f"{GRADE}, prefork"
TWO = f"{GRADE}, prefork, on two cores (--swegym-shards=2)"
BESIDE = (
    "diff --git a/beside.txt b/beside.txt\nnew file mode 100644\n--- /dev/null\n+++ b/beside.txt\n@@ -0,0 +1 @@\n+x\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--same", action="store_true")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--docker", action="store_true", help="beside docker run, too")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    named = options.tasks or (sorted(p.name.split(".swegym")[0] for p in (ROOT / "task_specs").glob("*.toml"))
                              if options.same else TIMED)  # fmt: skip
    tasks = [task for name in named for task in load_tasks(ROOT / "task_specs" / f"{name}.swegym.toml")]
    if options.same:
        sys.exit(compare(tasks))
    print(machine())
    figures = show([each for task in tasks for each in timed(task, options.runs, options.docker)])
    write(figures, options.out)


def timed(task: Task, runs: int, docker: bool) -> list[Figure]:
    """The ways in turn, of one task. Between two grades there is time to make a Python ready, as in a run."""
    lab, other = Lab(make_backend("bubblewrap"), prefork=True), Lab(make_backend("docker")) if docker else None
    prepared = lab.prepare(task)
    container = other.prepare(task).snapshot if other is not None else None

    def plain() -> None:
        with lab.workspace(prepared.task.spec, prepared.snapshot) as workspace:
            decided(workspace, 1)

    def two() -> None:
        with lab.computing(prepared.task.spec, prepared.snapshot, tests=prepared.task) as workspace:
            decided(workspace, 2)

    def decided(workspace: Workspace, shards: int) -> None:
        found = grade(prepared.task, prepared.task.hidden.patch, workspace, baseline=prepared.baseline, shards=shards)
        if not found.resolved:
            raise RuntimeError(f"{task.id}: gold is {found.verdict}")

    for _ in range(2):  # from the third on one waits
        graded(lab, prepared)
    with patched(lab, prepared) as workspace:
        hand = by_hand(prepared, workspace, container)
        settled: dict[str, Any] = {name: _after(lab, call) for name, call in hand.items()}
        ahead = _after(lab, lambda: graded(lab, prepared))
        ways = {GRADE: _after(lab, plain), AHEAD: ahead, TWO: _after(lab, two), **settled}
        found = interleaved(ways, runs=runs)
    ready = [_ready(lab, prepared) for _ in range(runs)]
    memory = figure(f"{task.id}: memory of a Python that waits", [mib for _, mib in ready], "MiB")
    lab.close()
    if other is not None:
        other.close()
    figures = [Figure(f"{task.id}: {name}", f.median, f.spread, f.runs) for name, f in found.items()]
    for name, against in ((name, against) for against in (BARE, DOCKER) for name in (GRADE, AHEAD, TWO)):
        if against in found:
            ratio = found[name].median / found[against].median
            figures.append(Figure(f"{task.id}: {name} / {against}", ratio, 0.0, runs, "x"))
    return [*figures, figure(f"{task.id}: a sandbox with a Python made ready", [ms for ms, _ in ready]), memory]


def _after(lab: Lab, call: Any) -> Any:
    """``call``, when nothing is being made ahead that would take its time: the first of a turn waits for all."""

    def settled() -> None:
        assert lab.spares is not None
        lab.spares.settle()
        call()

    return settled


def _ready(lab: Lab, prepared: Any) -> tuple[float, float]:
    """Milliseconds until a Python waits, and its MiB."""
    started = time.perf_counter()
    with lab.workspace(prepared.task.spec, prepared.snapshot) as workspace:
        begin_tests(prepared.task, workspace.sandbox)
        spent, sandbox = (time.perf_counter() - started) * 1000, workspace.sandbox
        python = next(p for p in descendants(sandbox._agent.jailed.init) if b"swegym_launch" in _line(p))
        return spent, memory_of_tree(python)


def _line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def compare(tasks: list[Task]) -> int:
    """Grade every task both ways; how many differ."""
    lab, different = Lab(make_backend("bubblewrap"), prefork=True), 0
    for task in tasks:
        prepared = lab.prepare(task)
        for patch in (prepared.task.hidden.patch, BESIDE):
            with lab.workspace(task.spec, prepared.snapshot) as workspace:
                plain = grade(prepared.task, patch, workspace, baseline=prepared.baseline)
            with lab.workspace(task.spec, prepared.snapshot) as workspace:
                begun = begin_tests(prepared.task, workspace.sandbox)
                ahead = grade(prepared.task, patch, workspace, baseline=prepared.baseline)
            fields = ("verdict", "fail_to_pass", "pass_to_pass", "exit_code", "reasons")
            differ = [name for name in fields if getattr(plain, name) != getattr(ahead, name)]
            different += bool(differ)
            outcome = "differs in " + ", ".join(differ) if differ else "same"
            print(f"{task.id:30} {plain.verdict.value:12} {outcome:10} {'' if begun else '(ordinary)'}", flush=True)
    lab.close()
    return different


if __name__ == "__main__":
    main()
