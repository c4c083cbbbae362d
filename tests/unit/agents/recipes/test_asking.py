"""What an agent may ask of the model, whatever it sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.recipes import asking as a


CONFIG = AgentConfig(model="m")
HELLO = [{"role": "user", "content": "hello"}]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def read(body: Any, path: str = a.CHAT, config: AgentConfig = CONFIG) -> a.Asked:
    return a.read_request(7, path, body if isinstance(body, str) else json.dumps(body), config)


def test_known_keys_go_on_and_others_do_not() -> None:
    tools = [{"type": "function", "function": {"name": "bash"}}, {"type": "web_search"}, "nonsense"]
    asked = read(
        {"messages": HELLO, "model": "mine", "n": 100, "tools": tools, "temperature": 0.5, "stream": True}
        | {"web_search_options": {}, "stream_options": {"include_usage": True}, "user": "me"}
    )
    assert asked.payload == {"messages": HELLO, "temperature": 0.5, "tools": tools[:1]}
    assert (asked.number, asked.stream, asked.usage, asked.messages) == (7, True, True, HELLO)


def test_the_configuration_wins() -> None:
    config = AgentConfig(model="m", temperature=0.0, reply_tokens=50)
    given = {"messages": HELLO, "temperature": 2, "max_completion_tokens": 10**6, "max_tokens": 10**6}
    assert read(given, config=config).payload == {"messages": HELLO, "temperature": 0.0, "max_tokens": 50}
    asked = read({"input": "hello", "max_output_tokens": 10**6, "store": True}, a.RESPONSES, config)
    assert asked.payload == {"input": "hello", "max_output_tokens": 50, "temperature": 0.0, "store": False}
    assert asked.messages == HELLO


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ("{", a.CHAT, "Expecting property name"),
        ("[]", a.CHAT, "must be a JSON object"),
        ("{}", a.CHAT, "a request without messages"),
        ({"input": []}, a.RESPONSES, "a request without input"),
        ({}, a.EMBEDDINGS, "a request without input"),
        ({"messages": "hello"}, a.CHAT, "messages must be a list of objects"),
        ({"messages": ["hello"]}, a.CHAT, "messages must be a list of objects"),
        ({"input": {"a": 1}}, a.RESPONSES, "input must be a list of objects"),
        ("[" * 200_000, a.CHAT, "nested too deep"),
        ({"messages": [{"content": [{"type": "image_url", "image_url": {"url": "http://a"}}]}]}, a.CHAT, "only data:"),
        ({"messages": [{"content": [{"image_url": "http://a"}]}]}, a.CHAT, "only data:"),
        ({"messages": [{"content": [{"type": "video_url", "video_url": {"url": "file:///a"}}]}]}, a.CHAT, "only data:"),
        ({"input": [{"content": [{"type": "input_image", "image_url": "http://a"}]}]}, a.RESPONSES, "only data:"),
        ({"input": [{"content": [{"type": "input_file", "file_id": "f-1"}]}]}, a.RESPONSES, "only data:"),
    ],
)
def test_what_is_not_passed_on_says_why(body: Any, path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(body, path)


def test_a_shell_on_the_servers_side_is_not_passed_on() -> None:
    tools = [{"type": "shell", "environment": {"type": "local"}}, {"type": "local_shell"}]
    hosted = [{"type": "shell", "environment": each} for each in ({"type": "container_auto"}, None, "container_auto")]
    assert read({"input": "hello", "tools": [*hosted, *tools]}, a.RESPONSES).payload["tools"] == tools


def test_a_picture_that_is_all_there_goes_on() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    messages = [{"role": "user", "content": [picture]}]
    assert read({"messages": messages}).payload["messages"] == messages


@given(ANY, st.sampled_from([a.CHAT, a.RESPONSES, a.EMBEDDINGS, a.MODELS]))
def test_whatever_is_sent_is_read_or_refused(body: Any, path: str) -> None:
    try:
        asked = read(body, path)
    except ValueError:
        return
    assert "model" not in asked.payload
    assert isinstance(asked.messages, list)


TOLD = ANY | st.fixed_dictionaries({"number": ANY, "path": ANY | st.just(a.MODELS), "body": ANY})


@given(st.binary() | TOLD.map(lambda data: json.dumps(data).encode()))
def test_whatever_the_sandbox_says_is_a_request_or_is_not(text: bytes) -> None:
    try:
        number, path, body = a.unpacked(text)
    except ValueError:
        return
    assert (type(number), path, type(body)) == (int, a.MODELS, str)


def test_a_request_of_the_relays() -> None:
    assert a.unpacked(b'{"number": 3, "path": "models", "body": ""}') == (3, a.MODELS, "")
