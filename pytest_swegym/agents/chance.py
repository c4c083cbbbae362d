"""``random``: harmless actions by chance, the same for the same seed."""

from __future__ import annotations

import random

from pytest_swegym.agents.base import Player
from pytest_swegym.agents.base import Policy
from pytest_swegym.session import Action
from pytest_swegym.session import Command
from pytest_swegym.session import Edit
from pytest_swegym.session import Edits
from pytest_swegym.session import Observation
from pytest_swegym.session import Patch
from pytest_swegym.session import Session
from pytest_swegym.session import Submit
from pytest_swegym.session import WriteFile
from pytest_swegym.task import TaskSpec


_COMMANDS = (
    "ls", "pwd", "ls -la", "git status --short", "git log --oneline | head -3", "cd ..", "cd -", "head -20 README*",
    "find . -name '*.py' | head", "grep -rn TODO . | head -5", "false", "X=$((X + 1)); echo $X",
    "touch by_chance.txt", "rm -f by_chance.txt", "echo by chance >> by_chance.txt",
)  # fmt: skip
_PATCH = "--- /dev/null\n+++ b/by_chance_{0}.txt\n@@ -0,0 +1 @@\n+by chance\n"
#: Most actions of an episode; it then submits.
LONGEST = 12


class RandomPlayer(Player):
    """Episodes of at most ``LONGEST`` steps."""

    identity = "random/1"

    def make(self, task: TaskSpec, *, number: int = 0, seed: int = 0) -> Policy:
        return RandomPolicy(seed)


class RandomPolicy(Policy):
    """A fixed vocabulary: looking about, notes in files of its own, and sooner or later ``submit``."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._seed = seed

    def begin(self, session: Session) -> None:
        super().begin(session)
        self._random = random.Random(f"{self._seed} {session.task.instance_id}")
        self._vocabulary = [text for action in _vocabulary() if (text := self._written(action)) is not None]
        self._left = LONGEST - 1

    def act(self, observation: Observation) -> str:
        self._left -= 1
        if self._left < 0 or not self._vocabulary:
            return self.submit()
        return self._random.choice(self._vocabulary)

    def _written(self, action: Action) -> str | None:
        """The action, if the protocol has it."""
        try:
            return self.session.protocol.write(action)
        except ValueError:
            return None


def _vocabulary() -> list[Action]:
    files = [WriteFile(path=f"by_chance_{number}.txt", content="by chance\n") for number in range(3)]
    patches = [Patch(patches=(_PATCH.format(number),)) for number in range(3)]
    edits = [Edits(edits=(Edit(path=f"by_chance_{number}.txt", old="", new="by chance\n"),)) for number in range(3)]
    return [*(Command(command=command) for command in _COMMANDS), *files, *patches, *edits, Submit()]
