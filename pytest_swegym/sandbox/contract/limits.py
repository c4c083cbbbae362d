"""Checks of the limits: memory, processes."""

from __future__ import annotations

import math

from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.contract.expect import Check
from pytest_swegym.sandbox.contract.expect import equal
from pytest_swegym.sandbox.contract.expect import eventually
from pytest_swegym.sandbox.contract.expect import true
from pytest_swegym.sandbox.contract.expect import within


#: Grows until it is stopped. tail must hold a line that never ends.
_HOG = "tail /dev/zero"
_SMALL = SandboxLimits(memory_mb=128, pids=64)


def memory_hog_is_oom(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot, limits=_SMALL) as sandbox:
        equal("oom of a modest command", sandbox.exec(["true"], timeout=60).oom, False)
        result = sandbox.exec(["sh", "-c", f"exec {_HOG}"], timeout=120)
        equal("exit code and oom of a hog", (result.exit_code, result.oom), (137, True))
        after = sandbox.exec(["echo", "on"], timeout=60)
        equal("the command after it", (after.stdout, after.oom), (b"on\n", False))


def child_killed_for_memory_is_oom(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot, limits=_SMALL) as sandbox:
        result = sandbox.exec(["sh", "-c", f"{_HOG}; echo went on; exit 0"], timeout=120)
        equal("the script that goes on: exit code, oom", (result.exit_code, result.oom), (0, True))
        true("it went on", result.stdout.endswith(b"went on\n"), result)
        shell = sandbox.shell()
        equal("oom in a kept shell", shell.run(f"{_HOG}; true", timeout=120).oom, True)
        equal("oom of the command after it", shell.run("true", timeout=60).oom, False)


def fork_bomb_is_held(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot, limits=_SMALL) as sandbox:
        with within("a fork bomb with a time-out of 3 s ends", 20):
            sandbox.exec(["sh", "-c", "b() { b | b & b; }; b"], timeout=3)
        eventually("commands work again", lambda: sandbox.exec(["echo", "on"], timeout=60).exit_code == 0, 20)
        eventually("none of its processes is left", lambda: _processes(sandbox) < 12, 20)


def _processes(sandbox: Sandbox) -> float:
    """How many there are inside; endless while those that are just ending leave no room for one that looks."""
    result = sandbox.exec(["sh", "-c", "echo /proc/[0-9]*"], timeout=60)
    return len(result.stdout.split()) if result.exit_code == 0 else math.inf


def many_processes_are_refused(backend: Backend, snapshot: Snapshot) -> None:
    script = "i=0; while [ $i -lt 200 ]; do sleep 86471 & i=$((i+1)); done 2>/dev/null; echo /proc/[0-9]* | wc -w"
    with backend.start(snapshot, limits=_SMALL) as sandbox:
        result = sandbox.exec(["sh", "-c", script], timeout=60)
        lines = result.stdout.split()
        most = int(lines[-1]) if lines else 0
        true("no more processes than the limit", most <= _SMALL.pids + 8, result)


CHECKS: tuple[Check, ...] = (
    memory_hog_is_oom,
    child_killed_for_memory_is_oom,
    fork_bomb_is_held,
    many_processes_are_refused,
)
