"""Trajectories for others: chats to fine-tune a model on, and rows of steps or episodes.

Only what the player saw and did, its rewards and the verdict: nothing of a task's hidden part.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_swegym.trajectory import Trajectory


#: What a chat begins with, if nobody says otherwise.
SYSTEM = "You solve software-engineering tasks in a sandbox, one action in each of your messages."
_WHOSE = ("instance_id", "attempt", "seed", "solver", "protocol", "run_id", "task_key")
_OUTCOME = ("verdict", "resolved", "reward", "reward_name")
_SEEN = ("text", "output", "exit_code", "timed_out", "diff", "tree", "notice")
_STEP = ("action", "kind", "terminated", "truncated", "ending", "started_at", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which episodes are exported; one that was cut has no reward."""

    resolved_only: bool = False
    min_reward: float | None = None

    def takes(self, trajectory: Trajectory) -> bool:
        end = trajectory.end or {}
        reward = end.get("reward")
        if self.resolved_only and end.get("resolved") is not True:
            return False
        return self.min_reward is None or (isinstance(reward, (int, float)) and reward >= self.min_reward)


def chat(trajectory: Trajectory, *, system: str = SYSTEM) -> dict[str, Any]:
    """An episode as ``messages`` that end with the player's last one, and whose it is and what it came to."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": (trajectory.first or {}).get("text", "")})
    for step in trajectory.steps:
        call = _call(step, len(messages)) if trajectory.header.get("protocol") == "tools" else None
        answer = {"role": "user", "content": step["observation"]["text"]}
        if call is None:
            messages += [{"role": "assistant", "content": step["action"]}, answer]
        else:
            asked = {"role": "assistant", "content": "", "tool_calls": [call]}
            messages += [asked, {**answer, "role": "tool", "tool_call_id": call["id"]}]
    if trajectory.steps:
        messages.pop()
    told: dict[str, Any] = {"messages": messages, **_about(trajectory), "steps": len(trajectory.steps)}
    if trajectory.header.get("schemas"):
        told["tools"] = trajectory.header["schemas"]
    return clean(told)  # type: ignore[no-any-return]


def step_rows(trajectory: Trajectory) -> Iterator[dict[str, Any]]:
    """A row for each step; ``reward`` is its own, ``episode_reward`` the graded one, ``state`` the tools' as JSON."""
    about = _about(trajectory)
    about["episode_reward"] = about.pop("reward")
    for step in trajectory.steps:
        seen = step["observation"]
        row = {**about, "step": seen["step"], "reward": step.get("reward")}
        row |= {name: step.get(name) for name in _STEP} | {name: seen.get(name) for name in _SEEN}
        yield clean({**row, "state": json.dumps(seen.get("state") or {})})


def _about(trajectory: Trajectory) -> dict[str, Any]:
    end = trajectory.end or {}
    about = {name: trajectory.header.get(name) for name in _WHOSE}
    return {**about, **{name: end.get(name) for name in _OUTCOME}, "cut": trajectory.cut}


def _call(step: Mapping[str, Any], number: int) -> dict[str, Any] | None:
    """The action as an OpenAI tool call; ``None`` for text that is none."""
    try:
        data = json.loads(step["action"])
    except (ValueError, RecursionError):
        return None
    call = data.get("function", data) if isinstance(data, dict) else None
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return None
    given = call.get("arguments", {})
    arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    call_id = str(data.get("id") or f"call_{number}")
    return {"id": call_id, "type": "function", "function": {"name": call["name"], "arguments": arguments}}


def clean(value: Any) -> Any:
    """Text as UTF-8 can hold it: bytes that were none become question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {clean(key): clean(each) for key, each in value.items()}
    return [clean(each) for each in value] if isinstance(value, (list, tuple)) else value
