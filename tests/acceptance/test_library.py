"""Rollouts as a plain call, with real sandboxes; and that what several processes want is prepared once."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym import runs
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.lab import Lab
from pytest_swegym.runs import Conditions
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.limits import control_groups
from pytest_swegym.task import Task
from pytest_swegym.workspace import Workspace


PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PRINTED = [
    "1 resolved 1.0\n" * 4,
    "",
    "60 60\n",
    "True True\nTrue None\n",
    "[1.0, 1.0]\n",
    "[('1', False), ('2', False)]\n[('1', True), ('2', True)]\n",
]


@pytest.fixture(scope="module")
def conditions() -> Conditions:
    reason = make_backend("bubblewrap").available()
    if reason is not None:
        pytest.skip(f"bubblewrap: {reason}")
    return Conditions(sandbox="bubblewrap")


def gold(task: Any, workspace: Workspace) -> None:
    workspace.run("sed -i 's/a - b/a + b/' calc.py")


def alive(mark: str) -> list[str]:
    """The processes of this machine that have the word in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdigit() else []
            if mark.encode() in words:
                found.append(folder.name)
    return found


def gone(mark: str) -> bool:
    for _ in range(500):
        if not alive(mark):
            return True
        threading.Event().wait(0.02)
    return False


def test_64_attempts_wait_for_a_model_at_once_and_all_are_graded(
    make_task: Callable[..., Task], conditions: Conditions, tmp_path: Path
) -> None:
    together = threading.Barrier(64, timeout=300)

    def solve(task: Any, workspace: Workspace) -> None:
        together.wait()
        gold(task, workspace)

    task = make_task(solve_timeout=400)
    with runs.run(task, solve, attempts=64, jobs=64, output=tmp_path, conditions=conditions) as rollouts:
        found = {done.record.key: done.record for done in rollouts}
    assert len(found) == 64
    assert {(record.verdict.value, record.reward) for record in found.values()} == {("resolved", 1.0)}
    assert {record.seed for record in found.values()} == set(range(64))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["attempts"], summary["resolved"]) == (64, 64)
    assert (tmp_path / "attempts" / "calc-1.63" / "patch.diff").read_text().count("a + b") == 1


def stuck(mark: str, begun: threading.Semaphore, ended: list[BaseException]) -> Callable[..., None]:
    """A solver that hangs in its sandbox, or, at odd attempts, in its own code beside a sandbox that works on."""

    def solve(task: Any, workspace: Workspace) -> None:
        hangs_inside = workspace.occasion.number % 2 == 0
        if not hangs_inside:
            workspace.run(f"sleep {mark} >/dev/null 2>&1 &")
        begun.release()
        try:
            if hangs_inside:
                workspace.run(f"sleep {mark}")
            threading.Event().wait(60)
            workspace.run("true")
        except BaseException as error:
            ended.append(error)
            raise

    return solve


def test_cancelled_attempts_end_at_once_with_their_sandboxes(lab: Lab, task: Task) -> None:
    begun, ended = threading.Semaphore(0), list[BaseException]()
    mark = f"300.{os.getpid()}"
    given = Conditions(sandbox=lab.backend.name)
    with runs.run(task, stuck(mark, begun, ended), attempts=3, jobs=3, conditions=given) as rollouts:
        for _ in range(3):
            assert begun.acquire(timeout=120)
        assert alive(mark)
        assert rollouts.cancel("calc-1")
        assert rollouts.cancel("calc-1.1")
        assert rollouts.submit(task, solver=gold) == "calc-1"  # its key is free again
        done = rollouts.next(timeout=120)
        assert done is not None
        assert (done.record.key, done.record.resolved) == ("calc-1", True)
        assert not rollouts.cancel("calc-1.1")
        assert alive(mark)  # the third goes on, until the run is left
    assert gone(mark)
    assert {type(error) for error in ended} == {SandboxClosed}


def test_task_that_is_cancelled_leaves_nothing(task: Task, conditions: Conditions) -> None:
    begun, ended = threading.Semaphore(0), list[BaseException]()
    mark = f"301.{os.getpid()}"

    async def main() -> None:
        async with runs.run(task, stuck(mark, begun, ended), attempts=2, jobs=2, conditions=conditions) as rollouts:
            async for done in rollouts:
                raise AssertionError(f"{done.record.key} has ended")

    async def cancelled() -> None:
        running = asyncio.create_task(main())
        for _ in range(2):
            assert await asyncio.to_thread(begun.acquire, timeout=120)
        assert alive(mark)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    assert gone(mark)


def test_what_the_policy_server_failed_has_no_reward_and_is_made_again(
    task: Task, conditions: Conditions, tmp_path: Path
) -> None:
    calls: list[str] = []

    def solve(task: Any, workspace: Workspace) -> None:
        calls.append(task.instance_id)
        if len(calls) == 1:
            raise InfraError("the policy server is gone")
        raise RuntimeError("its own mistake")

    seen = []
    for again in (False, True, True):
        given = replace(conditions, resume=again)
        with runs.run(task, solve, output=tmp_path, conditions=given) as rollouts:
            (done,) = rollouts
        seen.append((done.record.verdict.value, done.record.reward, done.kept))
    assert seen == [("infra_error", None, False), ("solver_error", 0.0, False), ("solver_error", 0.0, True)]
    assert len(calls) == 2


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
@pytest.mark.usefixtures("conditions")
def test_a_snippet_of_the_page_runs(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(SNIPPETS[number], f"library.md:{number}", "exec"), {})
    printed = re.sub(r"^\S*__1(\.\d)? ", "1 ", capsys.readouterr().out, flags=re.MULTILINE)
    assert printed == PRINTED[number]


def test_the_next_task_is_prepared_while_an_attempt_runs(
    make_task: Callable[..., Task], conditions: Conditions, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (make_task(instance_id=f"calc-{name}-{os.getpid()}") for name in ("first", "second"))
    said = f"measuring the baseline of {second.id}"

    def solve(task: Any, workspace: Workspace) -> None:
        for _ in range(3000):
            if said in caplog.text or task.instance_id == second.id:
                return gold(task, workspace)
            threading.Event().wait(0.02)
        raise AssertionError("the second task was not prepared")

    with caplog.at_level(logging.INFO), runs.run([first, second], solve, conditions=conditions) as rollouts:
        assert [(done.record.instance_id, done.record.resolved) for done in rollouts] == [
            (first.id, True),
            (second.id, True),
        ]
    assert caplog.text.count(said) == 1


TWICE = """
import logging, sys
from pytest_swegym import runs
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
rows = runs.row_options(filters=["*__[12]"])
with runs.run("curriculum", "empty", jobs=2, rows=rows, conditions=runs.Conditions(sandbox="bubblewrap")) as rollouts:
    print(*(done.record.verdict.value for done in rollouts))
"""


@pytest.mark.usefixtures("conditions")
def test_what_two_processes_want_is_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, "-c", TWICE]
    both = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [text.splitlines()[-1] for text in said] == ["unresolved unresolved"] * 2
    # One environment and one repository for both tasks, and a baseline for each.
    for what, times in (("building the environment", 1), ("preparing curriculum", 1), ("measuring the baseline", 2)):
        assert "".join(said).count(what) == times, "".join(said)


SQUEEZED = """
import sys, threading
from pytest_swegym.admission import Admission
from pytest_swegym.runs import Call, Threads
for group in sys.argv[1:]:
    open(group, "w").write("0")
at_work, most, lock = 0, [0], threading.Lock()
def attempt():
    global at_work
    with lock:
        at_work += 1
        most.append(at_work)
    ballast = bytearray(40 * 2**20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    threading.Event().wait(0.05)
    with lock:
        at_work -= 1
threads = Threads(workers=32, admission=Admission(pause=0.01))
for number in range(12):
    threads.submit(Call(key=str(number), run=attempt))
threads.start()
print(threads.join(60), max(most), len(most) - 1)
"""


def test_in_a_control_group_that_is_too_small_for_all_none_is_killed() -> None:
    enforcer = control_groups()
    if enforcer is None:
        pytest.skip("no control group can be made here")
    group = enforcer.create(f"swegym-squeezed-{os.getpid()}", SandboxLimits(memory_mb=400))
    try:
        files = [str(path) for folder in group.folders for path in [folder / "cgroup.procs"]]
        result = subprocess.run([sys.executable, "-c", SQUEEZED, *files], capture_output=True, text=True, timeout=120)
        # 12 of 40 MiB are more than 400 MiB with the interpreter's own; each is reckoned with 256 MiB at first.
        assert result.stdout == "True 1 12\n", result.stderr
        assert group.oom_kills() == 0
    finally:
        group.remove()
