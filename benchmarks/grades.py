"""One warm grade, beside the bare test command and beside ``docker run`` with git apply and pytest."""

from __future__ import annotations

import subprocess

from measure import Figure
from measure import interleaved

from pytest_swegym.grading import grade
from pytest_swegym.lab import Lab
from pytest_swegym.lab import Prepared
from pytest_swegym.sandbox import Snapshot


def measure(lab: Lab, prepared: Prepared, runs: int, container: Snapshot | None) -> list[Figure]:
    """``container`` is the same task prepared for Docker: what somebody would run by hand."""
    task = prepared.task
    files = sorted({i.split("::")[0] for i in (*task.hidden.fail_to_pass, *task.hidden.pass_to_pass)})
    command = task.spec.test_command or "python -m pytest"
    bare_command = f"{command} -q -p no:cacheprovider {' '.join(files)}"
    patches = task.hidden.patch + task.hidden.test_patch

    def ours() -> None:
        with lab.workspace(task.spec, prepared.snapshot) as workspace:
            verdict = grade(task, task.hidden.patch, workspace, baseline=prepared.baseline).verdict
            if verdict.value != "resolved":
                raise RuntimeError(f"gold is {verdict}")

    workspace = lab.workspace(task.spec, prepared.snapshot)
    workspace.apply(patches)
    candidates = {
        "one warm grade": ours,
        "bare test command in the same sandbox": lambda: _must(workspace.run(bare_command).exit_code),
    }
    if container is not None:
        variables = [f"--env={name}={value}" for name, value in container.env.items()]
        image = str(container.ref["image"])
        docker = ["docker", "run", "--rm", "-i", "--network=none", *variables, image, "sh", "-c"]
        script = f"cd {task.spec.workdir} && git apply - && {bare_command}"
        data = patches.encode("utf-8", "surrogateescape")
        candidates["docker run --rm IMAGE sh -c 'git apply; pytest'"] = lambda: _must(
            subprocess.run([*docker, script], input=data, capture_output=True).returncode
        )
    figures = interleaved(candidates, runs=runs)
    workspace.close()
    return [Figure(f"{lab.backend.name}: {f.name}", f.median, f.spread, f.runs, f.unit) for f in figures.values()]


def _must(exit_code: int) -> None:
    if exit_code != 0:
        raise RuntimeError(f"the bare test command ended with {exit_code}")
