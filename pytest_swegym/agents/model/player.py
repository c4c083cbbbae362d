"""``openai``: a language model that plays an episode, with function calls or in plain text."""

from __future__ import annotations

from collections import deque
from typing import Any

from pytest_swegym.agents.base import EndEpisode
from pytest_swegym.agents.base import Player
from pytest_swegym.agents.base import Policy
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.model.asked import Asked
from pytest_swegym.agents.model.asked import Step
from pytest_swegym.agents.model.asked import read_asked
from pytest_swegym.agents.model.client import ModelClient
from pytest_swegym.agents.model.history import History
from pytest_swegym.agents.model.prompts import default_system
from pytest_swegym.agents.model.refusal import Refusal
from pytest_swegym.agents.model.replies import REPLIES
from pytest_swegym.agents.model.replies import ReplyLog
from pytest_swegym.agents.model.reply import Reply
from pytest_swegym.agents.model.talk import Talk
from pytest_swegym.errors import BudgetSpent
from pytest_swegym.errors import ModelError
from pytest_swegym.errors import ModelRefused
from pytest_swegym.session import Observation
from pytest_swegym.session import Session
from pytest_swegym.session import load_protocol
from pytest_swegym.task import TaskSpec
from pytest_swegym.task.usage import USAGE


#: Why an episode ends whose model makes no sense.
INVALID_REPLIES = "invalid_replies"
#: Longest part of an invalid reply that a note has, in characters.
_NOTED = 4000


class ModelPlayer(Player):
    """The model of ``config``; each episode has a talk of its own. Raises :class:`ConfigError`.

    Once the server has refused the key, the model or the path, it is not asked again: later episodes fail at once.
    """

    def __init__(self, config: AgentConfig, *, refusal: Refusal | None = None) -> None:
        load_protocol(config.protocol)
        ModelClient(config)  # what cannot work is said before anything runs
        self.config = config
        self.identity = config.identity
        self.oracle = config.observe.reader == "oracle"
        self._refusal = refusal or Refusal()

    def make(self, task: TaskSpec, *, number: int = 0, seed: int = 0) -> Policy:
        return ModelPolicy(self.config, number=number, seed=seed, refusal=self._refusal)

    def with_config(self, config: AgentConfig) -> ModelPlayer:
        """The same player, whose server is the same, with other words or budgets."""
        return ModelPlayer(config, refusal=self._refusal)


class ModelPolicy(Policy):
    """Plays one episode. Budgets and too many invalid replies end it; what is in the workspace is then graded.

    ``told`` has the ``usage`` (and in how many replies it was ``usage_estimated``), the ``model``, and how many
    ``invalid_replies`` there were.
    """

    def __init__(self, config: AgentConfig, *, number: int = 0, seed: int = 0, refusal: Refusal | None = None) -> None:
        super().__init__()
        self._refusal = refusal or Refusal()
        self.protocol = config.protocol
        self._config, self._number, self._seed = config, number, seed
        self._client: ModelClient | None = None
        self._steps: deque[Step] = deque()
        self._doing: Step | None = None
        self._wrong_in_a_row = self._wrong = 0
        self._model = config.model

    def begin(self, session: Session) -> None:
        super().begin(session)
        with self._refusal.asking():
            self._begin(session)

    def _begin(self, session: Session) -> None:
        self._client = client = ModelClient(self._config, note=session.note)
        left = session.observation.remaining.seconds
        if left is not None:
            client.hurry(left)
        system, first = self._config.system or default_system(session.protocol), self._first(session, client)
        shown = {"user": first} if first != session.observation.text else {}
        session.note({"prompt": {"system": system, **shown}})
        self._talk = Talk(
            client,
            History(system, first),
            self._log(session),
            tools=session.protocol.schemas(),
            seed=self._seed,
            note=session.note,
        )

    def act(self, observation: Observation) -> str:
        if self._doing is not None:
            self._talk.history.answered(observation.text, call_id=self._doing.call_id)
            self._doing = None
        while not self._steps:
            self._ask(observation)
        self._doing = self._steps.popleft()
        if self._doing.call_id:
            self.session.tell({"call_id": self._doing.call_id})
        return self._doing.text

    def end(self) -> None:
        if self._client is None:
            return
        self._client.close()
        self.told |= {
            USAGE: self._client.usage.to_dict(),
            "model": self._model,
            "invalid_replies": self._wrong,
            **({"usage_estimated": self._client.estimated} if self._client.estimated else {}),
        }

    # -- inside ----------------------------------------------------------------------------------

    def _ask(self, observation: Observation) -> None:
        """Ask for the next message; its actions are the next steps, if it has any."""
        with self._refusal.asking():
            reply = self._replied(observation)
        self._model = reply.model
        if reply.usage.cost is not None:
            self.session.spend(reply.usage.cost)
        asked = read_asked(reply, self.session.protocol)
        self._talk.history.said(asked.message)
        if asked.wrong:
            self._send_back(reply, asked)
            return
        self._wrong_in_a_row = 0
        self._steps.extend(asked.steps)
        self.session.tell({**_said(reply), **({"reasoning": reply.reasoning} if reply.reasoning else {})})

    def _replied(self, observation: Observation) -> Reply:
        try:
            return self._talk.ask({"step": observation.step, "tree": observation.tree})
        except BudgetSpent as spent:
            raise EndEpisode(spent.budget) from spent
        except ModelRefused as refused:
            if not self._talk.client.answers():
                raise
            # What this chat has come to is refused, not who asks: some servers say 403 of words they do not like.
            raise ModelError(str(refused), status=refused.status) from None

    def _send_back(self, reply: Reply, asked: Asked) -> None:
        """Tell the model what is wrong with its reply, unless it was told too often."""
        self._wrong_in_a_row += 1
        self._wrong += 1
        note = {"text": reply.text[:_NOTED], "why": asked.wrong, "number": self._wrong_in_a_row, **_said(reply)}
        self.session.note({"invalid_reply": note})
        if self._wrong_in_a_row > self._config.invalid_replies:
            raise EndEpisode(INVALID_REPLIES)
        for call_id, text in (asked.answers or {"": asked.wrong}).items():
            self._talk.history.answered(text, call_id=call_id)

    def _first(self, session: Session, client: ModelClient) -> str:
        """The first message: the task, and what the model may read before it acts."""
        text = session.observation.text
        if self._config.observe.reader == "none":
            return text
        from pytest_swegym.agents.observers import observe

        try:
            observed = observe(session.task, session.workspace, self._config, client)
        except BudgetSpent as spent:
            raise EndEpisode(spent.budget) from spent
        session.note({"observed": observed.about})
        return f"{text}\n\n{observed.text}" if observed.text else text

    def _log(self, session: Session) -> ReplyLog:
        occasion = session.workspace.occasion
        header = {
            "instance_id": session.task.instance_id,
            "task_key": occasion.named.get("task_key", ""),
            "config": self._config.identity,
            "attempt": self._number,
            "seed": self._seed,
        }
        path = occasion.folder / REPLIES if occasion.folder is not None else None
        if path is not None and not occasion.resume:
            path.unlink(missing_ok=True)
        return ReplyLog(path, header)


def _said(reply: Reply) -> dict[str, Any]:
    return {
        "message": reply.message,
        "usage": reply.usage.to_dict(),
        "seconds": reply.seconds,
        "model": reply.model,
    }
