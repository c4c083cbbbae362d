"""Attempts on a cluster: as here, wherever they are made, and whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


Until = Callable[[Callable[[], Any]], Any]


def layers(folder: Path) -> set[str]:
    return {path.name for path in (folder / "bubblewrap" / "layers").glob("[0-9a-f]*")}


def alive(pid: int) -> bool:
    """Whether a process runs, and is no corpse."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def sandboxes(cache: str) -> list[int]:
    """The processes whose sandboxes lie in that cache."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"bwrap" in words[0] and any(f"{cache}/".encode() in word for word in words):
            found.append(int(path.parent.name))
    return found


def test_attempts_come_back_from_the_nodes_as_if_made_here(project: Any) -> None:
    project.rows("calc-1", "calc-2", "calc-3", "calc-4")
    (project.path / "conftest.py").write_text(
        "def helper(workspace):\n"
        "    workspace.write('calc.py', workspace.read('calc.py').replace('a - b', 'a + b'))\n\n\n"
        "def pytest_swegym_solve(task, workspace):\n"
        "    print('hello from', task.instance_id)\n"
        "    if task.instance_id == 'calc-4':\n        return 42\n"
        "    return helper(workspace) or ''\n\n\n"
        "def pytest_swegym_compute_reward(task, grade):\n    return 7.5\n\n\n"
        "def pytest_swegym_update_record(record):\n    return {'mine': record.instance_id}\n"
    )
    (project.path / "test_here.py").write_text(
        "def test_live(pytestconfig):\n    assert pytestconfig.getoption('swegym_executor') == 'ray'\n"
    )
    code, text = project.run("test_here.py", "-rA")
    records = project.records()
    assert code == 1, text
    assert {key: (each["verdict"], each["reward"]) for key, each in records.items()} == {
        "calc-1": ("resolved", 7.5), "calc-2": ("resolved", 7.5), "calc-3": ("resolved", 7.5),
        "calc-4": ("solver_error", 0.0),
    }  # fmt: skip
    assert {each["extra"]["mine"] for each in records.values()} == set(records)
    assert {each["solver"] for each in records.values()} == {"conftest"}
    assert "hello from calc-4" in text
    assert "expected a patch" in text or "returned" in text
    events = [json.loads(line) for line in (project.path / "out" / "events.jsonl").read_text().splitlines()]
    assert {each["attempt"] for each in events if each["event"] == "attempt_started"} == set(records)
    assert {each["stage"] for each in events if each["event"] == "stage"} == {"checkout", "sandbox", "solve", "grade"}
    # Made on one node, shipped to the other; what every machine makes of its own is the lowest layer alone.
    one, two = (layers(project.nodes.folder / name) for name in ("one", "two"))
    assert one == two
    assert len(one) >= 3
    assert not layers(project.nodes.folder / "driver")


def test_dead_worker_dead_node_and_dead_driver_lose_nothing(project: Any, until: Until) -> None:
    """What a killed worker and a killed node were making is made again; what has ended is not."""
    nodes = project.nodes
    project.rows(*(f"calc-{number}" for number in range(4)))
    # More attempts than cores: whoever is left can take over.
    words = ("--swegym-solver=solvers.py:wait", "--swegym-resume", "--swegym-jobs=8")
    process = project.start(*words)
    try:
        begun = until(lambda: len(project.begun()) == 4 and project.begun())
        on = {Path(cache).name: int(pid) for _, pid, cache in begun}
        assert set(on) == {"one", "two"}
        os.kill(on["one"], signal.SIGKILL)
        until(lambda: len(project.begun()) == 6)
        nodes.kill("two")
        until(lambda: len(project.begun()) >= 8)
        assert not sandboxes(str(nodes.folder / "two"))
        (project.marks / "go-calc-2").touch()
        first = until(project.records)
        process.kill()
        until(lambda: not sandboxes(str(nodes.folder / "one")))
    finally:
        process.kill()
        process.communicate()
    (project.marks / "go").touch()
    code, text = project.run(*words)
    records = project.records()
    assert code == 0, text
    assert {key: each["verdict"] for key, each in records.items()} == {f"calc-{n}": "resolved" for n in range(4)}
    assert list(first) == ["calc-2"]
    assert records["calc-2"] == first["calc-2"]
    one = nodes.folder / "one"
    assert not [*(one / "bubblewrap" / "run").glob("*"), *(one / "attempts").glob("*")]


def test_interrupt_ends_what_runs_there(project: Any, until: Until) -> None:
    project.rows("calc-1")
    process = project.start("--swegym-solver=solvers.py:wait")
    until(lambda: project.begun())
    _, pid, cache = project.begun()[0]
    until(lambda: sandboxes(cache))
    process.send_signal(signal.SIGINT)
    text = process.communicate(timeout=120)[0]
    assert process.returncode == 2, text
    assert not alive(int(pid))
    assert not sandboxes(cache)
    assert not project.records()
