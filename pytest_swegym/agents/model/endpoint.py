"""An OpenAI-compatible server: one request, one answer, and what an answer that is none means."""

from __future__ import annotations

import base64
import email.utils
import json
import os
import re
import threading
import time
import weakref
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from typing import Any

from pytest_swegym._support.redact import bare_urls
from pytest_swegym._support.redact import redact
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.config import check_address
from pytest_swegym.agents.config import secret
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import ContextTooLong
from pytest_swegym.errors import ModelError
from pytest_swegym.errors import ModelRefused


if TYPE_CHECKING:
    from openai import APIStatusError
    from openai import OpenAI

#: What llama.cpp says, as a failure of its own, of a text that is longer than it embeds at once.
_TOO_LARGE = "is too large to process"
#: Largest answer that is read, in bytes.
ANSWER_LIMIT = 16 * 2**20
#: Seconds until a connection must stand.
_CONNECT = 20.0
#: Longest text of a server's that an error holds, in characters.
_SAID = 1000
_TOO_LONG = re.compile(
    r"context.{0,20}(?:length|window|size)|maximum context|prompt is too long|too many (?:input )?tokens", re.IGNORECASE
)
_WINDOW = re.compile(
    r"(?:maximum context length (?:is|of)|context (?:size|window) (?:is|of)?\s*\(?|n_ctx\D{0,4}|> )\s*(\d{3,8})",
    re.IGNORECASE,
)
_AGAIN = (408, 409, 425, 429)
#: What is said of a key that is missing, wrong or not enough, and of a model or path that is not there.
_NOT_ALLOWED, _NOT_THERE = (401, 403), 404


class Transient(Exception):
    """A request that may work when it is made again, ``wait`` seconds later at the earliest."""

    def __init__(
        self, message: str, *, status: int | None = None, wait: float | None = None, hopeless: bool = False
    ) -> None:
        self.status = status
        self.wait = wait
        self.hopeless = hopeless
        super().__init__(message)


class Endpoint:
    """The server that ``config`` names; its secrets come from the environment and stay in here.

    Raises :class:`ConfigError` if there is no key, ``base_url`` holds one or is no address, or ``body`` is no JSON
    object.
    """

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._key = secret(config.api_key_env)
        self._basic = secret(config.basic_auth_env)
        if config.basic_auth_env and not self._basic:
            raise ConfigError(f"basic_auth_env: ${config.basic_auth_env} is not set; it holds user:password")
        if not (self._key or self._basic or config.base_url):
            raise ConfigError(
                f"${config.api_key_env or 'OPENAI_API_KEY'} is not set: set it to the key of the model's server, name "
                "another variable by api_key_env, or give the base_url of a server that wants none"
            )
        if bare_urls(config.base_url) != config.base_url:
            raise ConfigError("base_url holds a secret: put user:password into a variable that basic_auth_env names")
        address = config.base_url or os.environ.get("OPENAI_BASE_URL", "")
        check_address(address, "base_url" if config.base_url else "$OPENAI_BASE_URL")
        self.body = _body(config.body)
        #: The server's address, to be shown.
        self.where = bare_urls(address) or "the model's server"
        self._lock = threading.Lock()
        self._made: OpenAI | None = None

    def chat(self, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """The answer to a chat request.

        Raises :class:`Transient`, :class:`ModelRefused` or :class:`ModelError`.
        """
        rest = {key: value for key, value in payload.items() if key not in ("model", "messages")}
        create = self._client().chat.completions.with_streaming_response.create
        return self._asked(
            lambda limit: create(
                model=payload["model"], messages=payload["messages"], extra_body={**rest, **self.body}, timeout=limit
            ),
            timeout,
        )

    def responses(self, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """The answer to a request of the Responses API. Raises as :meth:`chat`."""
        rest = {key: value for key, value in payload.items() if key not in ("model", "input")}
        create = self._client().responses.with_streaming_response.create
        return self._asked(
            lambda limit: create(model=payload["model"], input=payload["input"], extra_body=rest, timeout=limit),
            timeout,
        )

    def embeddings(self, texts: list[str], model: str, timeout: float) -> dict[str, Any]:
        """The answer to a request for embeddings. Raises as :meth:`chat`."""
        create = self._client().embeddings.with_streaming_response.create
        return self._asked(
            lambda limit: create(model=model, input=texts, encoding_format="float", timeout=limit), timeout
        )

    def models(self, timeout: float) -> list[Mapping[str, Any]]:
        """The models that are served, as the server tells of them. Raises as :meth:`chat`."""
        listed = self._client().models.with_streaming_response.list
        data = self._asked(lambda limit: listed(timeout=limit), timeout).get("data")
        return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []

    def close(self) -> None:
        """Close its connections; the next request opens another. Twice is fine."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def scrub(self, text: str) -> str:
        """``text`` without anything secret, and not too long to be shown."""
        hidden = [self._key, self._basic, self._basic.partition(":")[2], _encoded(self._basic)]
        for each in hidden:
            if len(each) > 3:
                text = text.replace(each, "***")
        return redact(text)[:_SAID]

    def _client(self) -> OpenAI:
        from openai import OpenAI

        with self._lock:
            if self._made is None:
                config = self._config
                headers = {"Authorization": f"Basic {_encoded(self._basic)}"} if self._basic else None
                self._made = OpenAI(
                    api_key=self._key or "none",
                    base_url=config.base_url or None,
                    organization=config.organization or None,
                    default_headers=headers,
                    max_retries=0,
                )
                # Its connections are closed with this object, whether or not somebody closes it before.
                weakref.finalize(self, self._made.close)
            return self._made

    def _asked(self, call: Callable[[Any], AbstractContextManager[Any]], timeout: float) -> dict[str, Any]:
        """What the server answered, as JSON. Errors leave without the library's own, which hold the request."""
        import openai

        failure: Exception
        try:
            with call(openai.Timeout(timeout, connect=min(timeout, _CONNECT))) as answer:
                return _parsed(_read(answer, time.monotonic() + timeout))
        except openai.APIStatusError as error:
            failure = self._refused(error)
        except (openai.APITimeoutError, TimeoutError):
            failure = Transient(f"{self.where}: no answer within {timeout:.3g} s")
        except openai.APIConnectionError as error:
            said = self.scrub(str(error.__cause__ or error))
            way_out = f"; is the server running at {self.where}?" if "refused" in said else ""
            failure = Transient(f"{self.where}: no connection: {said}{way_out}")
        except Transient as error:
            failure = Transient(f"{self.where}: {error}", status=error.status)
        except Exception as error:  # whatever the library below says of an answer that breaks off
            failure = Transient(f"{self.where}: the answer broke off: {self.scrub(f'{type(error).__name__}: {error}')}")
        raise failure

    def _refused(self, error: APIStatusError) -> Exception:
        """What an answer with an error's status means."""
        status, body = error.status_code, error.body if isinstance(error.body, dict) else {}
        said = self.scrub(str(body.get("message") or error.message).strip())
        text = f"{self.where}: {status}: {said}"
        kind = f"{body.get('code')} {body.get('type')}"
        too_long = status < 500 and ("context" in kind or (status in (400, 413, 422) and _TOO_LONG.search(said)))
        if too_long or _TOO_LARGE in said:
            return ContextTooLong(text, status=status, limit=_window(body, said))
        if status in _AGAIN or status >= 500:
            broke = "insufficient_quota" in kind
            return Transient(text, status=status, wait=_wait(error.response.headers), hopeless=broke)
        kind_of_error = ModelRefused if status in (*_NOT_ALLOWED, _NOT_THERE) else ModelError
        return kind_of_error(f"{text}; {self._way_out(status)}", status=status)

    def _way_out(self, status: int) -> str:
        if status in _NOT_ALLOWED and not (self._key or self._basic):
            named = f"${self._config.api_key_env} is not set" if self._config.api_key_env else "no key is given"
            return f"{named} (api_key_env, basic_auth_env)"
        if status in _NOT_ALLOWED:
            name = self._config.basic_auth_env if self._basic else self._config.api_key_env
            return f"is the key in ${name} right? (api_key_env, basic_auth_env, organization)"
        if status == _NOT_THERE:
            return f"are base_url (most end in /v1) and the model's name {self._config.model!r} right?"
        return "see the keys of --swegym-agent for what is sent"


def sendable(value: Any) -> Any:
    """JSON that can be sent: half characters, as programs print them and models send them, become ``?``."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {sendable(key): sendable(each) for key, each in value.items()}
    return [sendable(each) for each in value] if isinstance(value, (list, tuple)) else value


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode() if text else ""


def _body(text: str) -> dict[str, Any]:
    """What the user adds to every chat request."""
    if not text.strip():
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"body: not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"body: expected a JSON object, got {text!r:.80}")
    if data.get("stream"):
        raise ConfigError("body: replies are taken whole: leave out stream")
    return data


def _read(answer: Any, until: float) -> bytes:
    data = bytearray()
    for chunk in answer.iter_bytes():
        data += chunk
        if len(data) > ANSWER_LIMIT:
            raise Transient(f"an answer of more than {ANSWER_LIMIT >> 20} MiB", status=200)
        if time.monotonic() > until:
            raise TimeoutError
    return bytes(data)


def _parsed(data: bytes) -> dict[str, Any]:
    """An answer's object; some servers put an error into an answer that says all is well."""
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Transient(f"the answer is not valid JSON: {error}", status=200) from None
    if not isinstance(answer, dict):
        raise Transient("the answer is no JSON object", status=200)
    if answer.get("error"):
        raise Transient(f"the answer is an error: {str(answer['error'])[:_SAID]}", status=200)
    return answer


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server wants to be left alone: ``Retry-After`` in seconds or as a date."""
    given = headers.get("retry-after", "").strip()
    try:
        return max(float(given), 0.0)
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(given).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _window(body: Mapping[str, Any], said: str) -> int:
    """The model's context in tokens, if the server names it; else 0."""
    told = body.get("n_ctx")
    if isinstance(told, int) and told > 0:
        return told
    found = _WINDOW.search(said)
    return int(found[1]) if found else 0
