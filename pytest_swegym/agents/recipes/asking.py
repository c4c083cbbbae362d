"""What an agent inside a sandbox may ask of the model: known paths, known keys, the configured model, no way out.

A server's own tools (searching the web, running code, fetching a picture by its address) would be a way around the
sandbox's missing network: of tools only those remain that the agent itself carries out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_swegym.agents.config import AgentConfig


CHAT, RESPONSES, EMBEDDINGS, MODELS = "chat/completions", "responses", "embeddings", "models"
#: Keys of a request that are passed on.
_SAMPLING = {"temperature", "top_p", "seed", "tools", "tool_choice", "parallel_tool_calls"}
_KEYS: Mapping[str, set[str]] = {
    CHAT: _SAMPLING
    | {"messages", "stop", "max_tokens", "max_completion_tokens", "response_format", "reasoning_effort", "top_k"}
    | {"presence_penalty", "frequency_penalty", "logit_bias", "functions", "function_call", "verbosity"},
    RESPONSES: _SAMPLING | {"input", "instructions", "max_output_tokens", "reasoning", "text", "include"},
    EMBEDDINGS: {"input"},
    MODELS: set(),
}
#: Kinds of tools that are the agent's own.
_TOOLS = ("function", "custom", "local_shell", "shell", "apply_patch")
#: What a message's part may not hold unless it is all there: an address that the server would go to.
_ADDRESSES = ("image_url", "audio_url", "video_url", "file_url", "file_id", "url")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request of the agent's: ``payload`` is what is left of its body. ``stream`` and ``usage`` are for its answer:
    whether it is to come as a stream of events, and whether that is to tell the usage."""

    number: int
    path: str
    payload: Mapping[str, Any]
    stream: bool = False
    usage: bool = False

    @property
    def messages(self) -> list[Any]:
        """The conversation so far."""
        given = self.payload.get("messages" if self.path == CHAT else "input")
        return given if isinstance(given, list) else [{"role": "user", "content": given}] if given else []


def unpacked(text: bytes) -> tuple[int, str, str]:
    """Number, path and body of what the relay handed over. Raises :class:`ValueError` if that is no request."""
    try:
        told = json.loads(text)
        number, path, body = told["number"], told["path"], told["body"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no request of the relay's: {error}") from None
    if type(number) is not int or not isinstance(path, str) or path not in _KEYS or not isinstance(body, str):
        raise ValueError("no request of the relay's")
    return number, path, body


def read_request(number: int, path: str, body: str, config: AgentConfig) -> Asked:
    """What of an agent's request is passed on. Raises :class:`ValueError`, which tells the agent what is wrong."""
    try:
        given = json.loads(body) if body.strip() else {}
    except RecursionError:
        raise ValueError("a request's body is nested too deep") from None
    if not isinstance(given, dict):
        raise ValueError("a request's body must be a JSON object")
    payload = {key: value for key, value in given.items() if key in _KEYS[path]}
    if isinstance(payload.get("tools"), list):
        payload["tools"] = [each for each in payload["tools"] if isinstance(each, dict) and _is_own(each)]
    if path != MODELS:
        _check_whole(payload, "messages" if path == CHAT else "input", path)
    if path in (CHAT, RESPONSES):
        _forced(payload, path, config)
        _check_addresses([payload.get("messages"), payload.get("input")])
    options = given.get("stream_options")
    usage = isinstance(options, dict) and options.get("include_usage") is True
    return Asked(number=number, path=path, payload=payload, stream=given.get("stream") is True, usage=usage)


def _is_own(tool: Mapping[str, Any]) -> bool:
    """Whether the agent carries a tool out itself: a shell may also be one of the server's machines."""
    place = tool.get("environment", {"type": "local"})
    return tool.get("type") in _TOOLS and isinstance(place, dict) and place.get("type") == "local"


def _check_whole(payload: Mapping[str, Any], name: str, path: str) -> None:
    given = payload.get(name)
    if not given:
        raise ValueError(f"{path}: a request without {name}")
    whole = isinstance(given, list) and all(isinstance(each, dict) for each in given)
    if not whole and path != EMBEDDINGS and (path == CHAT or not isinstance(given, str)):
        raise ValueError(f"{path}: {name} must be a list of objects")


def _forced(payload: dict[str, Any], path: str, config: AgentConfig) -> None:
    """What the configuration says of sampling holds, whatever the agent asked for."""
    if config.temperature >= 0:
        payload["temperature"] = config.temperature
    if config.reply_tokens:
        for key in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            payload.pop(key, None)
        payload["max_tokens" if path == CHAT else "max_output_tokens"] = config.reply_tokens
    if path == RESPONSES:
        payload["store"] = False


def _check_addresses(value: Any) -> None:
    """Raise :class:`ValueError` for an address in a message that the model's server would fetch."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            waiting += each.values()
            for key in _ADDRESSES:
                given = each.get(key)
                # Servers take a part without its type too; a plain "url" alone is in what tools are called with.
                part = key != "url" or each.get("type")
                if isinstance(given, str) and part and not given.startswith("data:"):
                    raise ValueError(f"{key}: only data: is passed on, no address that the server would go to")
                if isinstance(given, dict) and not str(given.get("url", "data:")).startswith("data:"):
                    raise ValueError(f"{key}: only data: is passed on, no address that the server would go to")
