"""The machine gives way under an attempt: that is told as such, and never counted against the answer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from pytest_swegym.episode import Attempt
from pytest_swegym.errors import SwegymError
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox.bubblewrap import BubblewrapBackend
from pytest_swegym.sandbox.docker import DockerBackend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import Verdict
from pytest_swegym.workspace import Workspace


MEGABYTES = 400


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk for the cache. Only root may mount one."""
    place = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "none", place], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(scope="module")
def small(disk: Path) -> Iterator[Lab]:
    """A lab whose cache is on that disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWEGYM_CACHE", str(disk / "cache"))
        backend = BubblewrapBackend()
        reason = backend.available()
        if reason is not None:
            (pytest.fail if required("bubblewrap") else pytest.skip)(reason)
        lab = Lab(backend)
        yield lab
        lab.close()


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A task that needs nothing but a shell."""
    folder = tmp_path_factory.mktemp("echo")
    (folder / "answer.sh").write_text("echo no\n")
    check = {"name": "says yes", "run": "sh answer.sh", "stdout": "yes"}
    given = {"instance_id": "echo", "repo": str(folder), "problem_statement": "say yes", "checks": [check]}
    return Task.from_dict({**given, "timeout": 60, "solve_timeout": 60})


def solved(lab: Lab, task: Task, solver: Callable[[TaskSpec, Workspace], None]) -> AttemptRecord:
    attempt = Attempt(task, solver, lab, reward=lambda spec, grade: compute_reward("resolved", grade))
    try:
        return attempt.record()
    finally:
        attempt.close()


def answer(workspace: Workspace) -> None:
    """By a command whose failure nobody looks at."""
    workspace.run("echo echo yes > answer.sh")


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb") as file:
        for size in (2**24, 2**18, 2**12):
            with suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), size)
    return filler


def test_a_sandbox_that_was_ended_from_outside_is_no_wrong_answer(small: Lab, echo: Task) -> None:
    def solve(task: TaskSpec, workspace: Workspace) -> None:
        os.kill(_outermost(), signal.SIGKILL)
        answer(workspace)

    record = solved(small, echo, solve)
    assert (record.verdict, record.reasons) == (Verdict.INFRA_ERROR, ("the sandbox was ended from outside",))


def test_a_sandbox_that_its_solver_ended_is_the_solvers(small: Lab, echo: Task) -> None:
    def solve(task: TaskSpec, workspace: Workspace) -> None:
        workspace.run("kill -9 -1")
        answer(workspace)

    assert solved(small, echo, solve).verdict is Verdict.SOLVER_ERROR


def test_a_layer_that_goes_is_no_wrong_answer(disk: Path, small: Lab, echo: Task) -> None:
    def solve(task: TaskSpec, workspace: Workspace) -> None:
        answer(workspace)
        for layer in small.backend.stored():
            shutil.rmtree(disk / "cache" / "bubblewrap" / "layers" / layer.key, ignore_errors=True)

    record = solved(small, echo, solve)
    assert record.verdict is Verdict.INFRA_ERROR
    again = Lab(BubblewrapBackend())
    try:
        assert solved(again, echo, lambda task, workspace: answer(workspace)).verdict is Verdict.RESOLVED
    finally:
        again.close()


def test_a_container_that_was_ended_from_outside_is_no_wrong_answer(docker_image: str, echo: Task) -> None:
    def solve(task: TaskSpec, workspace: Workspace) -> None:
        with closing(docker.APIClient()) as client:
            client.kill(workspace.sandbox.id)
        answer(workspace)

    def suicide(task: TaskSpec, workspace: Workspace) -> None:
        workspace.run("kill -9 -1")
        answer(workspace)

    lab = Lab(DockerBackend())
    try:
        record = solved(lab, echo, solve)
        assert (record.verdict, record.reasons) == (Verdict.INFRA_ERROR, ("the container was ended from outside",))
        assert solved(lab, echo, suicide).verdict is Verdict.SOLVER_ERROR
    finally:
        lab.close()


# The last ones: for some seconds a disk that was full excuses others.
def test_a_full_disk_is_no_wrong_answer(disk: Path, small: Lab, echo: Task) -> None:
    def solve(task: TaskSpec, workspace: Workspace) -> None:
        filler = fill(disk)
        with suppress(SwegymError):
            answer(workspace)
        filler.unlink()  # there is room again when the answer is looked at

    assert solved(small, echo, lambda task, workspace: answer(workspace)).verdict is Verdict.RESOLVED
    record = solved(small, echo, solve)
    assert (record.verdict, record.reward) == (Verdict.INFRA_ERROR, None)
    assert "was full" in record.reasons[0]


def test_whoever_fills_the_disk_answers_for_it(disk: Path, small: Lab, echo: Task) -> None:
    def solve(task: TaskSpec, workspace: Workspace) -> None:
        workspace.run("cat /dev/zero > flood; echo echo yes > answer.sh; rm flood")
        workspace.run(f"head -c {300 << 20} /dev/zero > /tmp/kept")

    record = solved(small, echo, solve)
    assert record.verdict in (Verdict.INVALID_PATCH, Verdict.UNRESOLVED), record.reasons


@pytest.mark.parametrize("flood", ["cat /dev/zero > flood; sleep 1; rm flood",
                                   "exec 3> flood; rm flood; cat /dev/zero >&3; sleep 1"])  # fmt: skip
def test_whoever_fills_the_disk_and_tidies_up_answers_for_it(small: Lab, echo: Task, flood: str) -> None:
    def solve(task: TaskSpec, workspace: Workspace) -> None:
        workspace.run(flood)

    record = solved(small, echo, solve)
    assert record.verdict in (Verdict.INVALID_PATCH, Verdict.UNRESOLVED), record.reasons


def _outermost() -> int:
    """The outermost process of the one jail that runs below this process."""
    tasks = Path("/proc/self/task").iterdir()
    children = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    (found,) = [pid for pid in children if b"bwrap" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]]
    return found
