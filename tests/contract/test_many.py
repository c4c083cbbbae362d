"""Many embedded sandboxes at once: all answer, none costs much of what is scarce, and a limit that is hit is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.bubblewrap import BubblewrapBackend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import EnvironmentSpec


MANY = 60
# Starts sandboxes until one is refused, in a process of its own.
FILL = """
import resource, sys
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import EnvironmentSpec

backend = make_backend("bubblewrap", cgroups=False)
snapshot = backend.base(EnvironmentSpec(python=">=3.8"))
{before}
held = []
try:
    for _ in range({count}):
        held.append(backend.start(snapshot))
        print(held[-1].exec(["sh", "-c", "ulimit -Sn"]).stdout.decode().strip())
except SandboxError as error:
    print(error)
    held.pop(0).close()
    again = backend.start(snapshot) if {again} else held[0]
    print("room again:", again.exec(["echo", "yes"]).stdout.decode().strip())
backend.close()
"""


@pytest.fixture
def backend() -> Iterator[BubblewrapBackend]:
    backend = make_backend("bubblewrap")
    assert isinstance(backend, BubblewrapBackend)
    reason = backend.available()
    if reason is not None:
        pytest.fail(reason) if required("bubblewrap") else pytest.skip(reason)
    yield backend
    backend.close()


def fill(before: str, *, count: int = 20, again: bool = True, wrapped: tuple[str, ...] = ()) -> list[str]:
    code = FILL.format(before=before, count=count, again=again)
    result = subprocess.run([*wrapped, sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def processes_below(pid: int) -> set[int]:
    """A process's children and theirs, whoever of its threads started them."""
    found: set[int] = set()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            found |= {child} | processes_below(child)
    return found


def test_many_live_at_once_and_all_are_gone(backend: BubblewrapBackend) -> None:
    snapshot = backend.base(EnvironmentSpec(python=">=3.8"))
    backend.start(snapshot).close()
    before, descriptors = processes_below(os.getpid()), len(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(4) as pool:
        sandboxes = list(pool.map(lambda _: backend.start(snapshot), range(MANY)))
        shells = [sandbox.shell() for sandbox in sandboxes]
        for number, shell in enumerate(shells):
            assert shell.run(f"mine={number}").exit_code == 0
    assert [shell.run("echo $mine").stdout for shell in shells] == [b"%d\n" % number for number in range(MANY)]
    assert len(os.listdir("/proc/self/fd")) - descriptors <= 4 * MANY + 4
    here = processes_below(os.getpid()) - before
    assert len(here) >= 3 * MANY
    folders = [sandbox.folder for sandbox in sandboxes]
    backend.close()
    assert not [pid for pid in here if os.path.exists(f"/proc/{pid}")]
    assert not [folder for folder in folders if folder.exists()]
    assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_a_closed_sandbox_has_no_process(backend: BubblewrapBackend) -> None:
    before = processes_below(os.getpid())
    with backend.start(backend.base(EnvironmentSpec(python=">=3.8"))) as sandbox:
        sandbox.exec(["sh", "-c", "sleep 1000 & (setsid sleep 1000 &)"])
        here = processes_below(os.getpid()) - before
    assert here
    assert not [pid for pid in here if os.path.exists(f"/proc/{pid}")]


def test_the_soft_limit_of_descriptors_is_raised_and_not_seen_inside() -> None:
    said = fill("resource.setrlimit(resource.RLIMIT_NOFILE, (40, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))")
    assert said == ["40"] * 20


def test_out_of_descriptors_is_named_and_passes() -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("root may raise every limit, and there is no setpriv to forbid it")
    wrapped = (setpriv, "--bounding-set", "-sys_resource") if os.geteuid() == 0 and setpriv else ()
    said = fill("resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))", count=40, wrapped=wrapped)
    assert "of at most 24 descriptors of this process" in said[-2]
    assert said[-1] == "room again: yes"


def test_out_of_namespaces_is_named() -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "--user", "--map-root-user", "true"]).returncode != 0:
        pytest.skip("no user namespace whose own limit could be lowered")
    before = "open('/proc/sys/user/max_net_namespaces', 'w').write('3')"
    said = fill(before, wrapped=(unshare, "--user", "--map-root-user"), again=False)
    assert "user.max_net_namespaces is 3" in said[-2]
    assert said[-1] == "room again: yes"


def test_one_fresh_episode_after_the_other_shares_nothing(backend: BubblewrapBackend) -> None:
    snapshot = backend.base(EnvironmentSpec(python=">=3.8"))
    before, seen = processes_below(os.getpid()), set()
    for number in range(8):
        with backend.start(snapshot) as sandbox:
            assert sandbox.exec(["sh", "-c", "ls /tmp; echo mine > /tmp/mine"]).output == "", number
            seen.add(sandbox.id)
    assert len(seen) == 8
    backend.close()
    assert processes_below(os.getpid()) <= before
