"""What the page's server answers, and what it refuses."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.results import ResultStore
from pytest_swegym.results.page import Watch
from pytest_swegym.results.page.server import PageServer
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Verdict


Ask = Callable[..., tuple[int, http.client.HTTPMessage, bytes]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page") / "run"
    record = AttemptRecord(instance_id="i-1", verdict=Verdict.RESOLVED, reward=1.0, patch="+x\n")
    folder = ResultStore(root=root).write(record)
    (root.parent / "secret").write_text("secret")
    (root / "secret").write_text("secret")
    (folder / "secret").write_text("secret")
    (folder / "test.log").symlink_to(root.parent / "secret")
    (root / "attempts" / "led").symlink_to(root.parent)
    return root


@pytest.fixture(scope="module")
def server(run: Path) -> Iterator[PageServer]:
    with PageServer(Watch([run]), port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(server: PageServer) -> Ask:
    def call(path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    return call


def test_the_page_and_its_data(ask: Ask) -> None:
    status, headers, body = ask("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"")
    status, headers, body = ask("/api/changes?since=")
    assert headers["Content-Type"] == "application/json"
    assert [row["key"] for row in json.loads(body)["rows"]] == ["i-1"]


def test_facts_are_sent_once(ask: Ask) -> None:
    first = json.loads(ask("/api/attempt?run=run&key=i-1")[2])
    assert first["facts"]["patch"] == "+x\n"
    second = json.loads(ask(f"/api/attempt?run=run&key=i-1&has={first['has']}")[2])
    assert "facts" not in second


def test_files_are_kept_not_shown(ask: Ask) -> None:
    status, headers, body = ask("/file?run=run&key=i-1&name=patch.diff")
    assert (status, body) == (200, b"+x\n")
    assert headers["Content-Type"].startswith("text/plain")
    assert headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "path",
    [
        "/secret",
        "/../secret",
        "/run/secret",
        "/attempts/i-1/record.json",
        "/api/",
        "/file",
        "/file?run=run&key=i-1&name=secret",
        "/file?run=run&key=i-1&name=../../secret",
        "/file?run=run&key=..&name=secret",
        "/file?run=run&key=led&name=secret",
        "/file?run=run&key=i-1&name=test.log",
        "/file?run=..&key=i-1&name=record.json",
        "/api/attempt?run=run&key=../../..",
        "/api/attempt?run=run&key=led",
        "/api/attempt?run=run&key=%00",
    ],
)
def test_nothing_else_is_served(ask: Ask, path: str) -> None:
    status, _, body = ask(path)
    assert status == 404
    assert b"secret" not in body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::", "x" * 9999])
def test_a_name_that_others_made_point_here_is_refused(ask: Ask, host: str) -> None:
    assert ask("/api/changes", Host=host)[0] == 403


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:80", "192.168.0.7:8710"])
def test_addresses_are_ours(ask: Ask, host: str) -> None:
    assert ask("/", Host=host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_is_changed(ask: Ask, method: str) -> None:
    assert ask("/", method)[0] == 501
    status, headers, body = ask("/", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 1000


def test_a_port_that_is_taken_is_told(server: PageServer, run: Path) -> None:
    taken = server.server_address[1]
    with pytest.raises(ConfigError, match=f"port {taken}: .*choose another with --port"):
        PageServer(Watch([run]), port=taken)
    with pytest.raises(ConfigError, match="expected a number from 0 to 65535"):
        PageServer(Watch([run]), port=99999)
    with pytest.raises(ConfigError, match="choose another with --host"):
        PageServer(Watch([run]), host="no.such.host.invalid", port=0)
    with PageServer(Watch([run])) as first, PageServer(Watch([run])) as second:
        assert first.server_address[1] != second.server_address[1]


def test_the_command_serves_until_it_is_ended(run: Path) -> None:
    command = [sys.executable, "-m", "pytest_swegym", "view", str(run), "--port=0", "--no-browser"]
    process: Any = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), process.stderr.read()
        assert "1 run, 1 attempt" in line
    finally:
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
