"""Software-engineering tasks as pytest tests: isolated sandboxes, a solver hook, rewards from JUnit results."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING
from typing import Any


if TYPE_CHECKING:
    from pytest_swegym import runs
    from pytest_swegym._support.redact import keep_secret
    from pytest_swegym.task import AttemptRecord
    from pytest_swegym.task import EnvironmentSpec
    from pytest_swegym.task import Grade
    from pytest_swegym.task import Hidden
    from pytest_swegym.task import Limits
    from pytest_swegym.task import Outcome
    from pytest_swegym.task import Task
    from pytest_swegym.task import TaskSpec
    from pytest_swegym.task import Verdict
    from pytest_swegym.task.files import load_tasks
    from pytest_swegym.workspace import Workspace


__all__ = [
    "AttemptRecord",
    "EnvironmentSpec",
    "Grade",
    "Hidden",
    "Limits",
    "Outcome",
    "Task",
    "TaskSpec",
    "Verdict",
    "Workspace",
    "keep_secret",
    "load_tasks",
    "runs",
]

_MODULES = {
    "Workspace": "pytest_swegym.workspace",
    "keep_secret": "pytest_swegym._support.redact",
    "load_tasks": "pytest_swegym.task.files",
}


def __getattr__(name: str) -> Any:
    # Looked up when asked for: every pytest run of a machine imports this package, few of them use it.
    if name == "runs":
        return importlib.import_module("pytest_swegym.runs")
    if name in __all__:
        return getattr(importlib.import_module(_MODULES.get(name, "pytest_swegym.task")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
