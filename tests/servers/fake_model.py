"""A small OpenAI-compatible server on loopback that answers by a script, errors and damage included."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any


#: What a function of the request, or a script's entry, may be.
Answer = Any


@dataclass(frozen=True)
class Status:
    """An answer with an HTTP status; a body that is no text becomes JSON."""

    code: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Delay:
    """The answer ``reply``, ``seconds`` later, or when the server is closed."""

    seconds: float
    reply: Answer = ""


@dataclass(frozen=True)
class Cut:
    """Promises a longer body than ``data`` and hangs up."""

    data: bytes = b'{"choices": [{"mess'


@dataclass(frozen=True)
class Raw:
    """``data`` as the body of an answer that says all is well."""

    data: bytes = b"<html>not JSON</html>"


def call(name: str, arguments: Mapping[str, Any] | str, call_id: str = "call_1") -> dict[str, Any]:
    """A tool call as models send it."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


def calls(*each: dict[str, Any], text: str | None = None) -> dict[str, Any]:
    """A message with tool calls."""
    return {"role": "assistant", "content": text, "tool_calls": list(each)}


def bash(command: str, call_id: str = "call_1") -> dict[str, Any]:
    """A message that calls ``bash``."""
    return calls(call("bash", {"command": command}, call_id))


SUBMIT = calls(call("submit", {}, "call_end"))


class FakeModel:
    """Each chat request takes the next of ``replies``; after the last one comes ``after``.

    A reply is text, a message (a mapping with ``content`` or ``tool_calls``), a whole answer (a mapping with
    ``choices``), one of the classes above, or a function that makes one of these of the request's body. ``requests``
    are the bodies in their order, ``headers`` their headers, named in lower case; ``usage`` is what each answer says
    of it (``None``: nothing). ``/v1/embeddings`` gives vectors that are the hashes of the words, ``/v1/models`` lists
    ``models``.
    """

    def __init__(
        self,
        replies: Iterable[Answer] = (),
        *,
        after: Answer = "<execute>submit</execute>",
        usage: Mapping[str, Any] | str | None = "count",
        models: Iterable[Mapping[str, Any]] = ({"id": "fake", "object": "model"},),
    ) -> None:
        self.replies = list(replies)
        self.after, self.usage, self.models = after, usage, list(models)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.embedded: list[list[str]] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def __enter__(self) -> FakeModel:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What ``base_url`` is to be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def words(self, **keys: object) -> list[str]:
        """What ``--swegym-agent`` is to be, one word each."""
        given = {"base_url": self.url, "model": "fake", "api_key_env": "FAKE_MODEL_KEY", **keys}
        return [f"{key.replace('__', '.')}={value}" for key, value in given.items()]

    def texts(self, number: int = -1) -> str:
        """Everything that a request's messages say."""
        return "\n".join(str(message.get("content")) for message in self.requests[number]["messages"])

    # -- inside ----------------------------------------------------------------------------------

    def _next(self, request: dict[str, Any], headers: dict[str, str]) -> Answer:
        with self._lock:
            self.requests.append(request)
            self.headers.append(headers)
            answer = self.replies.pop(0) if self.replies else self.after
        while callable(answer) and not isinstance(answer, type):
            answer = answer(request)
        if isinstance(answer, Delay):
            self._closing.wait(answer.seconds)
            answer = answer.reply
        return answer

    def _completion(self, answer: Answer, request: Mapping[str, Any]) -> dict[str, Any]:
        """The whole answer around a text or a message."""
        if isinstance(answer, Mapping) and "choices" in answer:
            return dict(answer)
        given = {"role": "assistant", "content": answer} if isinstance(answer, str) else {**answer}
        finish = given.pop("finish_reason", "tool_calls" if given.get("tool_calls") else "stop")
        whole: dict[str, Any] = {
            "id": "fake-1", "object": "chat.completion", "created": int(time.time()), "model": "fake-1.0",
            "choices": [{"index": 0, "message": {"role": "assistant", **given}, "finish_reason": finish}],
        }  # fmt: skip
        if self.usage == "count":
            sent, back = len(json.dumps(request["messages"])) // 4, len(json.dumps(given)) // 4
            whole["usage"] = {"prompt_tokens": sent, "completion_tokens": back, "total_tokens": sent + back}
        elif self.usage is not None:
            whole["usage"] = self.usage
        return whole


def _handler(fake: FakeModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: the other side answers at once

        def do_GET(self) -> None:
            self._send({"object": "list", "data": fake.models} if self.path == "/v1/models" else Status(404, "no"))

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/v1/embeddings":
                self._send(_embeddings(fake, request))
            elif self.path != "/v1/chat/completions":
                self._send(Status(404, {"error": {"message": f"no {self.path} here"}}))
            else:
                answer = fake._next(request, {name.lower(): value for name, value in self.headers.items()})
                special = isinstance(answer, (Status, Cut, Raw))
                self._send(answer if special else fake._completion(answer, request), stream=request.get("stream"))

        def _send(self, answer: Any, *, stream: bool = False) -> None:
            status = answer if isinstance(answer, Status) else Status(200, answer)
            kind = "text/event-stream" if stream else "application/json"
            data = _events(status.body) if stream and status.code == 200 else _bytes(status.body)
            self.send_response(status.code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data) + (1000 if isinstance(answer, Cut) else 0)))
            for name, value in status.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = isinstance(answer, Cut) or self.close_connection

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the client has gone, as it may
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Nothing: tests read what the server was asked from ``requests``."""

    return Handler


def _bytes(body: Any) -> bytes:
    if isinstance(body, (Cut, Raw)):
        return body.data
    return body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()


def _events(whole: Any) -> bytes:
    """The same answer as a stream of two chunks."""
    choice = whole["choices"][0]
    chunk = {**whole, "object": "chat.completion.chunk"}
    first = {**chunk, "choices": [{"index": 0, "delta": choice["message"], "finish_reason": None}], "usage": None}
    last = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in (first, last)) + b"data: [DONE]\n\n"


def _embeddings(fake: FakeModel, request: Mapping[str, Any]) -> dict[str, Any]:
    texts = [request["input"]] if isinstance(request["input"], str) else request["input"]
    fake.embedded.append(texts)
    data = [{"object": "embedding", "index": number, "embedding": vector(text)} for number, text in enumerate(texts)]
    tokens = sum(len(text) // 4 for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": request["model"], "usage": usage}


def vector(text: str, size: int = 32) -> list[float]:
    """A text's vector: texts that share words lie near to each other; the same everywhere."""
    found = [0.0] * size
    for word in "".join(char if char.isalnum() else " " for char in text.lower()).split():
        found[hashlib.sha256(word.encode()).digest()[0] % size] += 1.0
    length = sum(number * number for number in found) ** 0.5 or 1.0
    return [number / length for number in found]
