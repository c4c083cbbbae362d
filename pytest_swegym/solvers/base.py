"""What a solver is."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Protocol


if TYPE_CHECKING:
    from pytest_swegym.task import TaskSpec
    from pytest_swegym.workspace import Workspace


class Solver(Protocol):
    """Anything that can be called with a task and a workspace.

    It may work in the workspace, or just return a diff: a unified diff as ``str``, or ``None`` for "what I left in the
    workspace". It never sees the hidden part of the task.
    """

    def __call__(self, task: TaskSpec, workspace: Workspace) -> str | None: ...
