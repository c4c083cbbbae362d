"""The model's server as the relay asks it: an agent's own request, passed on with the key, within the budgets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

from pytest_swegym.agents.model import ModelClient
from pytest_swegym.agents.model.endpoint import Transient
from pytest_swegym.agents.model.endpoint import sendable
from pytest_swegym.agents.model.reply import read_reply
from pytest_swegym.agents.recipes import asking as a
from pytest_swegym.task.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The server's answer, the assistant's ``message`` in it (empty for what is no reply), and what it came to."""

    answer: Mapping[str, Any]
    message: Mapping[str, Any]
    text: str = ""
    usage: Usage
    seconds: float = 0.0
    model: str = ""


class Forwarder(ModelClient):
    """A model's client that takes requests as they are. Safe to use from several threads."""

    def forward(self, asked: a.Asked) -> Answered:
        """The answer to a request. Raises as :meth:`ModelClient.chat`."""
        if asked.path == a.MODELS:
            listed = {"object": "list", "data": [{"id": self.model(), "object": "model", "owned_by": "swegym"}]}
            return Answered(answer=listed, message={}, usage=Usage())
        begin = time.monotonic()
        payload = {**sendable(asked.payload), "model": self._model_for(asked)}
        answered = self._tried(lambda timeout: self._ask(asked.path, payload, timeout))
        seconds = round(time.monotonic() - begin, 6)
        answered = replace(answered, usage=self._priced(replace(answered.usage, seconds=seconds)), seconds=seconds)
        self.add(answered.usage)
        return answered

    def shown(self, error: Exception) -> str:
        """An error as the agent may read it: not where the server is."""
        return self._endpoint.scrub(str(error).replace(self._endpoint.where, "the model's server"))

    def _model_for(self, asked: a.Asked) -> str:
        embedding = self.config.observe.embedding_model
        return embedding if asked.path == a.EMBEDDINGS and embedding else self.model()

    def _ask(self, path: str, payload: Mapping[str, Any], timeout: float) -> Answered:
        if path == a.EMBEDDINGS:
            return _embedded(self._endpoint.embeddings(_texts(payload["input"]), payload["model"], timeout))
        if path == a.RESPONSES:
            return responded(self._endpoint.responses(payload, timeout), payload)
        answer = self._endpoint.chat(payload, timeout)
        reply = read_reply(answer, payload, seconds=0.0)
        return Answered(answer=answer, message=reply.message, text=reply.text, usage=reply.usage, model=reply.model)


def _texts(given: Any) -> list[str]:
    return [str(each) for each in given] if isinstance(given, list) else [str(given)]


def _embedded(answer: Mapping[str, Any]) -> Answered:
    told = answer.get("usage")
    usage = Usage(requests=1, prompt_tokens=_count(told, "prompt_tokens"))
    return Answered(answer=answer, message={}, usage=usage)


def responded(answer: Mapping[str, Any], payload: Mapping[str, Any]) -> Answered:
    """An answer of the Responses API, its items as the one message that they would be in a chat."""
    output = answer.get("output")
    if not isinstance(output, list):
        raise Transient("the answer has no output", status=200)
    texts, calls = [], []
    for item in (each for each in output if isinstance(each, dict)):
        if item.get("type") == "message" and isinstance(item.get("content"), list):
            texts += [str(part["text"]) for part in item["content"] if isinstance(part, dict) and "text" in part]
        elif str(item.get("type")).endswith("_call"):
            given = item.get("arguments", item.get("input", item.get("action", "")))
            function = {"name": str(item.get("name", item["type"])), "arguments": given}
            calls.append({"id": item.get("call_id", ""), "type": "function", "function": function})
    told, text = answer.get("usage"), "\n".join(texts)
    details = told.get("input_tokens_details") if isinstance(told, dict) else None
    return Answered(
        answer=answer,
        message={"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})},
        text=text,
        usage=Usage(
            requests=1,
            prompt_tokens=_count(told, "input_tokens"),
            cached_tokens=_count(details, "cached_tokens"),
            completion_tokens=_count(told, "output_tokens"),
        ),
        model=str(answer.get("model") or payload.get("model", "")),
    )


def _count(told: Any, name: str) -> int:
    value = told.get(name) if isinstance(told, dict) else 0
    return value if isinstance(value, int) and value >= 0 else 0
