"""What a model is told: the task, then its own messages and what came of them, kept within the model's context."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from functools import partial
from typing import Any

from pytest_swegym.agents.model.reply import estimate_tokens


#: Characters that are left of an old output, and of one that must stay, while a chat is made shorter.
SHORT, SHORTEST = 400, 100
#: Exchanges at the end that are kept as they are, as long as that is possible.
RECENT = 2
_WHO = {"assistant": "You", "tool": "Output", "user": "Output"}
#: Longest message in a story, in characters.
_TOLD = 2000


class History:
    """A chat of one episode. The system prompt and the task are in it whatever else is left out.

    It is made of exchanges: a message of the model's, and what answers it. Every message of tools follows the call that
    it answers, and user and assistant take turns, however much was left out.
    """

    def __init__(self, system: str, task: str) -> None:
        self._system = system
        self._task = task
        self._aside = ""
        self._exchanges: list[list[dict[str, Any]]] = []

    # -- what happens ----------------------------------------------------------------------------

    def said(self, message: Mapping[str, Any]) -> None:
        """The model said something."""
        self._exchanges.append([dict(message)])

    def answered(self, text: str, *, call_id: str = "") -> None:
        """What came of it: of the call that ``call_id`` names, or of a message of plain text."""
        content = text if text.strip() else "(no output)"
        answer = {"role": "tool", "tool_call_id": call_id} if call_id else {"role": "user"}
        self._exchanges[-1].append({**answer, "content": content})

    # -- what is sent ----------------------------------------------------------------------------

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The chat as it is now."""
        system = [{"role": "system", "content": self._system}] if self._system else []
        first = "\n\n".join(text for text in (self._task, self._aside) if text)
        return [*system, {"role": "user", "content": first}, *(each for one in self._exchanges for each in one)]

    def tokens(self) -> int:
        """About how long it is."""
        return estimate_tokens(self.messages)

    def story(self, limit: int) -> str:
        """What happened before the recent exchanges, as text of at most ``limit`` characters; empty if nothing did."""
        older = [each for one in self._exchanges[:-RECENT] for each in one]
        if not older:
            return ""
        told = [self._aside] if self._aside else []
        told += [f"{_WHO[each['role']]}: {_in_short(_text_of(each))}" for each in older]
        return "\n\n".join(told)[-limit:]

    # -- made shorter ----------------------------------------------------------------------------

    def summarised(self, text: str) -> None:
        """Have ``text`` in place of the older messages."""
        del self._exchanges[:-RECENT]
        self._aside = f"What was done so far, in short:\n{text.strip()}"

    def trim(self, tokens: int) -> bool:
        """Make it no longer than ``tokens``, as far as that goes; whether anything was left out.

        The oldest outputs are shortened first, then the oldest exchanges left out, then what is recent is shortened.
        """
        before = self.tokens()
        for shorten in self._ways():
            if self.tokens() <= tokens:
                break
            shorten()
        return self.tokens() < before

    def _ways(self) -> Iterator[Callable[[], None]]:
        """What makes it shorter, one after the other."""
        for exchange in self._exchanges[:-RECENT]:
            yield partial(_shorten, exchange, SHORT)
        while len(self._exchanges) > RECENT:
            yield self._drop
        for exchange in self._exchanges:
            yield partial(_shorten, exchange, SHORT * 4)
        while len(self._exchanges) > 1:
            yield self._drop
        for length in (SHORT, SHORTEST):
            for exchange in self._exchanges:
                yield partial(_shorten, exchange, length)

    def _drop(self) -> None:
        del self._exchanges[0]
        if not self._aside:
            self._aside = "(Earlier steps are left out.)"


def _shorten(exchange: list[dict[str, Any]], length: int) -> None:
    """Cut the middle out of every answer in it that is longer."""
    for number, message in enumerate(exchange):
        content = message.get("content")
        if message["role"] != "assistant" and isinstance(content, str) and len(content) > length + 60:
            half = length // 2
            left_out = f"\n[... {len(content) - 2 * half} characters left out ...]\n"
            exchange[number] = {**message, "content": content[:half] + left_out + content[-half:]}


def _text_of(message: Mapping[str, Any]) -> str:
    calls = [f"{call['function']['name']} {call['function']['arguments']}" for call in message.get("tool_calls", ())]
    return "\n".join([*([message["content"]] if message.get("content") else []), *calls])


def _in_short(text: str) -> str:
    half = _TOLD // 2
    return text if len(text) <= _TOLD else f"{text[:half]}\n[...]\n{text[-half:]}"
