"""Small repositories made on the spot, and graded in real sandboxes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.grading import Baseline
from pytest_swegym.grading import grade
from pytest_swegym.grading.run import Run
from pytest_swegym.grading.run import place_tests
from pytest_swegym.grading.run import run_tests
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox.bubblewrap import BubblewrapBackend
from pytest_swegym.sandbox.toolchain import installed
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.task.files import load_tasks
from pytest_swegym.workspace import Workspace


Files = Mapping[str, str | None]
TASKS = Path(__file__).resolve().parents[3] / "task_specs"


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    backend = BubblewrapBackend()
    reason = backend.available()
    if reason is not None:
        if "bubblewrap" in os.environ.get("SWEGYM_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    lab = Lab(backend)
    yield lab
    lab.close()


class Bench:
    """A repository: ``base`` files, a ``fix``, and the ``tests`` that tell them apart.

    ``None`` deletes a file, ``->target`` makes a symbolic link.
    """

    def __init__(self, lab: Lab, root: Path, base: Files, *, fix: Files, tests: Files, **spec: Any) -> None:
        self._lab, self._root = lab, root
        self._git("init", "-q", "-b", "main")
        self._write(base)
        self._git("add", "-A", "-f")
        self._git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "base")
        row = {
            "instance_id": f"demo__{root.parent.name}-{root.name}",
            "repo": str(root),
            "python": "3.11",
            "test_command": "python -m pytest",
        }
        row |= {"patch": self.diff(fix), "test_patch": self.diff(tests)}
        self.task = Task.from_dict({**row, **spec})
        self.gold = self.task.hidden.patch

    def diff(self, edits: Files) -> str:
        """The patch that makes ``edits``; the repository itself stays at its base."""
        self._write(edits)
        self._git("add", "-A", "-f")
        text = self._git("diff", "--cached", "--binary", "HEAD")
        self._git("reset", "-q", "--hard", "HEAD")
        return text

    def workspace(self) -> Workspace:
        return self._lab.workspace(self.task.spec, self._lab.prepare(self.task).snapshot)

    def grade(self, patch: str | Files, **options: Any) -> Grade:
        text = patch if isinstance(patch, str) else self.diff(patch)
        with self.workspace() as workspace:
            return grade(self.task, text, workspace, baseline=self.baseline, **options)

    @property
    def baseline(self) -> Baseline:
        return self._lab.prepare(self.task).baseline

    def _write(self, files: Files) -> None:
        for name, text in files.items():
            path = self._root / name
            if text is None:
                path.unlink()
            elif text.startswith("->"):
                if path.is_dir():
                    path.rmdir()
                path.symlink_to(text[2:])
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode("utf-8", "surrogateescape"))

    def _git(self, *arguments: str) -> str:
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(("git", *arguments), cwd=self._root, env=env, capture_output=True, check=True)
        return done.stdout.decode("utf-8", "surrogateescape")


@pytest.fixture
def make_bench(lab: Lab, tmp_path: Path) -> Any:
    def make(base: Files, *, fix: Files, tests: Files, **spec: Any) -> Bench:
        root = tmp_path / f"repo{len(list(tmp_path.iterdir()))}"
        root.mkdir()
        return Bench(lab, root, base, fix=fix, tests=tests, **spec)

    return make


@pytest.fixture(scope="session")
def needs_python() -> Callable[[str], None]:
    there = {".".join(found.version.split(".")[:2]) for found in installed()}

    def check(version: str) -> None:
        if version not in there:
            pytest.skip(f"no Python {version} on this machine")

    return check


class Shipped:
    """A shipped task, prepared in a sandbox. An edit of its tree is a path, and the text that is put at its end."""

    def __init__(self, lab: Lab, name: str, **spec: Any) -> None:
        self._lab = lab
        (task,) = load_tasks(TASKS / f"{name}.swegym.toml")
        self._prepared = lab.prepare(replace(task, spec=replace(task.spec, **spec)))
        self.task: Task = self._prepared.task
        self.gold = self.task.hidden.patch

    def workspace(self) -> Workspace:
        return self._lab.workspace(self.task.spec, self._prepared.snapshot)

    def patch(self, appended: Mapping[str, str]) -> str:
        with self.workspace() as workspace:
            for path, text in appended.items():
                try:
                    old = workspace.read(path)
                except FileNotFoundError:
                    old = ""
                workspace.write(path, old + text)
            return workspace.diff()

    def grade(self, patch: str | Mapping[str, str], **options: Any) -> Grade:
        text = patch if isinstance(patch, str) else self.patch(patch)
        with self.workspace() as workspace:
            return grade(self.task, text, workspace, baseline=self._prepared.baseline, **options)

    def run(self) -> Run:
        with self.workspace() as workspace:
            place_tests(self.task, workspace)
            return run_tests(self.task, workspace)

    def plain(self, command: str) -> tuple[str, int]:
        """The output and exit code of a command, the hidden tests in place."""
        with self.workspace() as workspace:
            place_tests(self.task, workspace)
            result = workspace.run(f"exec 2>&1; {command}")
            return result.stdout.decode("utf-8", "replace"), result.exit_code


@pytest.fixture(scope="session")
def shipped(lab: Lab) -> Callable[..., Shipped]:
    return lambda name, **spec: Shipped(lab, name, **spec)
