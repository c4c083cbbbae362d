"""A trajectory as mini-swe-agent writes one (``*.traj.json``), for its inspector and for what reads its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from pytest_swegym.results.export import clean
from pytest_swegym.results.export import model_of
from pytest_swegym.results.export import opening_messages
from pytest_swegym.results.turns import Turn
from pytest_swegym.results.turns import total_usage
from pytest_swegym.results.turns import turns
from pytest_swegym.task import Usage
from pytest_swegym.trajectory import Trajectory


FORMAT = "mini-swe-agent-1.1"
SUFFIX = ".traj.json"
#: How an episode ended, in the other's words.
_STATUS = {
    "submit": "Submitted",
    "steps": "LimitsExceeded",
    "cost": "LimitsExceeded",
    "tokens": "LimitsExceeded",
    "requests": "LimitsExceeded",
    "output": "LimitsExceeded",
    "seconds": "TimeExceeded",
    "invalid_replies": "RepeatedFormatError",
}


def mini(trajectory: Trajectory, submission: str, *, system: str | None = None) -> dict[str, Any]:
    """The file's content; ``submission`` is the patch that was handed in.

    What a message took is where the other keeps the server's response. An unknown cost is written as 0, as it does.
    """
    status = _status(trajectory)
    messages = opening_messages(trajectory, system)
    for turn in turns(trajectory):
        messages += [_said(turn), *_answered(turn)]
    last = {"role": "exit", "content": submission, "extra": {"exit_status": status, "submission": submission}}
    told = {
        "info": {"exit_status": status, "submission": submission, **_info(trajectory)},
        "instance_id": trajectory.header.get("instance_id"),
        "messages": [*messages, last],
        "trajectory_format": FORMAT,
    }
    return clean(told)  # type: ignore[no-any-return]


def _info(trajectory: Trajectory) -> dict[str, Any]:
    usage = total_usage(trajectory) or Usage()
    model = model_of(trajectory)
    config = {
        "agent": {"solver": trajectory.header.get("solver"), "protocol": trajectory.header.get("protocol")},
        "agent_type": "pytest_swegym",
        **({"model": {"model_name": model}} if model else {}),
    }
    return {"model_stats": {"instance_cost": usage.cost or 0.0, "api_calls": usage.requests}, "config": config}


def _status(trajectory: Trajectory) -> str:
    end, steps = trajectory.end or {}, trajectory.steps
    ending = str(end.get("ending") or (steps[-1].get("ending") if steps else None) or "")
    return _STATUS.get(ending, ending) or str(end.get("verdict", ""))


def _said(turn: Turn) -> dict[str, Any]:
    extra: dict[str, Any] = {"actions": list(_actions(turn)), "timestamp": turn.steps[0].get("started_at")}
    if turn.usage is not None:
        tokens = {"prompt_tokens": turn.usage.prompt_tokens, "completion_tokens": turn.usage.completion_tokens}
        details = {"prompt_tokens_details": {"cached_tokens": turn.usage.cached_tokens}}
        extra |= {"cost": turn.usage.cost or 0.0, "response": {"model": turn.model, "usage": {**tokens, **details}}}
    return {**turn.message, "extra": extra}


def _actions(turn: Turn) -> Iterator[dict[str, Any]]:
    """Each action as a command, with the call that it was; what is no shell command keeps its own words."""
    calls: list[Mapping[str, Any]] = turn.message.get("tool_calls") or []
    for place, step in enumerate(turn.steps):
        call = calls[place] if calls else None
        text = call["function"]["arguments"] if call else step["action"]
        yield {"command": _command(text), **({"tool_call_id": call["id"]} if call else {})}


def _command(text: str) -> str:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return text
    found = data.get("command") if isinstance(data, dict) else None
    return found if isinstance(found, str) else text


def _answered(turn: Turn) -> Iterator[dict[str, Any]]:
    for answer, step in zip(turn.answers, turn.steps, strict=False):
        seen = step["observation"]
        extra = {"raw_output": seen["output"], "returncode": seen.get("exit_code"), "timestamp": step.get("started_at")}
        yield {**answer, "extra": {**extra, "exception_info": seen.get("notice") or None}}
