"""Runs inside a sandbox: model requests of an agent wait here until the other side, which has the key, answers them.

``start`` prints the port of a server on 127.0.0.1 and leaves it running; ``next PORT SECONDS`` prints the next request
as JSON (nothing, if none came); ``answer PORT NUMBER`` reads a line of JSON and the body of its answer; ``stop PORT``.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import sys
import threading
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any


#: Requests that may wait at once, and the bytes of the longest.
WAITING, LARGEST = 16, 32 * 2**20
CONTROL = "/.swegym/"
ASKED = ("chat/completions", "responses", "embeddings", "models")


class Ticket:
    """A request that waits for its answer."""

    def __init__(self, number: int, path: str, body: str) -> None:
        self.number, self.path, self.body = number, path, body
        self.done = threading.Event()
        self.status, self.kind, self.data = 503, "application/json", b"{}"


class Relay(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.open: dict[int, Ticket] = {}
        self.waiting: queue.Queue[Ticket] = queue.Queue()
        self.count = 0

    def ask(self, path: str, body: str) -> Ticket | None:
        """A ticket for a request; ``None`` if too many wait already."""
        with self.lock:
            if len(self.open) >= WAITING:
                return None
            self.count += 1
            ticket = self.open[self.count] = Ticket(self.count, path, body)
        self.waiting.put(ticket)
        return ticket

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who goes away before the answer is there is not worth a word."""


class Handler(BaseHTTPRequestHandler):
    server: Relay
    protocol_version = "HTTP/1.1"
    timeout = 3600

    def do_GET(self) -> None:
        if self.path.startswith(CONTROL + "next/"):
            self._next(float(self.path.rpartition("/")[2]))
        elif self.path == CONTROL + "stop":
            self._send(200, "text/plain", b"")
            threading.Thread(target=self.server.shutdown, daemon=True).start()
        else:
            self._asked("")

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > LARGEST:
            self.close_connection = True
            self._refuse(413 if size else 411, f"a request needs a Content-Length, of {LARGEST} at most")
            return
        body = self.rfile.read(int(size))
        if self.path.startswith(CONTROL + "answer/"):
            self._answer(int(self.path.rpartition("/")[2]), body)
        else:
            self._asked(body.decode("utf-8", "replace"))

    def _next(self, seconds: float) -> None:
        try:
            ticket = self.server.waiting.get(timeout=min(seconds, 60.0))
        except queue.Empty:
            self._send(204, "text/plain", b"")
            return
        told = {"number": ticket.number, "path": ticket.path, "body": ticket.body}
        self._send(200, "application/json", json.dumps(told).encode())

    def _answer(self, number: int, body: bytes) -> None:
        head, _, data = body.partition(b"\n")
        told = json.loads(head)
        ticket = self.server.open.get(number)
        if ticket is not None:
            ticket.status, ticket.kind, ticket.data = int(told["status"]), str(told["type"]), data
            ticket.done.set()
        self._send(200, "text/plain", b"")

    def _asked(self, body: str) -> None:
        path = self.path.partition("?")[0].strip("/")
        path = path[3:] if path.startswith("v1/") else path
        if path not in ASKED:
            self._refuse(404, f"only these are relayed: {', '.join(ASKED)}")
            return
        ticket = self.server.ask(path, body)
        if ticket is None:
            self._refuse(429, f"{WAITING} requests are waiting already")
            return
        try:
            ticket.done.wait()
            self._send(ticket.status, ticket.kind, ticket.data)
        finally:
            self.server.open.pop(ticket.number, None)

    def _refuse(self, status: int, why: str) -> None:
        told = {"error": {"message": why, "type": "relay", "code": None}}
        self._send(status, "application/json", json.dumps(told).encode())

    def _send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def start() -> None:
    """Listen first, so that the port that is printed is open, then go on in the background."""
    relay = Relay()
    sys.stdout.write(f"{relay.server_address[1]}\n")
    sys.stdout.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    relay.serve_forever(poll_interval=0.2)


def control(port: str, path: str, body: bytes | None = None) -> int:
    """Print what the server says; 3 if it is gone."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=120)
    try:
        connection.request("GET" if body is None else "POST", CONTROL + path, body)
        sys.stdout.buffer.write(connection.getresponse().read())
    except (OSError, http.client.HTTPException):
        return 3
    return 0


def main(command: str, *words: str) -> int:
    if command == "start":
        start()
        return 0
    if command == "answer":
        return control(words[0], f"answer/{words[1]}", sys.stdin.buffer.read())
    return control(words[0], "/".join((command, *words[1:])))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
