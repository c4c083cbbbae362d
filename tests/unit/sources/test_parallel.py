"""Repositories that differ are cloned at the same time; who wants the same one waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from pytest_swegym.errors import SourceError
from pytest_swegym.sources import make_source


class Server(ThreadingHTTPServer):
    """Answers nobody before somebody asks for another repository; then says that there is none."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: set[str] = set()
        self.alone = False
        self.changed = threading.Condition()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        with server.changed:
            server.asked.add(self.path.split("/")[1])
            server.changed.notify_all()
            if not server.changed.wait_for(lambda: len(server.asked) == 2, timeout=30):
                server.alone = True
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join(30)
    made.server_close()


def test_two_repositories_are_cloned_at_once(server: Server) -> None:
    port = server.server_address[1]

    def clone(name: str) -> str:
        with pytest.raises(SourceError) as caught:
            make_source(f"http://127.0.0.1:{port}/{name}/{name}.git", None).key()
        return str(caught.value)

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(clone, ["one", "two"]))
    assert server.asked == {"one", "two"}
    assert not server.alone
    assert "one.git" in said[0]
    assert "two.git" in said[1]
