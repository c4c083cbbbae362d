"""Containers in reserve, and commands that share waiting shells, against a real daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest

from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox.docker import DockerBackend
from pytest_swegym.sandbox.docker_client import connect
from pytest_swegym.sandbox.docker_pool import Pool
from pytest_swegym.task import EnvironmentSpec


# Takes a container, tells how many of it and its spares there are once that is all, and waits to be killed.
OWNER = """
import sys, time
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox.docker import DockerBackend
backend = DockerBackend()
sandbox = backend.start(Snapshot(key="x", backend="docker", ref={"image": sys.argv[1]}))
while not backend._containers.idle():
    time.sleep(0.05)
print(sandbox.id, *backend._containers.idle(), flush=True)
sys.stdin.read()
"""
NETWORK = """
import socket, sys
print(sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]))
with socket.create_server(("localhost", 0)) as server, socket.create_connection(server.getsockname()) as client:
    print(client.getpeername()[0])
"""


def until(condition: Callable[[], object]) -> bool:
    """Whether the condition came true; a minute is for a machine that is very busy."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def base(docker_image: str) -> Iterator[Snapshot]:
    backend = DockerBackend()
    yield backend.base(EnvironmentSpec(python=">=3.8"))
    backend.close()


@pytest.fixture
def backend(base: Snapshot) -> Iterator[DockerBackend]:
    backend = DockerBackend()
    assert backend.available() is None
    yield backend
    backend.close()


@pytest.fixture
def api() -> Iterator[docker.APIClient]:
    client = connect("docker")
    yield client
    client.close()


def pool_of(backend: DockerBackend) -> Pool:
    return backend._containers


def names(api: docker.APIClient) -> set[str]:
    return {name.lstrip("/") for each in api.containers(all=True) for name in each["Names"]}


def test_the_next_episode_gets_what_was_made_ready(
    backend: DockerBackend, base: Snapshot, api: docker.APIClient
) -> None:
    pool = pool_of(backend)
    with backend.start(base) as first:
        first.exec(["touch", "/dirt"])
        assert until(pool.idle)
        (waiting,) = pool.idle()
    with backend.start(base) as second:
        assert second.id == waiting
        assert second.exec(["test", "-e", "/dirt"]).exit_code == 1
        assert second.shell().run("echo $PWD").output == "/\n"
        assert until(pool.idle)
        spares = pool.idle()
        for spare in spares:
            api.remove_container(spare, force=True)
    with backend.start(base) as third:
        assert third.id not in spares
        assert third.exec(["echo", "alive"]).output == "alive\n"


def test_as_many_wait_as_were_asked_for_at_once_and_go_with_the_backend(
    backend: DockerBackend, base: Snapshot, api: docker.APIClient
) -> None:
    with ThreadPoolExecutor(3) as threads:
        sandboxes = list(threads.map(lambda _: backend.start(base), range(3)))
        assert list(threads.map(lambda each: each.exec(["hostname"]).output, sandboxes)) == ["sandbox\n"] * 3
    assert len({sandbox.id for sandbox in sandboxes}) == 3
    pool = pool_of(backend)
    assert until(lambda: len(pool.idle()) >= 2)  # more of them only if the machine was quick
    waiting = pool.idle()
    pool.forget(base.ref["image"])
    assert not pool.idle()
    backend.close()
    assert not names(api) & (waiting | {sandbox.id for sandbox in sandboxes})


def test_a_killed_owner_leaves_none_of_its_reserve(base: Snapshot, api: docker.APIClient) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, base.ref["image"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    theirs = set(owner.stdout.readline().split())
    assert len(theirs) == 2
    assert theirs <= names(api)
    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate()
    assert until(lambda: not theirs & names(api))


def test_commands_share_a_shell_only_if_nothing_is_left_of_the_one_before(
    backend: DockerBackend, base: Snapshot
) -> None:
    def parent() -> str:
        return sandbox.exec(["sh", "-c", "cut -d' ' -f4 /proc/$$/stat"]).output

    with backend.start(base) as sandbox:
        first = parent()
        assert sandbox.exec(["cat"], stdin=b"3\nit's \xff\n").stdout == b"3\nit's \xff\n"
        assert parent() == first
        assert sandbox.exec(["sleep", "60"], timeout=0.2).timed_out
        assert parent() == first
        late = "(while [ ! -e /go ]; do :; done; echo late; touch /gone) & echo now"
        assert sandbox.exec(["sh", "-c", late]).output == "now\n"
        second = parent()
        assert second != first
        assert sandbox.exec(["sh", "-c", "touch /go; while [ ! -e /gone ]; do :; done"]).output == ""
        assert sandbox.exec(["cat"], stdin=b"with \0 in it").stdout == b"with \0 in it"
        assert sandbox.exec(["sh", "-c", "kill -9 $PPID"]).exit_code == 137
        assert sandbox.exec(["echo", "goes on"]).output == "goes on\n"


def test_questions_are_answered_while_the_first_process_is_stopped(backend: DockerBackend, base: Snapshot) -> None:
    with backend.start(base) as sandbox:
        shell = sandbox.shell()
        shell.run(
            "for p in /proc/[0-9]*; do case $(cat $p/cmdline | tr '\\0' ' ') in 'sh -c '*) "
            "[ ${p#/proc/} -lt 10 ] && kill -STOP ${p#/proc/};; esac; done"
        )
        assert shell.run("sleep 100", timeout=0.5).timed_out
        assert sandbox.exec(["echo", "alive"]).output == "alive\n"


def test_without_a_network_there_is_a_loopback_of_its_own(backend: DockerBackend, base: Snapshot) -> None:
    with backend.start(base) as one, backend.start(base) as other:
        assert one.exec([base.python, "-c", NETWORK]).output == "['lo']\n127.0.0.1\n"
        spaces = {each.exec(["readlink", "/proc/self/ns/net"]).output.strip() for each in (one, other)}
        assert len(spaces | {os.readlink("/proc/self/ns/net")}) == 3
        assert one.exec(["grep", "-c", "localhost", "/etc/hosts"]).exit_code == 0
        with backend.start(one.snapshot(), network=True) as connected:
            assert "eth0" in connected.exec(["cat", "/proc/net/dev"]).output
