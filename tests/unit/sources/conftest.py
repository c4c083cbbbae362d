"""Real small stand-ins for the network: a package index and a git server on this machine, and a cache of their own."""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
import subprocess
import threading
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest


Git = Callable[..., str]


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and none of this machine's index settings, proxies or git configuration."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("PIP_", "UV_", "SWEGYM_", "GIT_")):
            monkeypatch.delenv(name)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "2")
    monkeypatch.setenv("PIP_TIMEOUT", "10")
    monkeypatch.setenv("NETRC", os.devnull)


@pytest.fixture
def git() -> Git:
    """Run git in a folder, as a user would, and return what it prints."""
    env = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{role}_{what}": "t@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def run(folder: Path, *arguments: str) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["git", *arguments], cwd=folder, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"git {arguments}: {done.stderr}"
        return done.stdout.strip()

    return run


@pytest.fixture
def check_sealed(git: Git) -> Callable[[Path], str]:
    """Check that a checkout's ``.git`` holds one commit and nothing else, and return the commit."""

    def check(folder: Path) -> str:
        data = folder / ".git"
        head = git(folder, "rev-parse", "HEAD")
        assert git(folder, "rev-list", "--all", "--count") == "1"
        assert git(folder, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
        assert git(folder, "symbolic-ref", "HEAD") == "refs/heads/main"
        assert git(folder, "remote") == ""
        assert git(folder, "status", "--porcelain") == ""
        assert git(folder, "fsck", "--unreachable", "--no-reflogs") == ""
        reachable = {line[:40] for line in git(folder, "rev-list", "--objects", "HEAD").splitlines()}
        objects = git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
        assert set(objects) == reachable
        for name in ("logs", "hooks", "FETCH_HEAD", "ORIG_HEAD", "packed-refs", "objects/info/alternates"):
            assert not (data / name).exists(), name
        return head

    return check


@dataclass
class Index:
    """A package index that can be told to fail: ``faults`` are used up, one a request ('500' or 'cut')."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    login: tuple[str, str] | None = None
    digests: dict[str, str] = field(default_factory=dict)
    yanked: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    labelled_gzip: bool = False
    seen: list[tuple[str, str]] = field(default_factory=list)

    def add(self, filename: str, data: bytes) -> str:
        self.files[filename] = data
        return hashlib.sha256(data).hexdigest()

    def page(self, name: str) -> str:
        rows = []
        for file in sorted(f for f in self.files if f.startswith(name + "-")):
            digest = self.digests.get(file, "sha256=" + hashlib.sha256(self.files[file]).hexdigest())
            yanked = ' data-yanked="broken &amp; late"' if file in self.yanked else ""
            rows.append(f'<a href="../../files/{file}{"#" + digest if digest else ""}"{yanked}>{file}</a>')
        return "<!DOCTYPE html><html><body>" + "\n".join(rows) + "</body></html>"

    def requested(self, part: str) -> list[str]:
        """The Range headers of the requests whose path holds ``part``."""
        return [wanted for path, wanted in self.seen if part in path]


class _IndexHandler(BaseHTTPRequestHandler):
    index: Index

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.index.seen.append((self.path, self.headers.get("Range", "")))
        if self.index.login:
            wanted = "Basic " + base64.b64encode(":".join(self.index.login).encode()).decode()
            if self.headers.get("Authorization") != wanted:
                return self.answer(401, b"who are you?")
        fault = self.index.faults.pop(0) if self.index.faults else ""
        if fault == "500":
            return self.answer(500, b"broken")
        name = self.path.rstrip("/").rpartition("/")[2]
        if self.path.startswith("/files/") and name in self.index.files:
            return self.file(self.index.files[name], cut=fault == "cut")
        if any(file.startswith(name + "-") for file in self.index.files):
            return self.answer(200, self.index.page(name).encode(), "text/html")
        return self.answer(404, b"no such project")

    def file(self, data: bytes, *, cut: bool) -> None:
        wanted = self.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        rest = data[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(rest)))
        if self.index.labelled_gzip:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(rest[: len(rest) // 2] if cut else rest)
        self.close_connection = True

    def answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that went away, or would not speak TLS with us, is what some tests are about."""

    server = Server(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def make_index() -> Iterator[Callable[..., Index]]:
    """Start package indexes, behind TLS if given a context; each lives until the test ends."""
    running = []

    def make(tls: ssl.SSLContext | None = None) -> Index:
        index = Index()
        life = serve(type("Handler", (_IndexHandler,), {"index": index}), tls)
        port = next(life).server_port
        running.append(life)
        index.url = f"https://localhost:{port}/simple/" if tls else f"http://127.0.0.1:{port}/simple/"
        return index

    yield make
    for life in running:
        next(life, None)


@pytest.fixture
def index(make_index: Callable[[], Index], monkeypatch: pytest.MonkeyPatch) -> Index:
    """The package index that pip is set to use."""
    made = make_index()
    monkeypatch.setenv("PIP_INDEX_URL", made.url)
    return made


@dataclass
class GitServer:
    """Repositories below ``folder``, served over http; ``requests`` counts."""

    url: str
    folder: Path
    requests: list[str] = field(default_factory=list)
    broken: bool = False


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    """A git server that speaks git's own protocol, by git's own CGI program."""
    made = GitServer(url="", folder=tmp_path / "served")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            made.requests.append(self.path)
            path, _, query = self.path.partition("?")
            if made.broken and path.endswith("git-upload-pack"):
                self.send_response(503)
                self.end_headers()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            env = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(made.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
            }
            out = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True).stdout
            head, _, content = out.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

    life = serve(Handler)
    made.url = f"http://127.0.0.1:{next(life).server_port}"
    yield made
    next(life, None)
