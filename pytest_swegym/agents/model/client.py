"""A model behind an OpenAI-compatible endpoint: asked again where that may help, counted, kept within its budgets."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from typing import TypeVar

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.model.endpoint import Endpoint
from pytest_swegym.agents.model.endpoint import Transient
from pytest_swegym.agents.model.endpoint import sendable
from pytest_swegym.agents.model.reply import Reply
from pytest_swegym.agents.model.reply import read_reply
from pytest_swegym.errors import BudgetSpent
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import ModelError
from pytest_swegym.errors import ModelRefused
from pytest_swegym.errors import ModelUnavailable
from pytest_swegym.errors import SwegymError
from pytest_swegym.task.usage import Usage


T = TypeVar("T")
#: Seconds before the second try; each further one waits twice as long, up to the longest.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
#: Longest wait that a server may ask for.
_ASKED_WAIT = 600.0
#: Names under which servers tell of a model's context.
_WINDOWS = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx")


class ModelClient:
    """The model that ``config`` names. Safe to use from several threads.

    ``note`` hears what happens besides replies (JSON only): ``{"retry": ...}``, ``{"usage_estimated": ...}``. Raises
    :class:`ConfigError` for a configuration that cannot work. Secrets are in no error, note or repr.
    """

    def __init__(self, config: AgentConfig, *, note: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        if config.max_cost and not (config.price_input or config.price_output):
            raise ConfigError("max_cost: give price_input and price_output (per million tokens) as well")
        self.config = config
        self._endpoint = Endpoint(config)
        self._note = note or (lambda told: None)
        self._lock = threading.Lock()
        #: Replies whose usage the server did not tell, so that it was estimated.
        self.estimated = 0
        self._usage = Usage(cost=0.0 if config.price_input or config.price_output else None)
        self._model = config.model
        # What this server was found to want otherwise.
        self._reply_key, self._takes_seed = "max_tokens", True
        self._until = time.monotonic() + config.max_seconds if config.max_seconds else None

    def __repr__(self) -> str:
        return f"<ModelClient {self.config.model or 'any model'} at {self._endpoint.where}>"

    # -- what is used up -------------------------------------------------------------------------

    @property
    def usage(self) -> Usage:
        """Everything so far."""
        with self._lock:
            return self._usage

    def add(self, usage: Usage) -> None:
        """Count what was spent elsewhere, such as by another client of the same attempt."""
        with self._lock:
            self._usage = self._usage + usage

    def count(self, reply: Reply) -> None:
        """Count a reply, be it one that was given before a cut."""
        self.add(reply.usage)
        with self._lock:
            self.estimated += reply.estimated

    def hurry(self, seconds: float) -> None:
        """Have no more than so many seconds from now on; the budget of ``seconds`` is then spent."""
        until = time.monotonic() + seconds
        self._until = until if self._until is None else min(self._until, until)

    @property
    def spent(self) -> str:
        """The name of the budget that is used up: cost, tokens, requests or seconds; empty if none is."""
        config, usage = self.config, self.usage
        used = (
            ("cost", config.max_cost, usage.cost or 0.0),
            ("tokens", config.max_tokens, usage.tokens),
            ("requests", config.max_requests, usage.requests),
        )
        name = next((name for name, budget, value in used if budget and value >= budget), "")
        return name or ("seconds" if self._left() <= 0 else "")

    # -- asking ----------------------------------------------------------------------------------

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        seed: int | None = None,
        temperature: float | None = None,
        reply_tokens: int | None = None,
    ) -> Reply:
        """The model's reply to a chat; temperature and longest reply are the configuration's, if not given.

        Raises :class:`BudgetSpent` before it asks, :class:`ModelUnavailable` after all tries, :class:`ModelRefused` for
        a key, model or path that the server does not take, :class:`ModelError` (and :class:`ContextTooLong`) for a
        request that it does not.
        """
        given = self.config.temperature if temperature is None else temperature
        length = self.config.reply_tokens if reply_tokens is None else reply_tokens
        while True:
            payload = {
                "model": self.model(),
                "messages": sendable(messages),
                **({"tools": sendable(tools)} if tools else {}),
                **({"temperature": given} if given >= 0 else {}),
                **({self._reply_key: length} if length else {}),
                **({"seed": seed % 2**31} if seed is not None and self._takes_seed else {}),
            }
            try:
                return self._chat(payload)
            except ModelError as error:
                if not self._adapted(payload, error):
                    raise

    def embed(self, texts: Sequence[str], *, model: str = "") -> list[list[float]]:
        """A vector for each text. Raises as :meth:`chat`."""
        name = model or self.model()
        begin = time.monotonic()
        vectors, tokens = self._tried(
            lambda timeout: _vectors(self._endpoint.embeddings(sendable(texts), name, timeout), len(texts))
        )
        used = Usage(requests=1, prompt_tokens=tokens, seconds=round(time.monotonic() - begin, 6))
        self.add(self._priced(used))
        return vectors

    def model(self) -> str:
        """The model's name: the configuration's, or that of the only one that is served.

        Raises as :meth:`chat`, and :class:`ModelRefused` if it is not the only one.
        """
        if not self._model:
            names = [str(each["id"]) for each in self._tried(self._endpoint.models) if each.get("id")]
            if len(names) != 1:
                listed = ", ".join(names[:20]) or "none"
                raise ModelRefused(f"{self._endpoint.where}: which model? Give openai:MODEL; there are: {listed}")
            self._model = names[0]
        return self._model

    def context_tokens(self) -> int:
        """The model's context as the configuration or the server tells it; 0 if neither does."""
        if self.config.context_tokens:
            return self.config.context_tokens
        try:
            listed = self._endpoint.models(max(min(self.config.timeout, 10.0, self._left()), 0.1))
        except (Transient, ModelError, ModelRefused):
            return 0  # many servers have no such list; the first chat that is too long will tell
        for each in listed:
            meta = each.get("meta")
            told = {**(meta if isinstance(meta, dict) else {}), **each}
            found = [told[name] for name in _WINDOWS if isinstance(told.get(name), int) and told[name] > 0]
            if found and each.get("id") in (self._model, None):
                return int(found[0])
        return 0

    def answers(self) -> bool:
        """Whether the server answers a plain request now; who has no budget left cannot say that it does not."""
        try:
            self.chat([{"role": "user", "content": "Say yes."}], reply_tokens=8)
        except BudgetSpent:
            return True
        except SwegymError:
            return False
        return True

    def close(self) -> None:
        """Close its connections. Twice is fine."""
        self._endpoint.close()

    # -- inside ----------------------------------------------------------------------------------

    def _chat(self, payload: Mapping[str, Any]) -> Reply:
        def ask(timeout: float) -> Reply:
            begin = time.monotonic()
            return read_reply(self._endpoint.chat(payload, timeout), payload, seconds=time.monotonic() - begin)

        reply = self._tried(ask)
        reply = replace(reply, usage=self._priced(reply.usage))
        self.count(reply)
        if reply.estimated:
            told = {"prompt_tokens": reply.usage.prompt_tokens, "completion_tokens": reply.usage.completion_tokens}
            self._note({"usage_estimated": told})
        return reply

    def _tried(self, ask: Callable[[float], T]) -> T:
        """Ask until there is an answer, or no try is left."""
        for number in range(self.config.retries + 1):
            if self.spent:
                raise BudgetSpent(self.spent)
            try:
                return ask(min(self.config.timeout, self._left()))
            except Transient as error:
                failure = error
            if self._left() <= 0:
                raise BudgetSpent("seconds")
            wait = _pause(number) if failure.wait is None else failure.wait
            if failure.hopeless or number == self.config.retries or wait > min(_ASKED_WAIT, self._left()):
                break
            said = self._endpoint.scrub(str(failure))
            self._note({"retry": {"error": said, "status": failure.status, "wait": round(wait, 3)}})
            time.sleep(wait)
        tries = f" (asked {number + 1} times)" if number else ""
        raise ModelUnavailable(self._endpoint.scrub(str(failure)) + tries) from None

    def _adapted(self, payload: Mapping[str, Any], error: ModelError) -> bool:
        """Whether a refused request may be made again in another way: servers differ in two names."""
        if error.status not in (400, 422):
            return False
        if "max_completion_tokens" in str(error) and "max_tokens" in payload:
            self._reply_key = "max_completion_tokens"
            return True
        if "seed" in str(error) and "seed" in payload:
            self._takes_seed = False
            return True
        return False

    def _priced(self, usage: Usage) -> Usage:
        config = self.config
        if not (config.price_input or config.price_output):
            return usage
        fresh = usage.prompt_tokens - usage.cached_tokens
        cached = usage.cached_tokens * (config.price_cached or config.price_input)
        millionths = fresh * config.price_input + cached + usage.completion_tokens * config.price_output
        return replace(usage, cost=millionths / 1e6)

    def _left(self) -> float:
        return float("inf") if self._until is None else self._until - time.monotonic()


def _pause(number: int) -> float:
    """Seconds before the next try, by chance, so that many attempts do not come back all at once."""
    return float(min(_FIRST_WAIT * 2**number, _LONGEST_WAIT) * random.uniform(0.5, 1.0))


def _vectors(answer: Mapping[str, Any], count: int) -> tuple[list[list[float]], int]:
    """The vectors in the order of their texts, and the tokens they came to."""
    try:
        listed = sorted(answer["data"], key=lambda each: each.get("index", 0))
        vectors = [[float(number) for number in each["embedding"]] for each in listed]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Transient("the answer holds no embeddings", status=200) from None
    if len(vectors) != count:
        raise Transient(f"the answer holds {len(vectors)} embeddings for {count} texts", status=200)
    usage = answer.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else 0
    return vectors, tokens if isinstance(tokens, int) else 0
