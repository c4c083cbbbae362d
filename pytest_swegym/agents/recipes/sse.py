"""A whole answer as the stream of events that it would have come as."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from pytest_swegym.agents.recipes import asking as a


#: What a stream of events is called.
KIND = "text/event-stream"


def streamed(asked: a.Asked, answer: Mapping[str, Any]) -> bytes:
    """The body of a stream that holds all of ``answer``."""
    if asked.path == a.CHAT:
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in _chunks(answer, asked.usage)]
        return "".join([*lines, "data: [DONE]\n\n"]).encode()
    events = [{**event, "sequence_number": number} for number, event in enumerate(_events(answer))]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def _chunks(answer: Mapping[str, Any], usage: bool) -> Iterator[dict[str, Any]]:
    """A chat's answer: for each choice its message, then why it ended; at last the usage, if that is wanted."""
    kept = {key: answer[key] for key in ("id", "created", "model", "system_fingerprint") if key in answer}
    frame = {**kept, "object": "chat.completion.chunk"}
    for number, choice in enumerate(answer.get("choices") or []):
        message = dict(choice.get("message") or {})
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            message["tool_calls"] = [{"index": at, **call} for at, call in enumerate(calls) if isinstance(call, dict)]
        at = choice.get("index", number)
        yield {**frame, "choices": [{"index": at, "delta": message, "finish_reason": None}]}
        yield {**frame, "choices": [{"index": at, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}]}
    if usage:
        yield {**frame, "choices": [], "usage": answer.get("usage")}


def _events(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An answer of the Responses API: each item begins, says its text, and is done."""
    yield {"type": "response.created", "response": {**answer, "status": "in_progress", "output": [], "usage": None}}
    for at, item in enumerate(answer.get("output") or []):
        yield {"type": "response.output_item.added", "output_index": at, "item": item}
        parts = item.get("content") if item.get("type") == "message" else None
        for number, part in enumerate(parts if isinstance(parts, list) else []):
            place = {"item_id": item.get("id", ""), "output_index": at, "content_index": number}
            text = part.get("text", "")
            yield {"type": "response.output_text.delta", **place, "delta": text}
            yield {"type": "response.output_text.done", **place, "text": text}
        yield {"type": "response.output_item.done", "output_index": at, "item": item}
    yield {"type": "response.completed", "response": answer}
