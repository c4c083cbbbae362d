"""What can be done in an episode, whatever text it was asked for with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Run a shell command (any number of lines) in the episode's shell. ``timeout`` in seconds."""

    command: str
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile:
    """Write a text file, making its folders; a relative path starts at the repository."""

    path: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Apply unified diffs, each on top of the last."""

    patches: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """``new`` code in the place of the ``old`` in a file of the repository; without ``old``, a new file."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """Make edits, each on top of the last: all of them, or none."""

    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """Call a tool by name. ``call_id`` is the caller's own name for the call."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """The work is done: the episode ends and is graded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forfeit:
    """Give up: the episode ends, and nothing is submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Begin an episode anew: at ``task_id``, or at the task that is being played."""

    task_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Leave the episode without a submission. ``leave`` tells that the player wants no other task either."""

    leave: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """Text that is no action; ``message`` says to the player what is wrong with it."""

    message: str


Action = Command | WriteFile | Patch | Edits | ToolCall | Submit | Forfeit | Start | Close | Invalid
