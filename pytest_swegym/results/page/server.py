"""The page served on loopback, for runs that go on: a few JSON answers, nothing but what lies in the given folders."""

from __future__ import annotations

import errno
import ipaddress
import socket
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import urlsplit

from pytest_swegym.errors import ConfigError
from pytest_swegym.results.page.detail import FILES
from pytest_swegym.results.page.detail import facts_of
from pytest_swegym.results.page.folders import RunFolder
from pytest_swegym.results.page.folders import read_some
from pytest_swegym.results.page.folders import to_json
from pytest_swegym.results.page.html import page
from pytest_swegym.results.page.html import policy
from pytest_swegym.results.page.steps import read_told
from pytest_swegym.results.page.watch import Watch
from pytest_swegym.results.store import READ_LIMIT


#: The first port that is tried, and how many.
PORT, PORTS = 8710, 20
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class PageServer(ThreadingHTTPServer):
    """Serves what ``watch`` follows, on ``port`` of ``host``; without a port on the first free one.

    Raises :class:`ConfigError` if it cannot.
    """

    daemon_threads = True

    def __init__(self, watch: Watch, *, host: str = "127.0.0.1", port: int | None = None) -> None:
        self.watch, self.host = watch, host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._bind(host, range(PORT, PORT + PORTS) if port is None else (port,))

    def _bind(self, host: str, ports: range | tuple[int]) -> None:
        for port in ports:
            try:
                super().__init__((host, port), _Handler)
            except OSError as error:
                failure = error
            except OverflowError:
                raise ConfigError(f"--port={port}: expected a number from 0 to 65535") from None
            else:
                return
        tried = str(ports[0]) if len(ports) == 1 else f"{ports[0]} to {ports[-1]}"
        way_out = "choose another with --port, 0 takes any that is free"
        if failure.errno not in (errno.EADDRINUSE, errno.EACCES):
            way_out = "choose another with --host"
        raise ConfigError(f"{host}, port {tried}: {failure.strerror}; {way_out}")

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.server_address[1]}/"

    def knows(self, host: str) -> bool:
        """Whether a browser that asks for ``host`` means us: a name that others let point here is not ours."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in ("localhost", self.host.lower()) or name == socket.gethostname().lower():
            return True
        try:
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return False


class _Handler(BaseHTTPRequestHandler):
    """Answers one request. Nothing is ever written, and no folder is listed."""

    server: PageServer
    server_version, sys_version = "swegym", ""
    #: Seconds that a browser may take for its request.
    timeout = 60

    def do_GET(self) -> None:
        if not self.server.knows(self.headers.get("Host", "")):
            return self._fail(403, "this server answers to its own address only")
        asked = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(asked.query, keep_blank_values=True).items()}
        answer = {"/": self._page, "/api/changes": self._changes, "/api/attempt": self._attempt, "/file": self._file}
        return answer.get(asked.path, self._unknown)(given)

    do_HEAD = do_GET

    def _page(self, given: dict[str, str]) -> None:
        html = page({"mode": "live", "runs": [], "rows": []})
        self._send(200, "text/html; charset=utf-8", html.encode(), **{"Content-Security-Policy": policy()})

    def _changes(self, given: dict[str, str]) -> None:
        self._json(self.server.watch.changes(given.get("since", "")))

    def _attempt(self, given: dict[str, str]) -> None:
        """Facts if they are others than the page ``has``, and the steps ``after`` those it has."""
        found = self._find(given)
        if found is None:
            return self._unknown(given)
        run, key = found
        folder = run.attempt(key)
        signature = "-".join(map(str, run.signature(key)))
        answer: dict[str, Any] = {"has": signature, "told": read_told(folder, after=given.get("after", "")).to_dict()}
        if given.get("has") != signature:
            answer["facts"] = facts_of(folder)
        return self._json(answer)

    def _file(self, given: dict[str, str]) -> None:
        found, name = self._find(given), given.get("name", "")
        if found is None or name not in FILES:
            return self._unknown(given)
        data, size = read_some(found[0].attempt(found[1]), name, READ_LIMIT)
        if size < 0:
            return self._unknown(given)
        kept = f'attachment; filename="{name}"'
        return self._send(200, "text/plain; charset=utf-8", data, **{"Content-Disposition": kept})

    def _find(self, given: dict[str, str]) -> tuple[RunFolder, str] | None:
        """The run and the attempt that are named: one of those that are there, so no way leads out of the folders."""
        run, key = self.server.watch.run(given.get("run", "")), given.get("key", "")
        return (run, key) if run is not None and key in run.attempts() else None

    def _unknown(self, given: dict[str, str]) -> None:
        self._fail(404, "there is nothing of that name")

    def _fail(self, status: int, message: str) -> None:
        self._send(status, "text/plain; charset=utf-8", message.encode())

    def _json(self, data: Any) -> None:
        self._send(200, "application/json", to_json(data).encode())

    def _send(self, status: int, kind: str, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **_HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """A page that asks every second is nothing to tell."""
