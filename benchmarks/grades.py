"""One warm grade, beside the bare test command and beside ``docker run`` with git apply and pytest."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from measure import Figure
from measure import interleaved

from pytest_swegym.grading import grade
from pytest_swegym.lab import Lab
from pytest_swegym.lab import Prepared
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.workspace import Workspace


BARE = "bare test command in the same sandbox"
GRADE = "one warm grade"
DOCKER = "docker run --rm IMAGE sh -c 'git apply; pytest'"


def measure(lab: Lab, prepared: Prepared, runs: int, container: Snapshot | None) -> list[Figure]:
    """``container`` is the same task prepared for Docker: what somebody would run by hand."""
    with patched(lab, prepared) as workspace:
        candidates = {GRADE: lambda: graded(lab, prepared), **by_hand(prepared, workspace, container)}
        figures = interleaved(candidates, runs=runs)
    return [Figure(f"{lab.backend.name}: {f.name}", f.median, f.spread, f.runs, f.unit) for f in figures.values()]


def graded(lab: Lab, prepared: Prepared) -> None:
    """Grade the gold patch."""
    task = prepared.task
    with lab.computing(task.spec, prepared.snapshot, tests=task) as workspace:
        verdict = grade(task, task.hidden.patch, workspace, baseline=prepared.baseline).verdict
    if verdict.value != "resolved":
        raise RuntimeError(f"{task.id}: gold is {verdict}")


def patched(lab: Lab, prepared: Prepared) -> Workspace:
    """A sandbox with the gold patch and the hidden tests in place."""
    workspace = lab.workspace(prepared.task.spec, prepared.snapshot)
    workspace.apply(patches(prepared))
    return workspace


def patches(prepared: Prepared) -> str:
    return prepared.task.hidden.patch + prepared.task.hidden.test_patch


def by_hand(prepared: Prepared, workspace: Workspace, container: Snapshot | None) -> dict[str, Callable[[], object]]:
    """The bare test command in a ``workspace`` that is patched, and as somebody would run it with Docker."""
    task = prepared.task
    files = sorted({i.split("::")[0] for i in (*task.hidden.fail_to_pass, *task.hidden.pass_to_pass)})
    command = f"{task.spec.test_command or 'python -m pytest'} -q -p no:cacheprovider {' '.join(files)}"
    candidates: dict[str, Callable[[], object]] = {BARE: lambda: _must(workspace.run(command).exit_code)}
    if container is not None:
        variables = [f"--env={name}={value}" for name, value in container.env.items()]
        image = str(container.ref["image"])
        docker = ["docker", "run", "--rm", "-i", "--network=none", *variables, image, "sh", "-c"]
        script = f"cd {task.spec.workdir} && git apply - && {command}"
        data = patches(prepared).encode("utf-8", "surrogateescape")
        candidates[DOCKER] = lambda: _must(
            subprocess.run([*docker, script], input=data, capture_output=True).returncode
        )
    return candidates


def _must(exit_code: int) -> None:
    if exit_code != 0:
        raise RuntimeError(f"the bare test command ended with {exit_code}")
