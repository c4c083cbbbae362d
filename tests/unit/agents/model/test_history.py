"""What a model is told: complete, and still a chat that servers take, however much was left out."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.model.history import RECENT
from pytest_swegym.agents.model.history import History


SYSTEM, TASK = "You are an engineer.", "add(1, 2) is -1"
texts = st.one_of(st.text(max_size=40), st.integers(0, 9000).map(lambda length: "x" * length))
#: An exchange: the outputs of its calls, or what plain text was answered with; and how much the model itself said.
exchanges = st.lists(st.tuples(st.booleans(), st.lists(texts, min_size=1, max_size=3), texts), max_size=12)


def filled(made: Sequence[tuple[bool, Sequence[str], str]]) -> History:
    history = History(SYSTEM, TASK)
    for number, (with_calls, outputs, said) in enumerate(made):
        if not with_calls:
            history.said({"role": "assistant", "content": said or "(empty)"})
            history.answered(outputs[0])
            continue
        ids = [f"call_{number}_{each}" for each in range(len(outputs))]
        calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
        history.said({"role": "assistant", "content": said or None, "tool_calls": calls})
        for call_id, output in zip(ids, outputs, strict=True):
            history.answered(output, call_id=call_id)
    return history


def check(messages: Sequence[Mapping[str, Any]]) -> None:
    """What servers want: every call answered at once and in order, nothing answered that was not called, turns."""
    assert messages[0] == {"role": "system", "content": SYSTEM}
    assert messages[1]["role"] == "user"
    assert messages[1]["content"].startswith(TASK)
    open_calls: list[str] = []
    turn = "assistant"
    for message in messages[2:]:
        if message["role"] == "tool":
            assert message["tool_call_id"] == open_calls.pop(0)
            assert message["content"].strip()
            turn = "assistant"
            continue
        assert not open_calls
        assert message["role"] == turn
        open_calls = [each["id"] for each in message.get("tool_calls", ())]
        turn = "assistant" if message["role"] == "user" else "user"
        assert open_calls or message["content"].strip() or message["role"] == "assistant"
    assert not open_calls


@given(made=exchanges, tokens=st.lists(st.integers(-10, 8000), max_size=4), summary=st.booleans())
def test_a_compacted_chat_is_always_valid(
    made: list[tuple[bool, list[str], str]], tokens: list[int], summary: bool
) -> None:
    history = filled(made)
    check(history.messages)
    if summary:
        history.summarised("It was looked at.")
        check(history.messages)
    for wanted in tokens:
        before = history.tokens()
        shorter = history.trim(wanted)
        check(history.messages)
        assert (history.tokens() < before) is shorter
        if before <= wanted:
            assert not shorter


def test_the_oldest_outputs_go_first() -> None:
    history = filled([(True, ["x" * 8000], "")] * 6)
    whole = [message["content"] for message in history.messages if message["role"] == "tool"]
    assert history.trim(history.tokens() - 1000)
    now = [message["content"] for message in history.messages if message["role"] == "tool"]
    assert "characters left out" in now[0]
    assert now[1:] == whole[1:]


def test_then_whole_exchanges_and_what_is_recent_at_last() -> None:
    history = filled([(True, ["x" * 8000], "")] * 6)
    history.trim(4100)
    roles = [message["role"] for message in history.messages]
    assert roles == ["system", "user"] + ["assistant", "tool"] * RECENT
    assert history.messages[1]["content"] == f"{TASK}\n\n(Earlier steps are left out.)"
    assert [len(message["content"]) for message in history.messages if message["role"] == "tool"] == [8000] * RECENT
    history.trim(0)
    assert len(history.messages) == 4
    assert len(history.messages[-1]["content"]) < 200
    assert not history.trim(0)


def test_a_summary_takes_the_place_of_what_it_is_about() -> None:
    history = filled([(True, [f"output {number}"], "") for number in range(5)])
    story = history.story(10_000)
    assert "output 2" in story
    assert "output 3" not in story
    history.summarised("Nothing was changed.")
    assert history.messages[1]["content"].endswith("in short:\nNothing was changed.")
    assert [message["content"] for message in history.messages if message["role"] == "tool"] == ["output 3", "output 4"]
    history.said({"role": "assistant", "content": "I go on."})
    history.answered("good")
    assert history.story(10_000).startswith("What was done so far, in short:\nNothing was changed.")
    assert len(history.story(20)) == 20


def test_there_is_no_story_of_nothing() -> None:
    assert filled([(True, ["x"], "")] * RECENT).story(1000) == ""
