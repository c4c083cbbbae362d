"""A real cluster of Ray on this machine: every node has a cache of its own, so what it lacks must be shipped to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.registry import required


CALC = "def add(a, b):\n    return a - b\n\n\ndef twice(a):\n    return a * 2\n"
TESTS = (
    "import unittest\nimport calc\n\n\nclass TestCalc(unittest.TestCase):\n"
    "    def test_twice(self):\n        self.assertEqual(calc.twice(3), 6)\n"
)
HIDDEN_TESTS = TESTS + "\n    def test_add(self):\n        self.assertEqual(calc.add(1, 2), 3)\n"
FIELDS: dict[str, Any] = {
    "repo": "./calc_repo",
    "runner": "unittest",
    "problem_statement": "add(1, 2) is -1",
    "test_files": {"tests/test_calc.py": HIDDEN_TESTS},
    "fail_to_pass": ["tests.test_calc.TestCalc.test_add"],
    "pass_to_pass": ["tests.test_calc.TestCalc.test_twice"],
    "timeout": 60,
    "solve_timeout": 300,
}
#: ``wait`` writes a line for each attempt that it begins, and goes on when the file ``go`` or ``go-ID`` is there.
SOLVERS = """
import os, pathlib, time

MARKS = pathlib.Path({marks!r})

def fix(task, workspace):
    print("fixing", task.instance_id)
    workspace.write("calc.py", workspace.read("calc.py").replace("a - b", "a + b"))

def wait(task, workspace):
    with (MARKS / "begun").open("a") as file:
        file.write(f"{{task.instance_id}} {{os.getpid()}} {{os.environ['SWEGYM_CACHE']}}\\n")
    workspace.run("sleep 1000 &")
    while not any((MARKS / name).exists() for name in ("go", f"go-{{task.instance_id}}")):
        time.sleep(0.05)
    fix(task, workspace)
"""


@dataclass(slots=True, kw_only=True)
class Nodes:
    """The cluster, and its nodes by their names; each keeps its cache in a folder of that name."""

    cluster: Any
    folder: Path
    named: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str) -> None:
        cache = self.folder / name
        given: Any = {} if self.named else {"include_dashboard": False}
        self.named[name] = self.cluster.add_node(
            num_cpus=1, object_store_memory=80 * 2**20, env_vars={"SWEGYM_CACHE": str(cache)}, **given
        )

    def kill(self, name: str) -> None:
        """At once, its workers with it."""
        self.cluster.remove_node(self.named.pop(name), allow_graceful=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with tasks and solvers, and how pytest is run in it with the cluster as executor."""

    path: Path
    marks: Path
    nodes: Nodes

    def start(self, *words: str, address: str | None = None) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--swegym-executor=ray",
                f"--swegym-ray-address={address or self.nodes.cluster.address}", "--swegym-tasks=rows.jsonl",
                "--swegym-output=out", *words]  # fmt: skip
        env = {**os.environ, "SWEGYM_CACHE": str(self.nodes.folder / "driver"), "SWEGYM_SANDBOX": "bubblewrap"}
        for name in ("PYTEST_ADDOPTS", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
            env.pop(name, None)
        return subprocess.Popen(
            argv, cwd=self.path, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        text = process.communicate(timeout=240)[0]
        return process.returncode, text

    def rows(self, *ids: str, **fields: Any) -> None:
        lines = [json.dumps({**FIELDS, **fields, "instance_id": each}) + "\n" for each in ids]
        (self.path / "rows.jsonl").write_text("".join(lines))

    def records(self) -> dict[str, dict[str, Any]]:
        found = sorted((self.path / "out" / "attempts").glob("*/record.json"))
        return {path.parent.name: json.loads(path.read_text()) for path in found}

    def begun(self) -> list[list[str]]:
        path = self.marks / "begun"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def _lacks(what: str, reason: str) -> None:
    (pytest.fail if required(what) else pytest.skip)(f"{what}: {reason}")


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Two nodes with a core each; the first one is the head."""
    reason = make_backend("bubblewrap").available()
    if reason is not None:
        _lacks("bubblewrap", reason)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray's own: deprecations, and sockets that it leaves to the collector
            from ray.cluster_utils import Cluster
    except ImportError as error:
        _lacks("ray", f"not installed ({error})")
    folder = tmp_path_factory.mktemp("nodes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Nodes(cluster=Cluster(), folder=folder)
        try:
            for name in ("one", "two"):
                made.add(name)
            yield made
        finally:
            made.cluster.shutdown()


@pytest.fixture
def project(nodes: Nodes, tmp_path: Path) -> Project:
    (tmp_path / "marks").mkdir()
    path = tmp_path / "project"
    (path / "calc_repo" / "tests").mkdir(parents=True)
    (path / "calc_repo" / "calc.py").write_text(CALC)
    (path / "calc_repo" / "tests" / "__init__.py").touch()
    (path / "calc_repo" / "tests" / "test_calc.py").write_text(TESTS)
    (path / "solvers.py").write_text(SOLVERS.format(marks=str(tmp_path / "marks")))
    (path / "pytest.ini").write_text("[pytest]\nnorecursedirs = calc_repo\n")
    return Project(path=path, marks=tmp_path / "marks", nodes=nodes)


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Wait until a call answers with something; fails after minutes."""
    import time

    def wait(call: Callable[[], Any]) -> Any:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if found := call():
                return found
            time.sleep(0.05)
        pytest.fail("it did not come to that")

    return wait
