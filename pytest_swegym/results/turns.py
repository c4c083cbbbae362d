"""An episode as turns: a message of the player's, the actions it was, and the answers to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_swegym.task import Usage
from pytest_swegym.task.usage import USAGE
from pytest_swegym.task.usage import read_usage
from pytest_swegym.trajectory import Trajectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One ``message`` of the player's as a chat has it, the ``steps`` that it was, and an answer to each.

    ``asked`` says that a model wrote it: it is the message that its server sent, whose ``usage`` and ``model`` are
    known. Else the message is made of the action.
    """

    message: Mapping[str, Any]
    steps: tuple[Mapping[str, Any], ...]
    answers: tuple[Mapping[str, Any], ...]
    asked: bool = False
    usage: Usage | None = None
    model: str = ""


def opening(trajectory: Trajectory) -> tuple[str, str]:
    """The system message, empty if the trajectory does not tell it, and the first message of the user."""
    first = (trajectory.first or {}).get("text", "")
    told = next((found for event in trajectory.events if (found := _table(event.get("prompt")))), _table(None))
    return _text(told.get("system")), _text(told.get("user")) or _text(first)


def turns(trajectory: Trajectory) -> Iterator[Turn]:
    """The turns that led to the end. Several tool calls of one message are one turn of several steps."""
    together: list[Mapping[str, Any]] = []
    number = 1
    for step in trajectory.steps:
        player = _table(step.get("player"))
        if together and _asked(together[0]) and not _asked(step) and player.get("call_id"):
            together.append(step)
            continue
        if together:
            yield _turn(together, trajectory, number)
            number += len(together)
        together = [step]
    if together:
        yield _turn(together, trajectory, number)


def _asked(step: Mapping[str, Any]) -> bool:
    """Whether the step begins a message of a model."""
    return isinstance(_table(step.get("player")).get("message"), Mapping)


def _turn(steps: Sequence[Mapping[str, Any]], trajectory: Trajectory, number: int) -> Turn:
    player = _table(steps[0].get("player"))
    said = player.get("message")
    texts = [step["observation"]["text"] for step in steps]
    if not isinstance(said, Mapping):
        call = _made_call(steps[0], number) if trajectory.header.get("protocol") == "tools" else None
        message = _message("" if call else steps[0]["action"], [call] if call else [])
        return Turn(message=message, steps=tuple(steps), answers=_answers(texts, [call] if call else []))
    calls = _calls(said.get("tool_calls"), steps, number)
    message = _message(_text(said.get("content")), calls)
    reasoning = _text(player.get("reasoning")) or _text(said.get("reasoning_content"))
    return Turn(
        message={**message, "reasoning_content": reasoning} if reasoning else message,
        steps=tuple(steps),
        answers=_answers(texts, calls),
        asked=True,
        usage=read_usage(player.get(USAGE)),
        model=_text(player.get("model")),
    )


def _message(content: str, calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    return {**message, "tool_calls": list(calls)} if calls else message


def _answers(texts: Sequence[str], calls: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    if not calls:
        return tuple({"role": "user", "content": text} for text in texts)
    pairs = zip(texts, calls, strict=False)
    return tuple({"role": "tool", "content": text, "tool_call_id": call["id"]} for text, call in pairs)


def _calls(told: Any, steps: Sequence[Mapping[str, Any]], number: int) -> list[dict[str, Any]]:
    """The calls that were done, in their order: one for each step. Servers leave ids out, or use one twice."""
    listed = told if isinstance(told, Sequence) and not isinstance(told, str) else []
    found = []
    for place, (call, step) in enumerate(zip(listed, steps, strict=False)):
        call_id = _table(step.get("player")).get("call_id") or _table(call).get("id") or f"call_{number + place}"
        made = _call(call, str(call_id))
        if made is None:
            return []
        found.append(made)
    return found if len(found) == len(steps) else []


def _made_call(step: Mapping[str, Any], number: int) -> dict[str, Any] | None:
    """The action as a tool call; ``None`` for text that is none."""
    try:
        data = json.loads(step["action"])
    except (ValueError, RecursionError):
        return None
    return _call(data, str(_table(data).get("id") or f"call_{number}"))


def _call(data: Any, call_id: str) -> dict[str, Any] | None:
    call = _table(_table(data).get("function", data))
    if not isinstance(call.get("name"), str):
        return None
    given = call.get("arguments", {})
    arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return {"id": call_id, "type": "function", "function": {"name": call["name"], "arguments": arguments}}


def total_usage(trajectory: Trajectory) -> Usage | None:
    """What the episode's model calls came to: as its end tells it, else the sum of its messages, also of those that
    did not count. ``None`` if it tells nothing."""
    told = read_usage((trajectory.end or {}).get(USAGE))
    if told is not None:
        return told
    parts = [_table(event.get("player") or event.get("invalid_reply")) for event in trajectory.events]
    found = [usage for part in parts if (usage := read_usage(part.get(USAGE))) is not None]
    return sum(found, Usage()) if found else None


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    """Text, also of a message in parts."""
    if isinstance(value, list):
        return "".join(_text(_table(part).get("text")) for part in value)
    return value if isinstance(value, str) else ""
