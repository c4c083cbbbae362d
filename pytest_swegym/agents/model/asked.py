"""What a reply asks for: actions in the words of the protocol, or what is wrong with it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

from pytest_swegym.agents.model.reply import Reply
from pytest_swegym.session import Invalid
from pytest_swegym.session import Protocol


#: How models write a call as text, if their server does not take it out.
_WRITTEN = re.compile(r"\A(?:```(?:json)?|<tool_call>)?\s*(\{.*\})\s*(?:```|</tool_call>)?\Z", re.DOTALL)
_CUT = "Your reply was cut at its longest length, and nothing of it was done: be shorter."
_NOT_DONE = "Not done: another call of the same reply was no valid one."
#: What stands for a reply that is empty: many servers refuse an empty message.
_EMPTY = "(empty)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action of a reply, in the words of the protocol; ``call_id`` names the tool call that it was."""

    text: str
    call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """``message`` is the reply as the chat goes on with it: every call has an id of its own, and arguments that are
    JSON. ``steps`` are its actions; if ``wrong`` says what is wrong there are none, and ``answers`` (by call id) is
    what each call is told."""

    message: Mapping[str, Any]
    steps: tuple[Step, ...] = ()
    wrong: str = ""
    answers: Mapping[str, str] | None = None


def read_asked(reply: Reply, protocol: Protocol) -> Asked:
    """What a model's reply asks for, in a session of that protocol."""
    if not protocol.schemas():
        return _plain(reply, protocol)
    return _calls(reply, protocol) if reply.calls else _no_call(reply, protocol)


def _plain(reply: Reply, protocol: Protocol) -> Asked:
    """A reply to a protocol of plain text is one action."""
    message = {"role": "assistant", "content": reply.text.strip() or _EMPTY}
    action = protocol.parse(reply.text)
    wrong = _CUT if reply.finish == "length" else action.message if isinstance(action, Invalid) else ""
    return Asked(message=message, wrong=wrong) if wrong else Asked(message=message, steps=(Step(text=reply.text),))


def _no_call(reply: Reply, protocol: Protocol) -> Asked:
    """Text where a call should be: a call that was written out is one."""
    written = _WRITTEN.match(reply.text.strip())
    text = written[1] if written else reply.text
    if written or reply.finish == "length":
        return _plain(replace(reply, text=text), protocol)
    names = ", ".join(schema["function"]["name"] for schema in protocol.schemas())
    what = "Your reply is empty" if not reply.text.strip() else "There is no function call in your reply"
    return Asked(
        message={"role": "assistant", "content": reply.text.strip() or _EMPTY},
        wrong=f"{what}: call one of these functions: {names}.",
    )


def _calls(reply: Reply, protocol: Protocol) -> Asked:
    """Calls become actions in their order; with a wrong one among them none is done."""
    given = [_function(call) for call in reply.calls]
    ids = _ids(reply)
    wrong = {}
    for call_id, each in zip(ids, given, strict=True):
        action = Invalid(message=_CUT) if reply.finish == "length" else protocol.parse(_text(*each))
        if isinstance(action, Invalid):
            wrong[call_id] = action.message
    kept = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": _valid(arguments)}}
        for call_id, (name, arguments) in zip(ids, given, strict=True)
    ]
    message = {"role": "assistant", "content": reply.text or None, "tool_calls": kept}
    if wrong:
        answers = {call_id: wrong.get(call_id, _NOT_DONE) for call_id in ids}
        return Asked(message=message, wrong="; ".join(dict.fromkeys(wrong.values())), answers=answers)
    steps = (Step(text=_text(*each), call_id=call_id) for call_id, each in zip(ids, given, strict=True))
    return Asked(message=message, steps=tuple(steps))


def _function(call: Mapping[str, Any]) -> tuple[str, Any]:
    """Name and arguments of a call, as far as it has them."""
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    name, arguments = function.get("name"), function.get("arguments", "{}")
    return name if isinstance(name, str) and name else "(none)", arguments


def _ids(reply: Reply) -> list[str]:
    """An id for each call: the server's, unless it has none or gives it twice."""
    ids: dict[str, None] = {}
    free = (name for name in map("call_{}".format, itertools.count()) if name not in ids)
    for call in reply.calls:
        given = call.get("id")
        ids[given if isinstance(given, str) and given and given not in ids else next(free)] = None
    return list(ids)


def _text(name: str, arguments: Any) -> str:
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


def _valid(arguments: Any) -> str:
    """Arguments that a server can take back: those that were no JSON object become an empty one."""
    try:
        data = json.loads(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError):
        return "{}"
    return json.dumps(data, ensure_ascii=False) if isinstance(data, dict) else "{}"
