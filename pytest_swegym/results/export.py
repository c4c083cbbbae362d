"""Trajectories for others: chats to fine-tune a model on, and rows of steps or episodes.

Only what the player saw and did, its rewards and the verdict: nothing of a task's hidden part.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_swegym._support.text import map_texts
from pytest_swegym.results.turns import opening
from pytest_swegym.results.turns import total_usage
from pytest_swegym.results.turns import turns
from pytest_swegym.task import Usage
from pytest_swegym.trajectory import Trajectory


#: What a chat begins with, if nobody says otherwise.
SYSTEM = "You solve software-engineering tasks in a sandbox, one action in each of your messages."
_WHOSE = ("instance_id", "attempt", "candidate", "seed", "solver", "protocol", "run_id", "task_key")
_OUTCOME = ("verdict", "resolved", "reward", "reward_name")
_SEEN = ("text", "output", "exit_code", "timed_out", "diff", "tree", "notice")
_STEP = ("action", "kind", "terminated", "truncated", "ending", "started_at", "seconds")
_USAGE = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "cost")


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


def chat(trajectory: Trajectory, *, system: str | None = None) -> dict[str, Any]:
    """An episode as ``messages`` that end with the player's last one, and whose it is and what it came to.

    A model's messages are those that its server sent. The system message is the one that the model was given, if the
    trajectory tells it; ``system`` goes before it, and empty leaves it out.
    """
    messages: list[Mapping[str, Any]] = opening_messages(trajectory, system)
    for turn in turns(trajectory):
        messages += [turn.message, *turn.answers]
    while len(messages) > 2 and messages[-1]["role"] != "assistant":
        messages.pop()
    told: dict[str, Any] = {"messages": messages, **_about(trajectory), "steps": len(trajectory.steps)}
    told |= {"model": model_of(trajectory), **_tokens(total_usage(trajectory))}
    if trajectory.header.get("schemas"):
        told["tools"] = trajectory.header["schemas"]
    return clean(told)  # type: ignore[no-any-return]


def opening_messages(trajectory: Trajectory, system: str | None) -> list[Mapping[str, Any]]:
    """The system message, if there is to be one, and the first of the user."""
    recorded, first = opening(trajectory)
    said = (recorded or SYSTEM) if system is None else system
    return [*([{"role": "system", "content": said}] if said else []), {"role": "user", "content": first}]


def step_rows(trajectory: Trajectory) -> Iterator[dict[str, Any]]:
    """A row for each step; ``reward`` is its own, ``episode_reward`` the graded one, ``state`` the tools' as JSON.

    What a model's message took stands at the first step that it asked for.
    """
    about = _about(trajectory)
    about["episode_reward"] = about.pop("reward")
    for turn in turns(trajectory):
        for place, step in enumerate(turn.steps):
            seen = step["observation"]
            row = {**about, "step": seen["step"], "reward": step.get("reward")}
            row |= {name: step.get(name) for name in _STEP} | {name: seen.get(name) for name in _SEEN}
            row |= {"model": turn.model or None, **_tokens(None if place else turn.usage)}
            yield clean({**row, "state": json.dumps(seen.get("state") or {})})


def model_of(trajectory: Trajectory) -> str | None:
    """The model that played, if one did: as its answers tell it, without any as the end does."""
    told = (trajectory.end or {}).get("model")
    said = told if isinstance(told, str) and told else None
    return next((turn.model for turn in turns(trajectory) if turn.model), said)


def _tokens(usage: Usage | None) -> dict[str, Any]:
    return {name: getattr(usage, name, None) for name in _USAGE}


def _about(trajectory: Trajectory) -> dict[str, Any]:
    end = trajectory.end or {}
    about = {name: trajectory.header.get(name) for name in _WHOSE}
    return {**about, **{name: end.get(name) for name in _OUTCOME}, "cut": trajectory.cut}


def clean(value: Any) -> Any:
    """Text as UTF-8 can hold it: bytes that were none become question marks."""
    return map_texts(value, lambda text: text.encode("utf-8", "replace").decode("utf-8"), keys=True)
