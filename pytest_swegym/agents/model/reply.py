"""A model's reply: what it said, what it wants called, what it came to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_swegym.agents.model.endpoint import Transient
from pytest_swegym.task.usage import Usage


#: What a model thinks before it speaks, where it is told to in words of the template.
_THOUGHT = re.compile(r"<think(?:ing)?>(.*?)(?:</think(?:ing)?>|\Z)", re.DOTALL)
#: Characters of a token, where nobody counts them; what a message and a picture of the tools cost besides.
_CHARS, _MESSAGE = 4, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """``text`` is what was said without its ``reasoning``, ``message`` the message as it was sent (role, content,
    tool_calls), ``calls`` its tool calls. ``finish`` says why it ended (``length``: the reply was cut); ``usage`` is
    what this reply came to, ``estimated`` if the server did not say all of it."""

    text: str
    message: dict[str, Any]
    calls: tuple[dict[str, Any], ...] = ()
    finish: str = ""
    reasoning: str = ""
    usage: Usage
    estimated: bool = False
    seconds: float = 0.0
    model: str = ""


def read_reply(answer: Mapping[str, Any], sent: Mapping[str, Any], *, seconds: float) -> Reply:
    """The reply in the answer to a chat request of the payload ``sent``; its usage is without a cost.

    Raises :class:`Transient` for an answer without a message.
    """
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise Transient("the answer has no message in choices", status=200)
    content = message.get("content")
    calls = message.get("tool_calls")
    calls = [each for each in calls if isinstance(each, dict)] if isinstance(calls, list) else []
    kept = {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}
    text = _text(content)
    thought = message.get("reasoning_content") or message.get("reasoning")
    usage, estimated = _usage(answer.get("usage"), sent, kept)
    return Reply(
        text=_THOUGHT.sub("", text).strip() if _THOUGHT.search(text) else text,
        message=kept,
        calls=tuple(calls),
        finish=str(choice.get("finish_reason") or ""),
        reasoning="\n".join([*([thought] if isinstance(thought, str) else []), *_THOUGHT.findall(text)]).strip(),
        usage=Usage(**usage, requests=1, seconds=round(seconds, 6)),
        estimated=estimated,
        seconds=round(seconds, 6),
        model=str(answer.get("model") or sent.get("model", "")),
    )


def _text(content: Any) -> str:
    """Text, or the texts of a list of parts."""
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _usage(told: Any, sent: Mapping[str, Any], message: Mapping[str, Any]) -> tuple[dict[str, int], bool]:
    """Tokens as the server counted them; what it does not say is estimated, and that is told."""
    given = told if isinstance(told, dict) else {}
    prompt, completion = _count(given.get("prompt_tokens")), _count(given.get("completion_tokens"))
    details = given.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    cached = cached if cached is not None else _count(given.get("prompt_cache_hit_tokens"))
    estimated = prompt is None or completion is None
    if prompt is None:
        prompt = estimate_tokens(sent.get("messages", ()), sent.get("tools", ()))
    if completion is None:
        completion = estimate_tokens([message])
    return {
        "prompt_tokens": prompt,
        "cached_tokens": min(cached or 0, prompt),
        "completion_tokens": completion,
    }, estimated


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def estimate_tokens(messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> int:
    """About how many tokens a chat is, for want of the model's own way of counting."""
    chars = sum(len(str(each.get("content") or "")) for each in messages)
    chars += sum(len(json.dumps(each["tool_calls"])) for each in messages if each.get("tool_calls"))
    chars += len(json.dumps(list(tools))) if tools else 0
    return chars // _CHARS + _MESSAGE * len(messages)
