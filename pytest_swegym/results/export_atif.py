"""A trajectory in the Agent Trajectory Interchange Format (ATIF) of Harbor: one document for each episode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from datetime import datetime
from datetime import timezone
from importlib.metadata import version
from typing import Any

from pytest_swegym.results.export import clean
from pytest_swegym.results.export import model_of
from pytest_swegym.results.turns import Turn
from pytest_swegym.results.turns import opening
from pytest_swegym.results.turns import total_usage
from pytest_swegym.results.turns import turns
from pytest_swegym.task import Usage
from pytest_swegym.trajectory import Trajectory


#: The newest of which anything is used; later ones take it as well.
FORMAT = "ATIF-v1.7"
SUFFIX = ".trajectory.json"
_ABOUT = ("instance_id", "attempt", "candidate", "seed", "task_key", "protocol", "sandbox")
_OUTCOME = ("verdict", "resolved", "reward", "reward_name", "ending", "failure")


def atif(trajectory: Trajectory, name: str, *, system: str | None = None) -> dict[str, Any]:
    """The document; ``name`` is the attempt's. ``system`` goes before the system message that the trajectory tells."""
    recorded, first = opening(trajectory)
    said = recorded if system is None else system
    steps = [{"source": "system", "message": said}] if said else []
    steps.append({"source": "user", "message": first})
    played = list(turns(trajectory))
    told = [*steps, *(_step(turn) for turn in played)]
    end = trajectory.end or {}
    document = {
        "schema_version": FORMAT,
        "session_id": str(trajectory.header.get("run_id") or name),
        "trajectory_id": name,
        "agent": _agent(trajectory),
        "steps": [{"step_id": number, **step} for number, step in enumerate(told, 1)],
        "final_metrics": _final(total_usage(trajectory), len(told), end),
        "extra": _known({key: trajectory.header.get(key) for key in _ABOUT} | {"cut": trajectory.cut}),
    }
    return clean(document)  # type: ignore[no-any-return]


def _agent(trajectory: Trajectory) -> dict[str, Any]:
    schemas = trajectory.header.get("schemas")
    listed = isinstance(schemas, list) and all(isinstance(each, Mapping) for each in schemas)
    return _known(
        {
            "name": str(trajectory.header.get("solver") or "unknown"),
            "version": version("pytest-swegym"),
            "model_name": model_of(trajectory),
            "tool_definitions": schemas if schemas and listed else None,
        }
    )


def _step(turn: Turn) -> dict[str, Any]:
    """A message and what came of it; without a model behind it, it is a dispatch that no model was asked for."""
    rewards = [reward for step in turn.steps if isinstance(reward := step.get("reward"), (int, float))]
    calls = [_call(call) for call in turn.message.get("tool_calls", ())]
    return _known(
        {
            "timestamp": _time(turn.steps[0].get("started_at")),
            "source": "agent",
            "model_name": turn.model or None,
            "message": turn.message["content"],
            "reasoning_content": turn.message.get("reasoning_content"),
            "tool_calls": calls or None,
            "observation": {"results": list(_results(turn))},
            "metrics": _metrics(turn.usage),
            "llm_call_count": 1 if turn.asked else 0,
            "extra": {"reward": sum(rewards)} if rewards else None,
        }
    )


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    try:
        arguments = json.loads(function["arguments"] or "{}")
    except (ValueError, RecursionError):
        arguments = None
    given = arguments if isinstance(arguments, dict) else {"text": function["arguments"]}
    return {"tool_call_id": call["id"], "function_name": function["name"], "arguments": given}


def _results(turn: Turn) -> Iterator[dict[str, Any]]:
    for answer, step in zip(turn.answers, turn.steps, strict=False):
        seen = step["observation"]
        extra = {"exit_code": seen.get("exit_code"), "timed_out": seen.get("timed_out") or None}
        result = {"source_call_id": answer.get("tool_call_id"), "content": answer["content"]}
        yield _known({**result, "extra": _known(extra) or None})


def _metrics(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    told = {name: int(getattr(usage, name)) for name in ("prompt_tokens", "completion_tokens", "cached_tokens")}
    return _known({**told, "cost_usd": usage.cost})


def _final(usage: Usage | None, steps: int, end: Mapping[str, Any]) -> dict[str, Any]:
    told = {f"total_{name}": value for name, value in (_metrics(usage) or {}).items()}
    return {**told, "total_steps": steps, "extra": _known({name: end.get(name) for name in _OUTCOME})}


def _time(seconds: Any) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _known(table: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known: the format has no place for ``null``."""
    return {key: value for key, value in table.items() if value is not None}
