"""Every hook of pytest-swegym. Implement them in a ``conftest.py`` or a plugin; these docstrings are the manual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import pytest


if TYPE_CHECKING:
    from pytest_swegym.sandbox.base import Backend
    from pytest_swegym.session import Action
    from pytest_swegym.session import Observation
    from pytest_swegym.session import Session
    from pytest_swegym.task import AttemptRecord
    from pytest_swegym.task import Grade
    from pytest_swegym.task import Task
    from pytest_swegym.task import TaskSpec
    from pytest_swegym.workspace import Workspace


@pytest.hookspec
def pytest_swegym_collect_tasks(config: pytest.Config, source: str) -> list[Task] | None:
    """Return tasks for a ``--swegym-tasks`` value that is not a file of ours, or ``None``. All results are joined."""


@pytest.hookspec(firstresult=True)
def pytest_swegym_make_sandbox(config: pytest.Config, name: str) -> Backend | None:
    """Return the sandbox backend called ``name``, or ``None`` to let others answer. First result wins.

    A backend is an object that fulfils :class:`pytest_swegym.sandbox.Backend`.
    """


@pytest.hookspec(firstresult=True)
def pytest_swegym_solve(item: pytest.Item, task: TaskSpec, workspace: Workspace) -> str | None:
    """Solve ``task`` and return a unified diff, or ``""`` for "what I left in the workspace".

    Called as ``item.ihook``: a conftest answers for its folder and below; ``--swegym-solver`` wins over every
    conftest. ``None`` passes the task on to the next implementation.
    """


@pytest.hookspec(firstresult=True)
def pytest_swegym_compute_reward(item: pytest.Item, task: TaskSpec, grade: Grade) -> float | None:
    """Return the reward of a graded attempt, or ``None`` for ``--swegym-reward``'s. First result wins.

    Never called for an infra error, whose reward is ``None``.
    """


@pytest.hookspec(firstresult=True)
def pytest_swegym_step_reward(
    item: pytest.Item, task: TaskSpec, session: Session, action: Action, observation: Observation
) -> float | None:
    """Return the reward of a step that a solver made, or ``None`` for ``--swegym-step-reward``'s. First result wins.

    Called after every step of a solver that plays step by step, in the thread that runs it. The sum over an episode is
    ``step_reward`` in its record's ``extra``; the reward of the attempt is always the graded one.
    """


@pytest.hookspec
def pytest_swegym_update_record(item: pytest.Item, record: AttemptRecord) -> dict[str, Any] | None:
    """Return JSON-ready values to add to ``record.extra``; all results are merged."""


@pytest.hookspec
def pytest_swegym_attempt_started(item: pytest.Item, task: TaskSpec, attempt: int) -> None:
    """An attempt begins. With ``--swegym-jobs`` it is called from the thread that runs the attempt."""


@pytest.hookspec
def pytest_swegym_attempt_stage(item: pytest.Item, task: TaskSpec, attempt: int, stage: str, seconds: float) -> None:
    """A stage of an attempt ended: ``checkout``, ``sandbox``, ``solve`` or ``grade``, after so many seconds."""


@pytest.hookspec
def pytest_swegym_attempt_event(item: pytest.Item, task: TaskSpec, attempt: int, event: Mapping[str, Any]) -> None:
    """Something happened in an attempt: a line of its trajectory as it is written (``event["event"]`` is ``begin``,
    ``step`` or ``note``), or the end of a stage (``{"event": "stage", "stage": "solve", "seconds": 1.5}``).

    Called from the thread that runs the attempt, which waits for it. What it raises is logged once and harms nobody.
    """


@pytest.hookspec
def pytest_swegym_attempt_finished(item: pytest.Item, record: AttemptRecord) -> None:
    """An attempt ended, and its record is written."""
