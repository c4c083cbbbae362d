"""The calls of an agent's model as the steps of its trajectory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pytest_swegym.agents.recipes.forward import Answered
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SandboxError
from pytest_swegym.session import Observation
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import TrajectoryWriter
from pytest_swegym.workspace import Workspace


#: What a step is, where others have the name of an action.
KIND = "ModelCall"
#: Longest text of an observation, in characters.
_SHOWN = 64 * 1024
#: Conversations that an agent may lead at once, each with what it said before.
_TALKS = 8


class Steps:
    """Writes the trajectory of an agent of which only the calls of its model are seen. Not for several threads at once.

    What a step came to is told by the next request (:meth:`seen`), and that it was not the last by the next reply: only
    then it is written. Where the attempt has no folder nothing is, and the steps are counted all the same.
    """

    def __init__(self, workspace: Workspace, agent: Mapping[str, Any]) -> None:
        occasion = workspace.occasion
        self._workspace = workspace
        self._open: list[tuple[Answered, float]] = []
        self._talks: deque[Sequence[Any]] = deque(maxlen=_TALKS)
        self._now = Observation()
        self._news = ""
        self.count = 0
        self._writer: TrajectoryWriter | None = None
        if occasion.folder is not None:
            header = {**occasion.named, "protocol": "command", "agent": dict(agent)}
            self._writer = TrajectoryWriter(occasion.folder / TRAJECTORY, header, listener=occasion.on_event)

    def begin(self, messages: Sequence[Any]) -> None:
        """What the agent's model is given to read first."""
        self._talks.append(messages)
        if self._writer is not None:
            self._writer.begin(Observation(text=_text(messages)).to_dict())

    def note(self, told: Mapping[str, Any]) -> None:
        if self._writer is not None:
            self._writer.note(told)

    def seen(self, messages: Sequence[Any]) -> None:
        """A request with these messages has come: what is new in them is what the steps before have led to."""
        same, before = max(((_same(talk, messages), talk) for talk in self._talks), key=lambda found: found[0])
        self._news = _text([each for each in messages[same:] if not _is_own(each)]) or self._news
        if same == len(before):
            self._talks.remove(before)
        self._talks.append(messages)
        if self._open and self._writer is not None:
            self._look()

    def answered(self, answered: Answered) -> None:
        """The model has replied, which is a step; what it leads to is told later."""
        self._complete()
        self.count += 1
        self._open.append((answered, time.time() - answered.seconds))

    def end(self, output: str, *, exit_code: int | None, ending: str) -> None:
        """The agent has ended; ``output`` is the last that it printed."""
        if self._writer is not None:
            self._look()
        self._now = replace(self._now, exit_code=exit_code, notice=output if self._news else "")
        self._news = self._news or output
        self._complete(ending)

    def _complete(self, ending: str = "") -> None:
        """Write down the steps whose outcome is known by now."""
        for number, (answered, started) in enumerate(self._open, self.count - len(self._open) + 1):
            last = number == self.count
            now = replace(self._now, step=number)
            now = replace(now, text=self._news, output=self._news) if last else now
            self._write(now, answered, started, ending if last else "")
        self._open.clear()
        self._news = ""

    def _write(self, observation: Observation, answered: Answered, started: float, ending: str) -> None:
        if self._writer is None:
            return
        told = {"message": answered.message, "usage": answered.usage.to_dict()}
        by_player = ending == "submit"
        self._writer.step(
            {
                "action": _action(answered),
                "kind": KIND,
                "observation": observation.to_dict(),
                "reward": 0.0,
                "exit_code": observation.exit_code,
                "terminated": by_player,
                "truncated": bool(ending) and not by_player,
                "ending": ending,
                "started_at": started,
                "seconds": answered.seconds,
                "player": {**told, "seconds": answered.seconds, "model": answered.model},
            }
        )

    def _look(self) -> None:
        """What has changed in the repository so far."""
        with suppress(PatchError, SandboxError):
            tree = self._workspace.tree()
            if tree != self._now.tree:
                self._now = Observation(diff=self._workspace.diff(), tree=tree)


def _same(before: Sequence[Any], messages: Sequence[Any]) -> int:
    """With how many messages of an earlier request this one begins."""
    pairs = zip(before, messages, strict=False)
    return next((at for at, (old, new) in enumerate(pairs) if old != new), min(len(before), len(messages)))


def _is_own(message: Any) -> bool:
    """Whether it is the model's own, which is no news."""
    kind = str(message.get("type", "")) if isinstance(message, dict) else ""
    role = message.get("role") if isinstance(message, dict) else ""
    return role == "assistant" or kind.endswith("_call") or kind == "reasoning"


def _text(messages: Sequence[Any]) -> str:
    return "\n\n".join(text for text in map(_shown, messages) if text)[:_SHOWN]


def _shown(message: Any) -> str:
    """The text of a message, or of an item of the Responses API."""
    content = message.get("content", message.get("output")) if isinstance(message, dict) else message
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and part.get("text"))
    return content if isinstance(content, str) else ""


def _action(answered: Answered) -> str:
    """What the model said, and what it called, a line for each."""
    calls = answered.message.get("tool_calls") or []
    functions = [call.get("function") for call in calls if isinstance(call, dict)]
    lines = [f"{each.get('name')} {each.get('arguments')}" for each in functions if isinstance(each, dict)]
    return "\n".join(part for part in (answered.text, *lines) if part)
