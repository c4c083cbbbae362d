"""How a prompt becomes another: a model rewrites one, or makes one of two."""

from __future__ import annotations

from typing import Protocol

from pytest_swegym.agents.model import ModelClient


#: Longest prompt that is bred, in characters.
LONGEST = 4000
#: Chance is wanted here, whatever the agent's own temperature.
_TEMPERATURE = 1.0
#: Room for a prompt, also where an action of the agent's has less.
_TOKENS = 1000
_SYSTEM = (
    "You improve the working instructions of an AI agent that solves software engineering tasks in a shell. "
    "Instructions speak of how to work (what to look at first, how to make and check a change, when to stop), never of "
    "one special task. Answer with the new instructions alone, at most 150 words, without heading or remarks."
)
_MUTATE = "Write a variation of these instructions: keep what is useful, change one thing in earnest.\n\n{}"
_CROSS = "Write instructions that unite the best of these two.\n\nFirst:\n{}\n\nSecond:\n{}"


class Breeder(Protocol):
    """Makes new prompts of others. ``None``: it could not, and the child is like its (first) parent."""

    def mutate(self, prompt: str, *, seed: int) -> str | None: ...

    def cross(self, one: str, other: str, *, seed: int) -> str | None: ...


class ModelBreeder:
    """A model is asked. Raises what :meth:`~pytest_swegym.agents.model.ModelClient.chat` does."""

    def __init__(self, client: ModelClient) -> None:
        self._client = client

    def mutate(self, prompt: str, *, seed: int) -> str | None:
        return self._asked(_MUTATE.format(prompt), seed)

    def cross(self, one: str, other: str, *, seed: int) -> str | None:
        return self._asked(_CROSS.format(one, other), seed)

    def _asked(self, text: str, seed: int) -> str | None:
        messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": text}]
        limit = self._client.config.reply_tokens
        reply = self._client.chat(
            messages, seed=seed, temperature=_TEMPERATURE, reply_tokens=max(limit, _TOKENS) if limit else None
        )
        said = reply.text.strip()
        return said if 0 < len(said) <= LONGEST and reply.finish != "length" else None
