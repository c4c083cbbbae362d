"""What a reply asks for: never more than it says, and a message that servers take back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.model import Reply
from pytest_swegym.agents.model.asked import read_asked
from pytest_swegym.session import Invalid
from pytest_swegym.session import load_protocol
from pytest_swegym.task.usage import Usage


TOOLS = load_protocol("tools")()
EXECUTE = load_protocol("execute")()
names = st.one_of(st.sampled_from(["bash", "submit", "write_file", "nothing"]), st.text(max_size=5))
arguments = st.one_of(
    st.sampled_from(['{"command": "ls"}', "{}", "", "[]", "nu", None, 3]),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
)
functions = st.one_of(st.none(), st.fixed_dictionaries({}, optional={"name": names, "arguments": arguments}))
ids = st.sampled_from(["", "a", "call_0", "call_1", None, 7])
calls = st.lists(st.fixed_dictionaries({}, optional={"id": ids, "function": functions}), max_size=4)


def reply(text: str = "", given: Any = (), finish: str = "stop") -> Reply:
    message = {"role": "assistant", "content": text}
    return Reply(text=text, message=message, calls=tuple(given), finish=finish, usage=Usage())


@given(text=st.text(max_size=30), given=calls, finish=st.sampled_from(["stop", "length", ""]))
def test_whatever_a_model_sends_becomes_steps_or_answers(text: str, given: list[Any], finish: str) -> None:
    asked = read_asked(reply(text, given, finish), TOOLS)
    assert bool(asked.steps) != bool(asked.wrong)
    kept = asked.message.get("tool_calls", [])
    ids = [each["id"] for each in kept]
    assert len({*ids}) == len(ids) == len(given)
    for each in kept:
        assert each["id"]
        assert each["function"]["name"]
        assert isinstance(json.loads(each["function"]["arguments"]), dict)
    assert kept or asked.message["content"].strip()
    for step in asked.steps:
        assert not isinstance(TOOLS.parse(step.text), Invalid)
    if given and asked.wrong:
        assert asked.answers is not None
        assert list(asked.answers) == ids
    if asked.steps and given:
        assert [step.call_id for step in asked.steps] == ids
    if finish == "length":
        assert not asked.steps


@pytest.mark.parametrize("wrap", ["{}", "```json\n{}\n```", "<tool_call>\n{}\n</tool_call>", "\n{} "])
def test_a_call_that_is_written_out_is_one(wrap: str) -> None:
    call = '{"name": "bash", "arguments": {"command": "echo {}"}}'
    asked = read_asked(reply(wrap.replace("{}", call)), TOOLS)
    assert [step.text for step in asked.steps] == [call]
    assert "tool_calls" not in asked.message


@pytest.mark.parametrize("text", ['I call {"name": "submit"} now', "submit", '{"name": "erase", "arguments": {}}'])
def test_text_that_only_speaks_of_a_call_is_none(text: str) -> None:
    assert not read_asked(reply(text), TOOLS).steps


def test_plain_text_is_one_action() -> None:
    asked = read_asked(reply("I look.\n<execute>ls</execute>"), EXECUTE)
    assert [step.text for step in asked.steps] == ["I look.\n<execute>ls</execute>"]
    cut = read_asked(reply("<execute>ls</execute>", finish="length"), EXECUTE)
    assert (cut.steps, "cut" in cut.wrong) == ((), True)
    empty = read_asked(reply(" "), EXECUTE)
    assert empty.message == {"role": "assistant", "content": "(empty)"}
    assert "empty" in empty.wrong


def test_very_many_calls_of_one_id_each_get_their_own() -> None:
    one = {"id": "same", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    asked = read_asked(reply("", [one] * 10_000), TOOLS)
    assert len({step.call_id for step in asked.steps}) == len(asked.steps) == 10_000
