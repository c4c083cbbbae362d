"""The stages of an attempt as fixtures: ``pytest --setup-plan`` prints the flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_swegym.plugin.attempts import begin
from pytest_swegym.plugin.attempts import end
from pytest_swegym.plugin.attempts import rewarded
from pytest_swegym.plugin.attempts import told
from pytest_swegym.plugin.plan import planned
from pytest_swegym.plugin.solving import LIVE


if TYPE_CHECKING:
    from pytest_swegym.lab import Prepared
    from pytest_swegym.plugin.live import LiveAttempt
    from pytest_swegym.plugin.result import SwegymResult
    from pytest_swegym.sandbox.base import Sandbox
    from pytest_swegym.task import Grade
    from pytest_swegym.task import TaskSpec
    from pytest_swegym.workspace import Workspace


@pytest.fixture
def swegym_task(request: pytest.FixtureRequest) -> Iterator[TaskSpec]:
    """The task as a solver sees it: problem statement, repository, environment."""
    item = request.node
    plan = planned(item)
    if plan is None:
        pytest.skip("no task: mark the test with @pytest.mark.swegym(...), or give --swegym-tasks=FILE")
    live = begin(item, plan)
    try:
        yield plan.task.spec
    finally:
        end(item, live)


@pytest.fixture
def swegym_checkout(request: pytest.FixtureRequest, swegym_task: TaskSpec) -> Prepared | None:
    """The repository at its commit, its environment built, its tests measured before any patch."""
    __tracebackhide__ = True
    return told(_live(request).checkout)


@pytest.fixture
def swegym_sandbox(request: pytest.FixtureRequest, swegym_checkout: Prepared | None) -> Sandbox | None:
    """A running, isolated fork of the checkout."""
    __tracebackhide__ = True
    workspace = told(_live(request).workspace)
    return workspace.sandbox if workspace is not None else None


@pytest.fixture
def swegym_workspace(request: pytest.FixtureRequest, swegym_sandbox: Sandbox | None) -> Workspace | None:
    """The repository in the sandbox, as the solver gets it: run, read, write, diff."""
    __tracebackhide__ = True
    return told(_live(request).workspace)


@pytest.fixture
def swegym_patch(request: pytest.FixtureRequest, swegym_workspace: Workspace | None) -> str:
    """The patch that the solver made, as a unified diff; its sandbox ends here."""
    __tracebackhide__ = True
    return told(_live(request).patch)


@pytest.fixture
def swegym_grade(request: pytest.FixtureRequest, swegym_patch: str) -> Grade:
    """What the hidden tests say of the patch, in a fresh sandbox."""
    __tracebackhide__ = True
    return told(_live(request).outcome).grade


@pytest.fixture
def swegym_reward(request: pytest.FixtureRequest, swegym_grade: Grade) -> float:
    """The grade as a number, by --swegym-reward or a conftest's pytest_swegym_compute_reward."""
    __tracebackhide__ = True
    return rewarded(_live(request))


@pytest.fixture
def swegym_result(request: pytest.FixtureRequest, swegym_reward: float) -> SwegymResult:
    """All of the attempt: .resolved, .verdict, .reward, .patch, .grade, .record."""
    from pytest_swegym.plugin.result import SwegymResult

    outcome = _live(request).outcome()
    return SwegymResult(record=outcome.record, grade=outcome.grade)


def _live(request: pytest.FixtureRequest) -> LiveAttempt:
    live: LiveAttempt = request.node.stash[LIVE]
    return live
