"""What a protocol is: how text becomes an action, and what is seen becomes text."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar

from pytest_swegym.session.actions import Action
from pytest_swegym.session.actions import Forfeit
from pytest_swegym.session.actions import Start
from pytest_swegym.session.actions import Submit
from pytest_swegym.session.observation import Observation


if TYPE_CHECKING:
    from pytest_swegym.task import TaskSpec
    from pytest_swegym.tools import Toolset


#: Answers of one word, where an answer is a change.
WORDS: dict[str, Action] = {"submit": Submit(), "forfeit": Forfeit(), "reset": Start()}


class Protocol(ABC):
    """One way of speaking with a player. Made once per session; keeps no state of an episode.

    ``invalid_reward`` is the reward of a step whose text was no action.
    """

    name: ClassVar[str] = ""
    invalid_reward: ClassVar[float] = 0.0

    def __init__(self, tools: Toolset | None = None) -> None:
        self.tools = tools

    @abstractmethod
    def greet(self, task: TaskSpec) -> str:
        """The first observation of an episode: the task, and how to act."""

    @abstractmethod
    def parse(self, text: str) -> Action:
        """The action that ``text`` asks for. Never raises: what is no action is an :class:`Invalid`."""

    @abstractmethod
    def tell(self, action: Action, seen: Observation) -> str:
        """The text of an observation, made of its other fields."""

    @abstractmethod
    def write(self, action: Action) -> str:
        """The text that :meth:`parse` takes for ``action``. Raises :class:`ValueError` if the protocol has none."""

    def schemas(self) -> list[Mapping[str, Any]]:
        """What a model may call, as OpenAI function schemas; empty for protocols of plain text."""
        return []
