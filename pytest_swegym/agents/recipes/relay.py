"""The host's side of the relay: fetches the agent's requests out of the sandbox, and brings their answers in.

Both go through ``exec``, so the sandbox needs no network and no mount, whatever backend it is of.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pytest_swegym.agents.recipes import asking as a
from pytest_swegym.agents.recipes.forward import Answered
from pytest_swegym.agents.recipes.forward import Forwarder
from pytest_swegym.agents.recipes.recipe import RUNTIME
from pytest_swegym.agents.recipes.sse import KIND as STREAM
from pytest_swegym.agents.recipes.sse import streamed
from pytest_swegym.agents.recipes.steps import Steps
from pytest_swegym.errors import BudgetSpent
from pytest_swegym.errors import ContextTooLong
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import ModelError
from pytest_swegym.errors import ModelRefused
from pytest_swegym.errors import ModelUnavailable
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.errors import SwegymError
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.tools import HOME as TOOLS


log = logging.getLogger("pytest_swegym.agents")

#: The relay's folder inside a sandbox, and the Python that runs it and the agents.
PYTHON = f"{TOOLS}/{RUNTIME.name}/python/python3"
_SCRIPT = [PYTHON, "-I", "-S", f"{TOOLS}/{RUNTIME.name}/relay.py"]
#: Requests that are with the model's server at once; more wait.
PARALLEL = 4
#: Bytes of the largest request; the relay inside has the same limit for its body.
_LARGEST = 80 * 2**20
#: Seconds that one look for a request lasts.
_LOOK = 20
#: Refused requests, and replies of the sandbox's that are none, before the agent is ended.
PATIENCE = 20
#: Requests of any kind before that: the model's own budgets count only those that it answers.
_MOST = 10_000
_JSON = "application/json"


class Relay:
    """Answers the requests of an agent in ``sandbox`` until it is closed.

    ``stopped`` is set when the agent is to be ended: ``spent`` then names the budget that is used up, or ``failure`` is
    what no request can be answered for.
    """

    def __init__(self, sandbox: Sandbox, client: Forwarder, steps: Steps, *, limit: int | None = None) -> None:
        self.stopped = threading.Event()
        self.spent = ""
        self.failure: SwegymError | None = None
        self.refused: ModelError | None = None
        self._sandbox, self._client, self._steps, self._limit = sandbox, client, steps, limit
        self._closing = threading.Event()
        self._room = threading.Semaphore(PARALLEL)
        self._lock = threading.Lock()
        self._bad = self._taken = 0
        self._begun = False
        self._threads: list[threading.Thread] = []
        self.port = self._started()
        self._spawn(self._look)

    @property
    def worn(self) -> bool:
        """Whether it has had enough of what the sandbox asks and says."""
        return self._bad >= PATIENCE

    def close(self) -> None:
        """End the server inside, the client's connections, and the threads here. Twice is fine."""
        self._closing.set()
        self._client.hurry(0)  # a request that is still out is not made again
        self._client.close()
        with suppress(SandboxError):
            self._exec("stop", str(self.port), timeout=10)
        until = time.monotonic() + 2
        for thread in self._threads:
            # One whose request is still out ends with that, and nobody hears it.
            thread.join(max(until - time.monotonic(), 0))

    # -- inside ----------------------------------------------------------------------------------

    def _started(self) -> int:
        result = self._exec("start", timeout=60)
        text = result.decode("utf-8", "replace").strip()
        if not text.isdecimal():
            raise InfraError(f"the relay of the model's requests does not start in the sandbox: {text[-500:]!r}")
        return int(text)

    def _spawn(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name="swegym-relay", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def _exec(self, *words: str, stdin: bytes = b"", timeout: float) -> bytes:
        argv = [*_SCRIPT, *words]
        result = self._sandbox.exec(argv, stdin=stdin, timeout=timeout, output_limit=_LARGEST, cwd="/")
        if result.exit_code != 0 or result.truncated:
            raise SandboxError(f"the relay in the sandbox failed: {result.output.strip()[-500:]}")
        return result.stdout

    def _look(self) -> None:
        """Fetch request after request, and have each answered beside."""
        while not self._closing.is_set() and not self.worn:
            try:
                text = self._exec("next", str(self.port), str(_LOOK), timeout=_LOOK + 30)
                if text:
                    self._take(*a.unpacked(text))
            except SandboxClosed:
                return
            except (SandboxError, ValueError) as error:
                self._bad += 1
                log.debug("relay: %s", error)
                self._closing.wait(0.2)
        if not self._closing.is_set():
            log.warning("relay: the sandbox's side does not speak as it should: the agent is ended")
            self.stopped.set()

    def _take(self, number: int, path: str, body: str) -> None:
        self._taken += 1
        if self._taken > _MOST:
            self._bad = PATIENCE
        while not self._room.acquire(timeout=1):
            if self._closing.is_set():
                return
        self._spawn(self._serve, number, path, body)

    def _serve(self, number: int, path: str, body: str) -> None:
        try:
            status, kind, data = self._answer(number, path, body)
            head = json.dumps({"status": status, "type": kind}).encode()
            self._exec("answer", str(self.port), str(number), stdin=head + b"\n" + data, timeout=60)
        except SandboxError as error:
            log.debug("relay: %s", error)
        finally:
            self._room.release()

    def _answer(self, number: int, path: str, body: str) -> tuple[int, str, bytes]:
        """Status, type and body of the answer to a request; whatever that holds, nothing is raised."""
        try:
            asked = a.read_request(number, path, body, self._client.config)
            talk = asked.path in (a.CHAT, a.RESPONSES)
            if talk:
                with self._lock:
                    self._seen(asked)
            answer = self._forwarded(asked).answer
            return (200, STREAM, streamed(asked, answer)) if asked.stream and talk else (200, _JSON, _json(answer))
        except SwegymError as error:
            return self._excused(error)
        except ValueError as error:
            self._count()
            return 400, _JSON, _said(str(error), "invalid_request_error")
        except Exception:
            # Who made a request that nobody foresaw has no excuse in what that does here.
            log.warning("relay: request %d of the agent's cannot be answered", number, exc_info=True)
            self._count()
            return 400, _JSON, _said("this request cannot be answered", "invalid_request_error")

    def _seen(self, asked: a.Asked) -> None:
        if not self._begun:
            self._begun = True
            self._steps.begin(asked.messages)
        self._steps.seen(asked.messages)

    def _forwarded(self, asked: a.Asked) -> Answered:
        if self._limit is not None and self._steps.count >= self._limit and asked.path != a.MODELS:
            raise BudgetSpent("steps")
        answered = self._client.forward(asked)
        if answered.message and not self._closing.is_set():
            with self._lock:
                self._steps.answered(answered)
        return answered

    def _excused(self, error: SwegymError) -> tuple[int, str, bytes]:
        """What the agent is told of a request that was not answered; whether it is to go on is decided here."""
        told = self._client.shown(error)
        if self._closing.is_set():
            return 503, _JSON, _said(told, "server_error")
        if isinstance(error, BudgetSpent):
            self.spent = self.spent or error.budget
            self._count()
            # Agents take this one for final: they try again after 429, and after all above 499.
            return 403, _JSON, _said(told, "permission_error", "budget_exceeded")
        if isinstance(error, ModelRefused) and self._client.answers():
            # Whoever made this request asked for what is not there: the configuration is right.
            error = ModelError(str(error), status=error.status)
        if isinstance(error, ContextTooLong):
            return 400, _JSON, _said(told, "invalid_request_error", "context_length_exceeded")
        if isinstance(error, ModelError):
            self.refused = error
            self._count()
            return error.status or 400, _JSON, _said(told, "invalid_request_error")
        refused = isinstance(error, ModelRefused)
        if isinstance(error, ModelUnavailable) and not refused and self._client.answers():
            self._count()  # a server that fails at this request alone is no excuse for whoever made it
        else:
            self.failure = error
            self.stopped.set()
        return 503, _JSON, _said(told, "server_error")

    def _count(self) -> None:
        with self._lock:
            self._bad += 1
        if self.worn:
            self.stopped.set()


def _said(message: str, kind: str, code: str | None = None) -> bytes:
    return _json({"error": {"message": message, "type": kind, "param": None, "code": code}})


def _json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data).encode()
