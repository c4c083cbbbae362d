"""What is seen after an action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from pytest_swegym.session.actions import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Limits of one episode; ``None`` is without limit.

    ``steps`` counts every action, bad ones too. ``seconds`` is wall time since the start, ``command_seconds`` the time
    of one command. ``output`` counts the bytes of all observations, ``step_output`` caps those of one. ``cost`` is
    what the player tells with :meth:`Session.spend`.
    """

    steps: int | None = None
    seconds: float | None = None
    command_seconds: float = 120.0
    output: int | None = None
    step_output: int = 64 * 1024
    cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What is left of an episode's limits: ``steps``, wall time in ``seconds``, ``output`` in bytes, ``cost`` as the
    player counts it. ``None`` is without limit."""

    steps: int | None = None
    seconds: float | None = None
    output: int | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a player sees: ``text`` in the words of the protocol, and the same in parts.

    ``output`` is what a command printed (capped; ``truncated`` tells, and a line in it says how much is gone),
    ``exit_code`` is ``None`` where nothing ran. ``diff`` is everything changed since the start and ``tree`` the name
    of the present files; both are empty if the session does not watch files. ``state`` is what the tools'
    state commands printed. ``notice`` says what the episode has to say itself: a bad action, a time-out, its end.
    """

    text: str = ""
    output: str = ""
    exit_code: int | None = None
    timed_out: bool = False
    truncated: bool = False
    diff: str = ""
    tree: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)
    notice: str = ""
    step: int = 0
    remaining: Remaining = field(default_factory=Remaining)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One step of an episode: the action as ``given`` and as understood, what was seen, and what it was worth.

    ``terminated`` if the player ended the episode, ``truncated`` if a limit did; ``ending`` says which:
    ``submit``, ``forfeit``, ``close``, or ``steps``, ``seconds``, ``output``, ``cost``, ``sandbox`` (it was ended from
    inside). ``seconds`` is how long the step took, and ``player`` what the player said of it with :meth:`Session.tell`.
    """

    given: str
    action: Action
    observation: Observation
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    ending: str = ""
    started_at: float = 0.0
    seconds: float = 0.0
    player: Mapping[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.terminated or self.truncated

    def to_dict(self) -> dict[str, Any]:
        """The line of a trajectory: plain JSON types."""
        return {
            "action": self.given,
            "kind": type(self.action).__name__,
            "observation": self.observation.to_dict(),
            "reward": self.reward,
            "exit_code": self.observation.exit_code,
            "terminated": self.terminated,
            "truncated": self.truncated,
            "ending": self.ending,
            "started_at": self.started_at,
            "seconds": self.seconds,
            **({"player": dict(self.player)} if self.player else {}),
        }
