"""A container that ends, or falls silent, while it is asked: over socket pairs in the daemon's place."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from datetime import timezone
from typing import Any

import pytest

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox import SandboxLimits
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox import docker_container
from pytest_swegym.sandbox import docker_scripts as scripts
from pytest_swegym.sandbox.docker_container import Container
from pytest_swegym.sandbox.docker_container import Plan
from pytest_swegym.sandbox.docker_ground import Ground
from pytest_swegym.sandbox.docker_sandbox import DockerSandbox


MARK = re.compile(rb"\\035' ([0-9a-f]{16}) ")
#: How many questions a process answers, and what becomes of it: at once if it is gone, else at the next one.
Fate = tuple[int, str]


class Daemon:
    """Starts the processes of one container, each with a fate; with the last of them the container is gone."""

    def __init__(self, *fates: Fate) -> None:
        self._fates = list(fates)
        self._open: list[socket.socket] = []

    def close(self) -> None:
        for each in self._open:
            each.close()

    def attach_socket(self, *_: object, **__: object) -> socket.socket:
        near, far = socket.socketpair()
        self._open += [near, far]
        answers, end = self._fates.pop(0)
        threading.Thread(target=self._serve, args=(far, answers, end), daemon=True).start()
        return near

    exec_start = attach_socket

    def _serve(self, far: socket.socket, answers: int, end: str) -> None:
        while (answers or end != "gone") and (data := far.recv(2**16)) and answers:
            for mark in MARK.findall(data):
                told = b"\x1d" + mark + b" 0 0\x1d"
                far.sendall(b"\1\0\0\0" + len(told).to_bytes(4, "big") + told)
                answers -= 1
        if end != "stopped":
            far.shutdown(socket.SHUT_RDWR)

    def inspect_container(self, _: str) -> dict[str, Any]:
        return {"State": {"Running": bool(self._fates)}}

    def inspect_image(self, _: str) -> dict[str, Any]:
        return {"Config": {}}

    def exec_inspect(self, end: str) -> dict[str, Any]:
        return {"ExitCode": None if end == "stopped" else 137}

    def create_container(self, *_: object, **__: object) -> dict[str, str]:
        return {"Id": self._fates[0][1]}

    exec_create = create_container

    def create_host_config(self, **options: object) -> dict[str, object]:
        return options

    def start(self, _: str) -> None: ...

    def wait(self, *_: object, **__: object) -> None: ...

    remove_container = wait


Make = Callable[..., Container]


@pytest.fixture
def make() -> Iterator[Make]:
    """A container whose first process, and those that are started in it one after the other, have these fates."""
    made: list[tuple[Daemon, Container]] = []
    with ThreadPoolExecutor(1) as threads:

        def begun(*fates: Fate) -> Container:
            daemon: Any = Daemon(*fates)
            made.append((daemon, Container(daemon, Plan(image="x", limits=SandboxLimits()), threads)))
            return made[-1][1]

        yield begun
        for _, container in made:
            container.end()
    for daemon, _ in made:
        daemon.close()


def test_one_that_is_just_ending_is_closed_whatever_it_kills(make: Make) -> None:
    container = make((1, "killed"), (1, "killed"), (1, "killed"), (0, "killed"))
    with pytest.raises(SandboxClosed):
        container.ask(scripts.oom_count, timeout=5.0)


def test_where_the_first_process_was_stopped_those_that_wait_are_not_asked(make: Make) -> None:
    container = make((1, "stopped"), (1, "stopped"), (9, "killed"), (0, "killed"))
    container.agents.provide(1)
    assert container.ask(scripts.oom_count, timeout=0.5) == (0, 0)


class Told:
    """What a daemon tells of a container that it was asked to end."""

    def __init__(self, asked: Callable[[], bool], restarted: str) -> None:
        self._asked, self._restarted = asked, restarted

    def trouble(self) -> str:
        return "the container was ended from outside" if self._asked() else ""

    def restarted(self) -> str:
        return self._restarted


def sandbox_in(container: Container, asked: Callable[[], bool], *, restarted: str = "") -> DockerSandbox:
    def freeze(_: object) -> Snapshot:
        raise AssertionError

    ground: Any = Told(asked, restarted)
    return DockerSandbox(Snapshot(key="x", backend="docker", ref={"image": "x"}), container, freeze, ground=ground)


def test_what_is_ended_from_here_was_not_ended_from_outside(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_container, "_SILENCE", 0.0)
    container = make((1, "killed"), (1, "stopped"), (1, "killed"), (0, "killed"))
    with sandbox_in(container, lambda: container.ended) as sandbox:
        with pytest.raises(SandboxClosed):
            sandbox.exec(["sleep", "60"], timeout=0.1)
        assert container.ended
        assert sandbox.trouble() == ""
    assert sandbox.trouble() == ""


def test_a_restart_of_the_daemon_is_told_though_we_ended_the_container_then(make: Make) -> None:
    """A daemon that is away cannot freeze it, for one: then it is ended from here."""
    for look in (lambda sandbox: sandbox.trouble(), lambda sandbox: sandbox.close()):
        container = make((1, "gone"))
        sandbox = sandbox_in(container, lambda: True, restarted="the Docker daemon was ended or restarted")
        container.end()
        look(sandbox)
        sandbox.close()
        assert sandbox.trouble() == "the Docker daemon was ended or restarted"


def test_an_end_from_outside_is_remembered_when_the_sandbox_is_closed(make: Make) -> None:
    gone, there = make((1, "gone")), make((1, "killed"))
    while gone.alive:
        time.sleep(0.01)
    for container, trouble in ((gone, "the container was ended from outside"), (there, "")):
        sandbox = sandbox_in(container, lambda: True)
        sandbox.close()
        assert sandbox.trouble() == trouble


@pytest.mark.parametrize("ahead", [-86400.0, 0.0, 86400.0])
def test_an_end_from_outside_is_found_whatever_the_clock_of_the_daemon_says(ahead: float) -> None:
    class Clocked:
        base_url, killed = "", 0.0

        def get_adapter(self, _: str) -> object:
            return object()

        def inspect_container(self, _: str) -> dict[str, Any]:
            self.killed = time.time() + ahead
            return {"State": {"Running": False}}

        def info(self) -> dict[str, str]:
            told = datetime.fromtimestamp(time.time() + ahead, timezone.utc)
            return {"SystemTime": told.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")}

        def events(self, *, since: int, until: int, **_: object) -> Iterable[object]:
            return [object()] if since <= self.killed <= until < self.killed + 5 else []

    client: Any = Clocked()
    assert Ground(client, "c").trouble() == "the container was ended from outside"
