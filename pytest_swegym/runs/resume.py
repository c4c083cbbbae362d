"""Continuing an interrupted run: which results may be trusted."""

from __future__ import annotations

from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym.results import ResultStore
from pytest_swegym.results.cache import manner
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict


def attempt_key(
    task: Task,
    *,
    number: int,
    seed: int,
    solver: str,
    sandbox: str,
    reward: str,
    protect: str,
    grader: Any,
    compat: str = "same-run",
    tools: str = "",
    max_steps: int | None = None,
    step_reward: str = "none",
    fast_fail: bool = False,
    shards: int = 1,
) -> str:
    """Names everything that a result depends on; ``solver`` is its identity, which changes with its code.

    ``tools`` is the key of the toolset. How many ``shards`` makes no difference, only whether there may be several.
    """
    rewards = (reward, step_reward)
    parts = (task.to_dict(), number, seed, solver, sandbox, rewards, protect, compat, grader, tools, max_steps)
    return content_key("attempt", *parts, *manner(fast_fail, shards))


def finished(store: ResultStore, key: str, content: str) -> AttemptRecord | None:
    """The record of the attempt ``key``, if it is of the same content and the machinery did not fail it.

    Raises :class:`ConfigError` for a damaged record.
    """
    record = store.read(key)
    if record is None or record.content_key != content or record.verdict is Verdict.INFRA_ERROR:
        return None
    return record
