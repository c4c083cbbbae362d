"""Images from a real registry: by a mirror, patiently where it is busy, with Docker's own logins, or not at all."""

from __future__ import annotations

import base64
import http.client
import io
import json
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path

import docker
import pytest

from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox.docker import DockerBackend
from pytest_swegym.sandbox.docker_pull import Pulls
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import EnvironmentSpec


TEAM, OFFICIAL = "swegym-team/tiny:1", "swegym-tiny:1"
LOGIN = base64.b64encode(b"user:secret").decode()


def absent(reason: str) -> None:
    (pytest.fail if required("docker-registry") else pytest.skip)(reason)


class Front(ThreadingHTTPServer):
    """What a client sees of a registry: it refuses with ``refusals`` first, and asks for a login if ``closed``."""

    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        self.behind = behind
        self.refusals: list[int] = []
        self.closed = False
        #: Where the first request for each image waits for those for the others; the official library is let pass.
        self.together: threading.Barrier | None = None
        self.asked: list[str] = []
        self.lock = threading.Lock()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def meet(self, path: str) -> None:
        image = path.partition("/manifests/")[0]
        if self.together is not None and "/manifests/" in path and "/library/" not in path:
            with self.lock:
                first = not any(each.startswith(f"{image}/") for each in self.asked)
                self.asked += [f"{image}/meets"] * first
            if first:
                self.together.wait(20)

    def refusal(self, path: str, login: str | None) -> int:
        with self.lock:
            if self.closed and login != f"Basic {LOGIN}":
                return 401
            if "/manifests/" in path:
                self.asked.append(path)
                return self.refusals.pop(0) if self.refusals else 0
            return 0


class Relay(BaseHTTPRequestHandler):
    server: Front

    def do_GET(self) -> None:
        self.server.meet(self.path)
        status = self.server.refusal(self.path, self.headers["Authorization"])
        if status:
            body = json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}).encode()
            self.answer(status, {"WWW-Authenticate": 'Basic realm="test"'}, body if status == 429 else b"")
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.behind)
        upstream.request(self.command, self.path, headers={"Accept": ", ".join(self.headers.get_all("Accept") or [])})
        response = upstream.getresponse()
        kept = ("content-type", "docker-content-digest", "docker-distribution-api-version", "content-length")
        self.answer(response.status, {k: v for k, v in response.getheaders() if k.lower() in kept}, response.read())
        upstream.close()

    do_HEAD = do_GET

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def api() -> Iterator[docker.APIClient]:
    reason = DockerBackend().available()
    if reason is not None:
        (pytest.fail if required("docker") else pytest.skip)(reason)
    client = docker.APIClient(**docker.utils.kwargs_from_env(), version="auto")
    yield client
    client.close()


@pytest.fixture(scope="module")
def registry(api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a registry that holds a tiny image, as a team's and as an official one."""
    program, busybox = shutil.which("docker-registry"), shutil.which("busybox")
    if program is None or busybox is None:
        absent("no docker-registry or no static busybox on PATH: install the packages of these names")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("registry")
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(program), "serve", str(folder / "config.json")], stdout=log, stderr=log)
    try:
        _wait(port)
        _push(api, f"127.0.0.1:{port}", str(busybox))
        yield port
    finally:
        process.kill()
        process.wait()


def _wait(port: int) -> None:
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail("the registry did not come up")


def _push(api: docker.APIClient, address: str, busybox: str) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.add(busybox, arcname="bin/busybox")
        link = tarfile.TarInfo("bin/sh")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(link)
    for repository in (f"{address}/swegym-team/tiny", f"{address}/library/swegym-tiny"):
        api.import_image_from_data(data.getvalue(), repository=repository, tag="1")
        said = list(api.push(repository, tag="1", stream=True, decode=True))
        assert not [line for line in said if "error" in line], said
        api.remove_image(f"{repository}:1")


@pytest.fixture
def front(registry: int, api: docker.APIClient) -> Iterator[Front]:
    with Front(registry) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
        for image in api.images():
            for name in image["RepoTags"] or ():
                if name.startswith(f"{server.name}/"):
                    api.remove_image(name)


@pytest.fixture
def make(front: Front) -> Iterator[Callable[..., DockerBackend]]:
    """A backend that pulls through the front."""
    backends = []

    def make(*, tries: int = 6, offline: bool = False) -> DockerBackend:
        pulls = Pulls(registry=front.name, tries=tries, offline=offline, wait=0.01)
        backends.append(DockerBackend(pulls=pulls))
        return backends[-1]

    yield make
    for backend in backends:
        backend.close()


def test_an_image_comes_through_the_mirror_once(front: Front, make: Callable[..., DockerBackend]) -> None:
    found = make().base(EnvironmentSpec(image=TEAM))
    assert front.asked
    assert all("/swegym-team/tiny/" in path for path in front.asked)
    front.asked.clear()
    assert make().base(EnvironmentSpec(image=TEAM)) == found
    assert make(offline=True).base(EnvironmentSpec(image=TEAM)) == found
    assert front.asked == []


def test_many_who_ask_pull_an_image_once_and_different_ones_at_the_same_time(
    front: Front, make: Callable[..., DockerBackend], api: docker.APIClient
) -> None:
    make().base(EnvironmentSpec(image=TEAM))
    api.remove_image(f"{front.name}/{TEAM}", force=True)  # the container that was looked into may be on its way out
    once, front.asked = sorted(front.asked), []
    front.together = threading.Barrier(2)  # breaks if one pull waits for the other
    script = (
        "import sys; from pytest_swegym.sandbox.docker import DockerBackend, EnvironmentSpec, Pulls\n"
        "backend = DockerBackend(pulls=Pulls(registry=sys.argv[1]))\n"
        "print(backend.base(EnvironmentSpec(image=sys.argv[2])).ref['image'])"
    )
    other = subprocess.Popen([sys.executable, "-c", script, front.name, TEAM], stdout=subprocess.PIPE, text=True)
    backend = make()
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda name: backend.base(EnvironmentSpec(image=name)), [TEAM, OFFICIAL] * 3))
    said, _ = other.communicate()
    assert len({each.ref["image"] for each in found} | {said.strip()}) == 2
    assert not front.together.broken
    # Fewer, if the daemon still had what it was told to forget; nothing twice.
    asked = Counter(path for path in front.asked if TEAM[:-2] in path and "/meets" not in path)
    assert asked
    assert asked <= Counter(once)


def test_an_official_image_is_in_the_mirrors_library(front: Front, make: Callable[..., DockerBackend]) -> None:
    assert make().base(EnvironmentSpec(image=OFFICIAL)).ref["image"].startswith("sha256:")
    assert "/library/swegym-tiny/" in front.asked[-1]


def test_a_busy_registry_is_asked_again(
    front: Front, make: Callable[..., DockerBackend], caplog: pytest.LogCaptureFixture
) -> None:
    front.refusals = [429, 429, 503, 503]
    with make().start(make().base(EnvironmentSpec(image=TEAM))) as sandbox:
        assert sandbox.exec(["sh", "-c", "echo runs"]).output == "runs\n"
    assert front.refusals == []
    told = [record.getMessage() for record in caplog.records if "again in" in record.getMessage()]
    assert told
    assert all(line.startswith(f"pulling image {front.name}/{TEAM}: ") for line in told)
    assert "(2 of 6)" in told[0]


def test_patience_ends_and_says_what_it_was(front: Front, make: Callable[..., DockerBackend]) -> None:
    front.refusals = [429] * 100
    with pytest.raises(EnvironmentBuildError, match=r"tried 3 times in \d+ s; the registry is busy") as caught:
        make(tries=3).base(EnvironmentSpec(image=TEAM))
    assert f"'{TEAM}'" in str(caught.value)
    assert "docker login" in str(caught.value)


def test_an_image_that_is_not_there_is_asked_for_once(
    front: Front, make: Callable[..., DockerBackend], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(
        EnvironmentBuildError, match=f"'swegym-team/none:1'.*from {front.name}/swegym-team/none:1; check"
    ):
        make().base(EnvironmentSpec(image="swegym-team/none:1"))
    assert front.asked
    assert "again in" not in caplog.text


def test_offline_asks_nobody(front: Front, make: Callable[..., DockerBackend]) -> None:
    with pytest.raises(
        EnvironmentBuildError, match=f"'{TEAM}' is not on this machine, and --swegym-offline is set.*pull"
    ):
        make(offline=True).base(EnvironmentSpec(image=TEAM))
    assert front.asked == []


def test_a_login_is_dockers_own(
    front: Front, make: Callable[..., DockerBackend], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.closed = True
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(EnvironmentBuildError, match="cannot be pulled") as caught:
        make().base(EnvironmentSpec(image=TEAM))
    assert "again" not in str(caught.value)
    (tmp_path / "config.json").write_text(json.dumps({"auths": {front.name: {"auth": LOGIN}}}))
    assert make().base(EnvironmentSpec(image=TEAM)).ref["image"].startswith("sha256:")
