"""What plays: a policy that answers observations with actions, in a session or in an environment."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_swegym.errors import SolverError
from pytest_swegym.session import Action
from pytest_swegym.session import Observation
from pytest_swegym.session import Session
from pytest_swegym.session import Submit
from pytest_swegym.task import TaskSpec


class EndEpisode(Exception):
    """Raised by a policy that cannot go on: what is in the workspace is its answer, ``ending`` says why it ended."""

    def __init__(self, ending: str) -> None:
        self.ending = ending
        super().__init__(ending)


class Policy(ABC):
    """Plays one episode: :meth:`begin`, then :meth:`act` for each step, then :meth:`end`, also after a failure.

    ``protocol`` is the name of the protocol that its actions are written in, ``None`` if it speaks all of them. What it
    puts into ``told`` (JSON only) goes to the record's ``extra``.
    """

    protocol: str | None = None
    session: Session

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def begin(self, session: Session) -> None:
        """The episode has begun; its task and its protocol are the session's."""
        self.session = session

    @abstractmethod
    def act(self, observation: Observation) -> str:
        """The next action, in the words of the session's protocol. Raises :class:`EndEpisode` to have no more."""

    def end(self) -> None:  # noqa: B027
        """The episode is over, or broke off: ``session.ending`` tells."""

    def write(self, action: Action) -> str:
        """``action`` in the words of the session's protocol. Raises :class:`SolverError` if it has none."""
        try:
            return self.session.protocol.write(action)
        except ValueError as error:
            raise SolverError(f"{error}; choose another protocol") from None

    def submit(self) -> str:
        """The action of a player that has no more to do."""
        return self.write(Submit())


class Player(ABC):
    """Makes a policy for each episode. ``identity`` changes when what it will do does."""

    identity: str = ""
    #: Whether it needs the terminal for itself.
    alone: bool = False
    #: Whether it is told which paths the known solution changes.
    oracle: bool = False

    @abstractmethod
    def make(self, task: TaskSpec, *, number: int = 0, seed: int = 0) -> Policy:
        """The policy of attempt ``number`` at ``task``. Raises :class:`SolverError` if it has none for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How an episode ended, after how many steps, and the sum of their rewards."""

    ending: str
    steps: int
    reward: float


def play(session: Session, policy: Policy) -> Played:
    """Play an episode to its end."""
    reward = 0.0
    observation = session.begin()
    try:
        policy.begin(session)
        while not session.done:
            turn = session.step(policy.act(observation))
            observation, reward = turn.observation, reward + turn.reward
    except EndEpisode as end:
        session.stop(end.ending)
    finally:
        policy.end()
    return Played(ending=session.ending, steps=session.observation.step, reward=reward)


def play_env(
    env: Any, player: Player | Policy, *, seed: int | None = None, options: Mapping[str, Any] | None = None
) -> tuple[float, Mapping[str, Any]]:
    """Play one episode of a ``SWEGymEnv``; returns the sum of its rewards, and its last ``info``.

    Raises :class:`SolverError` if the player's actions are in another protocol than the environment's.
    """
    _, info = env.reset(seed=seed, options=options)
    session: Session = env.unwrapped.session
    policy = player.make(session.task, seed=seed or 0) if isinstance(player, Player) else player
    if policy.protocol not in (None, session.protocol.name):
        raise SolverError(f"the actions are for protocol={policy.protocol!r}, not for {session.protocol.name!r}")
    total, done = 0.0, False
    try:
        policy.begin(session)
        while not done:
            _, reward, terminated, truncated, info = env.step(_acted(policy, session.observation))
            total, done = total + float(reward), terminated or truncated
    finally:
        policy.end()
    return total, info


def _acted(policy: Policy, observation: Observation) -> str:
    """The next action; one that has no more submits what there is."""
    try:
        return policy.act(observation)
    except EndEpisode:
        return policy.submit()
