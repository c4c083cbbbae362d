"""A task ready to be attempted: made once, on this machine or on another one that works on the same run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym.errors import InfraError
from pytest_swegym.grading import Baseline
from pytest_swegym.results.cache import grader_digest
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.sharing import Shared
from pytest_swegym.sandbox.sharing import Shipper
from pytest_swegym.task import Task


log = logging.getLogger("pytest_swegym.lab")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A task ready to be attempted: its hidden part in full, its repository snapshot, its measured baseline.

    ``environment`` says what the snapshot was made of. ``tooled`` is the snapshot with the run's tools, if it has any.
    """

    task: Task
    snapshot: Snapshot
    baseline: Baseline
    key: str
    environment: str = ""
    tooled: Snapshot | None = None

    @property
    def solving(self) -> Snapshot:
        """What a solver's workspace starts from; grading never sees the tools."""
        return self.tooled or self.snapshot


def prepared_once(backend: Backend, task: Task, tools: str, make: Callable[[], Prepared]) -> Prepared:
    """``make()``, or what came of it on another machine that the backend shares with: no clone, no build, no baseline.

    ``tools`` is the key of the run's tools. Raises what ``make`` raises.
    """
    sharing = backend.sharing if isinstance(backend, Shipper) else None
    name = _name(backend, task, tools) if sharing is not None else None
    if sharing is None or name is None:
        return make()
    made: list[Prepared] = []

    def share() -> Shared:
        made.append(prepared := make())
        return Shared(facts=_facts(prepared), snapshots=tuple(filter(None, (prepared.snapshot, prepared.tooled))))

    shared = sharing.once(name, share)
    return made[0] if made else _prepared(shared)


def _name(backend: Backend, task: Task, tools: str) -> str | None:
    """The same on every machine that prepares the task to the same; ``None`` where that cannot be told."""
    if not isinstance(backend, Shipper):
        return None
    try:
        platform = backend.platform(task.spec.environment)
    except InfraError as error:
        log.debug("%s is prepared here: %s", task.id, error)
        return None
    return f"task-{content_key(backend.name, platform, grader_digest(), task.to_dict(), tools)}"


def _facts(prepared: Prepared) -> Mapping[str, Any]:
    return {
        "task": prepared.task.to_dict(),
        "baseline": prepared.baseline.to_dict(),
        "key": prepared.key,
        "environment": prepared.environment,
    }


def _prepared(shared: Shared) -> Prepared:
    facts = shared.facts
    snapshot, *tooled = shared.snapshots
    return Prepared(
        task=Task.from_dict(facts["task"]),
        snapshot=snapshot,
        baseline=Baseline.from_dict(facts["baseline"]),
        key=str(facts["key"]),
        environment=str(facts["environment"]),
        tooled=tooled[0] if tooled else None,
    )
