"""A whole answer as a stream: what a client of that stream puts together again is the answer."""

from __future__ import annotations

import json
from typing import Any

from pytest_swegym.agents.recipes import asking as a
from pytest_swegym.agents.recipes.sse import streamed


CALL = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{}"}}


def events(body: bytes) -> list[Any]:
    lines = [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_a_chat() -> None:
    message = {"role": "assistant", "content": "hi\n\ndata: x", "tool_calls": [CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    answer = {"id": "1", "created": 2, "model": "m", "choices": [choice], "usage": {"prompt_tokens": 3}}
    asked = a.Asked(number=1, path=a.CHAT, payload={}, stream=True, usage=True)
    body = streamed(asked, answer)
    assert body.endswith(b"data: [DONE]\n\n")
    first, last, usage = events(body)
    assert first["choices"][0]["delta"] == {**message, "tool_calls": [{"index": 0, **CALL}]}
    assert {each["object"] for each in (first, last, usage)} == {"chat.completion.chunk"}
    assert (last["choices"][0]["finish_reason"], last["model"]) == ("tool_calls", "m")
    assert (usage["choices"], usage["usage"]) == ([], {"prompt_tokens": 3})
    quiet = a.Asked(number=1, path=a.CHAT, payload={}, stream=True)
    assert len(events(streamed(quiet, answer))) == 2


def test_an_answer_of_the_responses_api() -> None:
    said = {"type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}
    called = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "bash", "arguments": "{}"}
    answer = {"id": "r1", "object": "response", "status": "completed", "output": [said, called], "usage": {}}
    told = events(streamed(a.Asked(number=1, path=a.RESPONSES, payload={}, stream=True), answer))
    assert [event["type"].removeprefix("response.") for event in told] == [
        "created", "output_item.added", "output_text.delta", "output_text.done", "output_item.done",
        "output_item.added", "output_item.done", "completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in told] == list(range(8))
    assert [event["item"] for event in told if event["type"] == "response.output_item.done"] == [said, called]
    assert told[-1]["response"] == answer
