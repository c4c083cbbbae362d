"""What the Docker backend promises beyond the contract, against a real daemon."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox import SandboxLimits
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox.docker import DockerBackend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import EnvironmentSpec


TINY = "pytest-swegym/test-tiny:1"
# Starts a sandbox with a temporary snapshot, tells their names, and waits to be killed.
OWNER = """
import sys
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox.docker import DockerBackend
backend = DockerBackend()
sandbox = backend.start(Snapshot(key="x", backend="docker", ref={"image": sys.argv[1]}))
print(sandbox.id, sandbox.snapshot().ref["image"], flush=True)
sys.stdin.read()
"""


def absent(reason: str) -> None:
    pytest.fail(reason) if required("docker") else pytest.skip(reason)


def until(condition: Callable[[], bool]) -> bool:
    """Whether the condition came true; a minute is for a machine that is very busy."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def backend() -> Iterator[DockerBackend]:
    backend = DockerBackend()
    reason = backend.available()
    if reason is not None:
        absent(reason)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def api(backend: DockerBackend) -> Iterator[docker.APIClient]:
    client = docker.APIClient(**docker.utils.kwargs_from_env(), version="auto")
    yield client
    client.close()


@pytest.fixture(scope="module")
def tiny(api: docker.APIClient) -> Iterator[Snapshot]:
    """An image with a sh and nothing else that could be missed: no bash, no Python, no git; its user is not root."""
    busybox = shutil.which("busybox")
    if busybox is None or b"ld-linux" in Path(busybox).read_bytes()[:4096]:
        absent("no static busybox on this machine: install busybox-static")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.add(str(busybox), arcname="bin/busybox")
        for name in ("sh", "cat", "chmod", "env", "head", "ls", "mkdir", "sleep", "tar", "true"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        home = tarfile.TarInfo("home")
        home.type, home.mode, home.uid = tarfile.DIRTYPE, 0o755, 1000
        tar.addfile(home)
    name, _, tag = TINY.partition(":")
    api.import_image_from_data(data.getvalue(), repository=name, tag=tag, changes=["USER 1000", "ENV HOME=/home"])
    yield Snapshot(key="tiny", backend="docker", ref={"image": TINY})
    api.remove_image(TINY, force=True)


@pytest.fixture(scope="module")
def base(backend: DockerBackend, docker_image: str) -> Snapshot:
    return backend.base(EnvironmentSpec(python=">=3.8"))


def test_an_image_without_bash_python_and_git_works_as_its_user(
    backend: DockerBackend, tiny: Snapshot, tmp_path: Path
) -> None:
    found = backend.base(EnvironmentSpec(image=TINY))
    assert found.python == ""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "run").write_text("#!/bin/sh\necho ran\n")
    (tmp_path / "sub" / "run").chmod(0o755)
    with backend.start(found) as sandbox:
        sandbox.upload(tmp_path, "/home/work")
        assert sandbox.exec(["/home/work/sub/run"]).output == "ran\n"
        sandbox.write("/home/a/b", b"\0", mode=0o640)
        assert sandbox.read("/home/a/b") == b"\0"
        with pytest.raises(PermissionError, match="/bin/x"):
            sandbox.write("/bin/x", b"")
        shell = sandbox.shell()
        shell.run("x=kept; cd /home")
        assert shell.run("sleep 1000", timeout=0.3).timed_out
        assert shell.run("echo $x $PWD").output == "kept /home\n"
        with backend.start(sandbox.snapshot()) as fork:
            assert fork.read("/home/a/b") == b"\0"
            assert fork.exec(["sh", "-c", "echo $HOME"]).output == "/home\n"


def test_a_timeout_finds_daemons_that_hide(backend: DockerBackend, base: Snapshot) -> None:
    """Nothing of the command is left, nothing of another is touched."""
    with backend.start(base) as sandbox:
        sandbox.exec(["sh", "-c", "sleep 1001 &"])
        hide = (
            "(setsid sleep 1002 &); (env -i /usr/bin/setsid /bin/sleep 1003 &); (env -i sleep 1004 &); exec sleep 1005"
        )
        assert sandbox.exec(["sh", "-c", hide], timeout=0.5).timed_out
        listing = sandbox.exec(["sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done"]).output
        assert [line for line in listing.split("\n") if "sleep" in line and "sh -c" not in line] == ["sleep 1001 "]


def test_a_background_child_writes_on_when_the_call_is_over(backend: DockerBackend, base: Snapshot) -> None:
    script = "(sleep 0.2; head -c 10000000 /dev/zero; touch /written) & echo now"
    with backend.start(base) as sandbox:
        assert sandbox.exec(["sh", "-c", script]).output == "now\n"
        assert until(lambda: sandbox.exec(["test", "-e", "/written"]).exit_code == 0)


def test_snapshots_while_commands_start(backend: DockerBackend, base: Snapshot) -> None:
    """A daemon that pauses a container while a command starts in it never comes back."""
    with backend.start(base) as sandbox:
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                sandbox.exec(["true"])

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            keys = {sandbox.snapshot().key for _ in range(4)}
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert len(keys) == 4


def test_limits_are_those_of_docker_run(backend: DockerBackend, base: Snapshot, api: docker.APIClient) -> None:
    with backend.start(base, limits=SandboxLimits(memory_mb=100, cpus=0.5, pids=33)) as sandbox:
        config = api.inspect_container(sandbox.id)["HostConfig"]
    assert (config["Memory"], config["MemorySwap"], config["NanoCpus"], config["PidsLimit"]) == (
        100 * 2**20,
        100 * 2**20,
        500_000_000,
        33,
    )
    assert (config["NetworkMode"], config["CapDrop"], config["SecurityOpt"]) == ("none", ["ALL"], ["no-new-privileges"])
    assert config["Init"]
    assert not config["Privileged"]


def test_more_processors_than_there_are_is_all_of_them(backend: DockerBackend, base: Snapshot) -> None:
    with backend.start(base, limits=SandboxLimits(cpus=4096.0)) as sandbox:
        assert sandbox.exec(["true"]).exit_code == 0


def test_a_container_that_is_removed_is_closed(backend: DockerBackend, base: Snapshot, api: docker.APIClient) -> None:
    sandbox = backend.start(base)
    shell = sandbox.shell()
    shell.run("true")
    api.remove_container(sandbox.id, force=True)
    with pytest.raises(SandboxClosed):
        sandbox.exec(["true"], timeout=20)
    with pytest.raises(SandboxClosed):
        shell.run("true", timeout=20)
    sandbox.close()


def test_a_killed_owner_leaves_no_container_and_sweep_takes_its_images(
    backend: DockerBackend, base: Snapshot, api: docker.APIClient
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, base.ref["image"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    name, image = owner.stdout.readline().split()
    assert api.inspect_container(name)["State"]["Running"]
    tag = api.inspect_image(image)["RepoTags"][0]
    backend.sweep()
    assert api.inspect_image(image), "a living process keeps its own"
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    assert until(lambda: name not in str(api.containers(all=True)))
    assert f"temporary image {tag}" in backend.sweep()
    assert not any(tag in (found["RepoTags"] or ()) for found in api.images())


def test_sweep_removes_a_container_whose_process_is_dead(
    backend: DockerBackend, base: Snapshot, api: docker.APIClient
) -> None:
    living = backend.start(base)
    owner = api.inspect_container(living.id)["Config"]["Labels"]["pytest-swegym.owner"]
    dead = api.create_container(
        base.ref["image"],
        ["sleep", "1000"],
        labels={"pytest-swegym": "1", "pytest-swegym.owner": owner.rpartition("/")[0] + "/1"},
    )["Id"]
    name = api.inspect_container(dead)["Name"].lstrip("/")
    assert f"container {name}" in backend.sweep()
    assert living.exec(["true"]).exit_code == 0
    living.close()


def test_sweep_removes_a_temporary_image_that_lost_its_tag_and_claims_none_that_stays(
    backend: DockerBackend, base: Snapshot, api: docker.APIClient
) -> None:
    with backend.start(base) as sandbox:
        living = api.inspect_container(sandbox.id)["Config"]["Labels"]["pytest-swegym.owner"]
        labels = {"pytest-swegym.temporary": living.rpartition("/")[0] + "/1"}
        image = api.commit(sandbox.id, conf={"Labels": labels, "Entrypoint": []})["Id"]
    holder = api.create_container(image, ["sleep", "1000"])["Id"]
    api.start(holder)
    try:
        assert image not in str(backend.sweep())
    finally:
        api.remove_container(holder, force=True)
    assert f"temporary image {image}" in backend.sweep()
    assert image not in str(api.images())


def test_close_drops_what_was_temporary(base: Snapshot, api: docker.APIClient) -> None:
    backend = DockerBackend()
    sandbox = backend.start(base)
    moment = sandbox.snapshot()
    fork = backend.start(moment)
    fork.snapshot()
    backend.close()
    backend.close()
    assert not any(found["Id"] == moment.ref["image"] for found in api.images())
    listing = str(api.containers(all=True))
    assert sandbox.id not in listing
    assert fork.id not in listing


def test_an_image_under_our_name_that_we_did_not_save_is_not_found(
    backend: DockerBackend, base: Snapshot, api: docker.APIClient
) -> None:
    api.tag(base.ref["image"], "pytest-swegym/snapshot", "not-saved-by-us")
    try:
        assert backend.find("not-saved-by-us") is None
    finally:
        api.remove_image("pytest-swegym/snapshot:not-saved-by-us")


def test_an_image_that_cannot_be_had_is_named(backend: DockerBackend) -> None:
    with pytest.raises(EnvironmentBuildError, match="localhost:9/no-such-image:7"):
        backend.base(EnvironmentSpec(image="localhost:9/no-such-image:7"))


def test_an_image_with_another_python_is_named_with_it(backend: DockerBackend, base: Snapshot) -> None:
    with pytest.raises(EnvironmentBuildError, match=r"'3\.2'.*has 3\."):
        backend.base(EnvironmentSpec(image=base.ref["image"], python="3.2"))


def test_a_daemon_of_another_machine_gets_copies_of_mounts(
    base: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").write_text("1")
    with Relay("/var/run/docker.sock") as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        backend = DockerBackend()
        try:
            if backend.available() is not None:
                absent("the daemon's socket is not at its usual place")
            mounts = {"/srv/folder": tmp_path, "/srv/file": tmp_path / "one"}
            with backend.start(base, mounts=mounts) as sandbox:
                assert (sandbox.read("/srv/folder/one"), sandbox.read("/srv/file")) == (b"1", b"1")
                assert sandbox.exec(["cat"], stdin=b"over TCP").stdout == b"over TCP"
        finally:
            backend.close()


class Relay:
    """A TCP address that leads to a Unix socket, as that of a remote daemon does."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._serve)]
        self._sockets = [self._listener]

    def __enter__(self) -> str:
        self._threads[0].start()
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        for end in self._sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._relay, args=(near,)))
                self._threads[-1].start()

    def _relay(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(self._path)
            self._sockets += [near, far]
            back = threading.Thread(target=self._copy, args=(far, near))
            back.start()
            self._copy(near, far)
            back.join()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def test_no_daemon_is_a_reason_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert DockerBackend().available() == (
        f"nothing listens at unix://{tmp_path}/none.sock: start the Docker daemon (dockerd), or set DOCKER_HOST"
    )
    monkeypatch.setenv("SWEGYM_PODMAN_URL", f"unix://{tmp_path}/podman.sock")
    assert "podman system service" in str(DockerBackend(name="podman").available())


def test_a_daemon_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/mute.sock")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(f"{tmp_path}/mute.sock")
        mute.listen()
        assert "does not answer" in str(DockerBackend().available())


@pytest.mark.skipif(os.getuid() == 0, reason="root may open any socket")
def test_a_socket_of_others_is_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/closed.sock")
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(f"{tmp_path}/closed.sock")
        (tmp_path / "closed.sock").chmod(0)
        assert "no permission" in str(DockerBackend().available())
