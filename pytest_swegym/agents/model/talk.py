"""An episode's talk with its model: kept within the model's context, and taken up again where it was cut."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from pytest_swegym.agents.base import EndEpisode
from pytest_swegym.agents.model.client import ModelClient
from pytest_swegym.agents.model.history import History
from pytest_swegym.agents.model.prompts import SUMMARISER
from pytest_swegym.agents.model.replies import ReplyLog
from pytest_swegym.agents.model.reply import Reply
from pytest_swegym.agents.model.reply import estimate_tokens
from pytest_swegym.errors import ContextTooLong
from pytest_swegym.errors import ModelError


#: Why an episode ends whose chat cannot be made short enough.
CONTEXT = "context"
#: The part of the room that a chat has after it was made shorter, and after its server found it too long.
_FILLED, _FILLED_LESS = 0.7, 0.6
#: How often a chat is made shorter because its server finds it too long.
_SHRINKS = 6
#: Longest reply that room is kept for, if the configuration names none, in tokens.
_REPLY = 2048
#: How far the server's count may be from ours.
_RATIO = (0.5, 4.0)
#: The part of the context that is used: our count is an estimate.
_USED = 0.95


class Talk:
    """Asks ``client`` for replies to ``history``, or ``log`` for those of an earlier run."""

    def __init__(
        self,
        client: ModelClient,
        history: History,
        log: ReplyLog,
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        seed: int | None = None,
        note: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.client, self.history = client, history
        self._log, self._tools, self._seed, self._note = log, tools, seed, note
        self._compaction = client.config.compaction
        self._window = client.context_tokens() if self._compaction != "off" else 0
        self._tools_tokens = estimate_tokens((), tools)
        self._ratio = 1.0
        self._told = False

    def ask(self, mark: Mapping[str, Any]) -> Reply:
        """The model's next message; ``mark`` names the moment of the episode (JSON only).

        Raises as :meth:`ModelClient.chat`, and :class:`EndEpisode` if the chat cannot be made short enough.
        """
        if self._window and self._length() > self._room():
            self._compact(self._room() * _FILLED, mark)
        for _ in range(_SHRINKS):
            estimated = self._length() / self._ratio
            try:
                reply = self._reply({"kind": "act", **mark}, self.history.messages, tools=self._tools)
            except ContextTooLong as error:
                self._shrink(error, mark)
                continue
            if not reply.estimated:
                self._ratio = min(max(reply.usage.prompt_tokens / max(estimated, 1), _RATIO[0]), _RATIO[1])
            return reply
        raise EndEpisode(CONTEXT)

    # -- inside ----------------------------------------------------------------------------------

    def _reply(self, mark: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], **given: Any) -> Reply:
        kept = self._log.next(mark)
        if self._log.ended:
            self._tell_resumed()
        if isinstance(kept, ContextTooLong):
            raise kept
        if kept is not None:
            self.client.count(kept)
            return kept
        try:
            reply = self.client.chat(messages, seed=self._seed, **given)
        except ContextTooLong as error:
            self._log.add(mark, error)
            raise
        self._log.add(mark, reply)
        return reply

    def _tell_resumed(self) -> None:
        """Say once how much was taken from the earlier run, when nothing more is."""
        if not self._told and self._log.served:
            self._note({"resumed": {"replies": self._log.served}})
        self._told = True

    def _length(self) -> float:
        """About how many of the model's tokens the next request has."""
        return (self.history.tokens() + self._tools_tokens) * self._ratio

    def _room(self) -> float:
        """Tokens that a request may have, so that a reply fits in."""
        return self._window * _USED - (self.client.config.reply_tokens or min(_REPLY, self._window // 4))

    def _shrink(self, error: ContextTooLong, mark: Mapping[str, Any]) -> None:
        """Make a chat shorter that its server found too long, be our own count what it may."""
        if self._compaction == "off":
            raise EndEpisode(CONTEXT) from error
        length = self._length()
        self._window = error.limit or self._window or int(length)
        if not self._compact(min(length, max(self._room(), 1)) * _FILLED_LESS, mark):
            raise EndEpisode(CONTEXT) from error

    def _compact(self, tokens: float, mark: Mapping[str, Any]) -> bool:
        """Make the chat shorter than so many of the model's tokens, as far as that goes; whether it is shorter."""
        before, how = self._length(), "trim"
        if self._compaction == "summary" and self._summarised(mark):
            how = "summary"
        self.history.trim(int(tokens / self._ratio) - self._tools_tokens)
        after = self._length()
        if after < before:
            self._note({"compacted": {"how": how, "before": round(before), "after": round(after)}})
        return after < before

    def _summarised(self, mark: Mapping[str, Any]) -> bool:
        """Have the model say in short what is left out; whether it did."""
        # At four characters a token this is half of the model's context.
        story = self.history.story(int(self._window * 2 / max(self._ratio, 1)))
        if not story:
            return False
        messages = [{"role": "system", "content": SUMMARISER}, {"role": "user", "content": story}]
        try:
            reply = self._reply({"kind": "summary", **mark}, messages)
        except ModelError:
            return False
        if not reply.text.strip():
            return False
        self.history.summarised(reply.text)
        return True
