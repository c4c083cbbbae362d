"""What happens to the attempts of this process goes to ``events.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import pytest

from pytest_swegym.plugin.plan import needs_solver
from pytest_swegym.plugin.plan import planned
from pytest_swegym.plugin.solving import RUN


if TYPE_CHECKING:
    from pytest_swegym.results.recorder import Recorder
    from pytest_swegym.task import AttemptRecord
    from pytest_swegym.task import TaskSpec


def recorder_of(item: pytest.Item) -> Recorder:
    """The recorder of this process; the first attempt that asks for it begins the run."""
    from pytest_swegym.plugin.recorder import facts_of
    from pytest_swegym.plugin.run import run_of

    recorder = run_of(item.config).recorder
    recorder.begin(lambda: facts_of(item))
    return recorder


@pytest.hookimpl(tryfirst=True)
def pytest_swegym_attempt_started(item: pytest.Item, task: TaskSpec, attempt: int) -> None:
    if needs_solver(item):
        recorder_of(item).started(_key(item), task.instance_id, attempt)


@pytest.hookimpl(tryfirst=True)
def pytest_swegym_attempt_event(item: pytest.Item, event: Mapping[str, Any]) -> None:
    if needs_solver(item):
        recorder_of(item).happened(_key(item), event)


@pytest.hookimpl(tryfirst=True)
def pytest_swegym_attempt_finished(item: pytest.Item, record: AttemptRecord) -> None:
    recorder_of(item).finished(record)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if RUN not in config.stash or hasattr(config, "workerinput"):
        return
    summary = getattr(config.pluginmanager.get_plugin("swegym-reporter"), "summary", None)
    config.stash[RUN].recorder.end(int(session.exitstatus), summary.to_dict() if summary is not None else {})


def _key(item: pytest.Item) -> str:
    plan = planned(item)
    return plan.key if plan is not None else ""
