"""Start, step, reset and memory of sandboxes, beside the bare thing on the same image."""

from __future__ import annotations

import os
import subprocess

from measure import Figure
from measure import figure
from measure import interleaved
from measure import memory_of_tree

from pytest_swegym.lab import Lab
from pytest_swegym.lab import Prepared
from pytest_swegym.workspace import Workspace


def measure(lab: Lab, prepared: Prepared, runs: int) -> list[Figure]:
    name = lab.backend.name
    return [
        Figure(f"{name}: {f.name}", f.median, f.spread, f.runs, f.unit)
        for f in (
            *starts(lab, prepared, runs),
            *steps(lab, prepared, runs * 40),
            *resets(lab, prepared, runs),
            *memory(lab, prepared),
        )
    ]


def starts(lab: Lab, prepared: Prepared, runs: int) -> list[Figure]:
    def ours() -> None:
        with lab.backend.start(prepared.snapshot) as sandbox:
            sandbox.exec(["true"])

    candidates = {"start to first command done": ours}
    if "image" in prepared.snapshot.ref:
        command = ["docker", "run", "--rm", "--network=none", str(prepared.snapshot.ref["image"]), "true"]
        candidates["bare docker run of the same image"] = lambda: subprocess.run(
            command, check=True, capture_output=True
        )
    return list(interleaved(candidates, runs=runs).values())


def steps(lab: Lab, prepared: Prepared, runs: int) -> list[Figure]:
    bare = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert bare.stdin is not None
    assert bare.stdout is not None
    pipe_in, pipe_out = bare.stdin, bare.stdout

    def by_hand() -> None:
        pipe_in.write(b"echo done\n")
        pipe_in.flush()
        pipe_out.readline()

    with lab.workspace(prepared.task.spec, prepared.snapshot) as workspace:
        shell = workspace.shell()
        figures = interleaved(
            {"a step in bare bash": by_hand, "a step in the kept shell": lambda: shell.run("echo done")}, runs=runs
        )
        execs = interleaved({"one exec": lambda: workspace.sandbox.exec(["true"])}, runs=max(10, runs // 10))
    pipe_in.close()
    pipe_out.close()
    bare.wait()
    return [*figures.values(), *execs.values()]


def resets(lab: Lab, prepared: Prepared, runs: int) -> list[Figure]:
    workspace = lab.workspace(prepared.task.spec, prepared.snapshot)

    def reset() -> None:
        workspace.write("dirt.txt", "dirt")
        workspace.reset()

    figures = interleaved({"write a file and reset": reset}, runs=runs)
    workspace.close()
    return list(figures.values())


def memory(lab: Lab, prepared: Prepared, count: int = 20) -> list[Figure]:
    if lab.backend.name != "bubblewrap":
        return []
    before, held = memory_of_tree(os.getpid()), []
    try:
        for _ in range(count):
            workspace: Workspace = lab.workspace(prepared.task.spec, prepared.snapshot)
            workspace.sandbox.exec(["true"])
            held.append(workspace)
        each = (memory_of_tree(os.getpid()) - before) / count
    finally:
        for workspace in held:
            workspace.close()
    return [figure(f"memory of an idle sandbox (mean of {count})", [each], "MiB")]
