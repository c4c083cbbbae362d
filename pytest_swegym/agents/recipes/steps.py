"""The calls of an agent's model as the steps of its trajectory."""

from __future__ import annotations

import time
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


class Steps:
    """Writes the trajectory of an agent of which only the calls of its model are seen. Not for several threads at once.

    What a step came to is known when the next request is there: :meth:`seen` completes the steps before. Where the
    attempt has no folder nothing is written, and the steps are counted all the same.
    """

    def __init__(self, workspace: Workspace, agent: Mapping[str, Any]) -> None:
        occasion = workspace.occasion
        self._workspace = workspace
        self._open: list[tuple[Answered, float]] = []
        self._before: list[Any] = []
        self._now = Observation()
        self.count = 0
        self._writer: TrajectoryWriter | None = None
        if occasion.folder is not None:
            header = {**occasion.named, "protocol": "command", "agent": dict(agent)}
            self._writer = TrajectoryWriter(occasion.folder / TRAJECTORY, header, listener=occasion.on_event)

    def begin(self, messages: Sequence[Any]) -> None:
        """What the agent's model is given to read first."""
        self._before = list(messages)
        if self._writer is not None:
            self._writer.begin(Observation(text=_text(messages)).to_dict())

    def note(self, told: Mapping[str, Any]) -> None:
        if self._writer is not None:
            self._writer.note(told)

    def seen(self, messages: Sequence[Any]) -> None:
        """A request with these messages has come: what is new in them is what the steps before have led to."""
        new = _new(self._before, messages)
        self._before = list(messages)
        self._complete(_text(new))

    def answered(self, answered: Answered) -> None:
        """The model has replied, which is a step; what it leads to is told later."""
        self.count += 1
        self._open.append((answered, time.time() - answered.seconds))

    def end(self, output: str, *, exit_code: int | None, ending: str) -> None:
        """The agent has ended; ``output`` is the last that it printed."""
        self._complete(output[-_SHOWN:], exit_code=exit_code, ending=ending)

    def _complete(self, text: str, *, exit_code: int | None = None, ending: str = "") -> None:
        if not self._open:
            return
        if self._writer is not None:
            self._look()
        for number, (answered, started) in enumerate(self._open, self.count - len(self._open) + 1):
            last = number == self.count
            now = replace(self._now, step=number)
            now = replace(now, text=text, output=text, exit_code=exit_code) if last else now
            self._write(now, answered, started, ending if last else "")
        self._open.clear()

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


def _new(before: Sequence[Any], messages: Sequence[Any]) -> list[Any]:
    """The messages after those that were there before; the model's own are no news."""
    same = next((at for at, (old, new) in enumerate(zip(before, messages, strict=False)) if old != new), len(before))
    return [each for each in messages[same:] if not _is_own(each)]


def _is_own(message: Any) -> bool:
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
