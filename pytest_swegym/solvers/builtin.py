"""Solvers that need no thought: the gold patch, no patch, somebody's predictions, a program."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SolverError
from pytest_swegym.errors import SolverTimeout
from pytest_swegym.sandbox.base import HOME
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


def gold(task: Task, workspace: Workspace) -> str | None:
    """The task's own solution: its patch, or what its script leaves. The only solver that receives the hidden part."""
    if task.hidden.solution:
        result = workspace.run(task.hidden.solution, timeout=task.spec.limits.solve_timeout)
        if result.exit_code != 0:
            tail = result.output.strip()[-4000:]
            raise SolverError(f"the solution of {task.id} ended with exit code {result.exit_code}\n{tail}")
        return None
    if not task.hidden.patch:
        raise SolverError(f"{task.id} has no gold patch")
    return task.hidden.patch


def empty(task: TaskSpec, workspace: Workspace) -> str:
    """No change at all."""
    return ""


class Predictions:
    """Patches from a SWE-bench predictions file: ``.jsonl``, or ``.json`` as a list or as a table by instance id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.patches = _read_predictions(path)

    def __call__(self, task: TaskSpec, workspace: Workspace) -> str:
        if task.instance_id not in self.patches:
            raise PatchError(f"{self.path.name} has no prediction for {task.instance_id}")
        return self.patches[task.instance_id]

    def check(self, known: Iterable[str]) -> None:
        """Raise :class:`ConfigError` if the file names instances that are not among ``known``."""
        unknown = sorted(set(self.patches) - set(known))
        if unknown:
            some = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
            raise ConfigError(
                f"{self.path}: {len(unknown)} predictions are for instances that are not tasks here: {some}"
            )


#: How a shell ends that does not find the program.
_NO_PROGRAM = 127


class Command:
    """A program that works in the workspace; the tree it leaves is its answer.

    It runs inside the sandbox, in the repository's folder, and finds the problem statement in
    ``$SWEGYM_PROBLEM_STATEMENT`` and in the file ``$SWEGYM_PROBLEM_FILE``, the instance id in ``$SWEGYM_INSTANCE_ID``.
    """

    def __init__(self, command: str, *, missing: str = "") -> None:
        """``missing`` is what else is to be said if there is no such program."""
        if not command.strip():
            raise ConfigError("solver 'command:': no command given; write command:PROGRAM ARGUMENTS")
        self.command = command
        self._missing = missing

    def __call__(self, task: TaskSpec, workspace: Workspace) -> None:
        env = problem_variables(task, workspace)
        argv = ["sh", "-c", self.command]
        result = workspace.sandbox.exec(argv, cwd=workspace.path, env=env, timeout=task.limits.solve_timeout)
        tail = result.output.strip()[-4000:]
        if result.timed_out:
            raise SolverTimeout(f"{self.command!r} ran out of its {task.limits.solve_timeout:g} s\n{tail}")
        if result.exit_code != 0:
            more = f"; {self._missing}" if self._missing and result.exit_code == _NO_PROGRAM else ""
            raise SolverError(f"{self.command!r} ended with exit code {result.exit_code}{more}\n{tail}")


def problem_variables(task: TaskSpec, workspace: Workspace) -> dict[str, str]:
    """The variables by which a program in the workspace finds its task."""
    problem = f"{HOME}/problem_statement.md"
    workspace.write(problem, task.problem_statement)
    # The text also goes through the environment, whose single entries the kernel limits to 128 KiB.
    return {
        "SWEGYM_PROBLEM_FILE": problem,
        "SWEGYM_PROBLEM_STATEMENT": task.problem_statement.encode()[:100_000].decode("utf-8", "ignore"),
        "SWEGYM_INSTANCE_ID": task.instance_id,
    }


def _read_predictions(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"predictions {str(path)!r} cannot be read: {error}") from None
    patches: dict[str, str] = {}
    for where, row in _rows(path, text):
        if not isinstance(row, dict) or not isinstance(row.get("instance_id"), str):
            raise ConfigError(f"{where}: a prediction needs an instance_id")
        patch = row.get("model_patch")
        if patch is not None and not isinstance(patch, str):
            raise ConfigError(f"{where}: model_patch must be a string or null")
        if row["instance_id"] in patches:
            raise ConfigError(f"{where}: {row['instance_id']} is predicted twice")
        patches[row["instance_id"]] = patch or ""
    return patches


def _rows(path: Path, text: str) -> list[tuple[str, Any]]:
    if path.suffix == ".jsonl":
        lines = [(f"{path}:{number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        return [(where, _parsed(line, where)) for where, line in lines]
    data = _parsed(text, str(path))
    if isinstance(data, dict):
        data = [
            {**row, "instance_id": name} if isinstance(row, dict) else {"instance_id": name, "model_patch": row}
            for name, row in data.items()
        ]
    if not isinstance(data, list):
        raise ConfigError(f"{path}: expected a list of predictions or a table by instance id")
    return [(f"{path}: entry {number}", row) for number, row in enumerate(data, 1)]


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{where}: not valid JSON: {error}") from None
