"""Two real packages prepared on each backend, and what it takes to attack them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attacks import CASES
from attacks import LIB
from attacks import TEST
from attacks import Append
from attacks import Attack
from attacks import Call

from pytest_swegym.episode import Attempt
from pytest_swegym.grading import compute_reward
from pytest_swegym.grading import grade
from pytest_swegym.lab import Lab
from pytest_swegym.lab import Prepared
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.task.files import load_tasks


ROOT = Path(__file__).resolve().parents[2]
#: Per runner: the task, the file under attack, the line before the code of a ``Call``, and what is graded.
TARGETS = {
    "pytest": ("tinydb__4.8.1", LIB, "    def set(self, key: K, value: V):\n"),
    "unittest": ("cachetools__7.2.0", CASES, '        """Remove and return a random `(key, value)` pair."""\n'),
}


def narrowed(task: Task) -> Task:
    """The task with the tests of one file, and with limits that a bomb reaches soon."""
    hidden = task.hidden
    prefix = TEST if task.spec.runner == "pytest" else "tests.test_rr."
    kept = tuple(test for test in hidden.pass_to_pass if test.startswith(prefix))
    limits = replace(task.spec.limits, timeout=12.0, memory_mb=512, pids=256)
    command = "" if task.spec.runner == "pytest" else "python -m unittest tests.test_rr"
    spec = replace(task.spec, limits=limits, test_command=command or task.spec.test_command)
    return replace(task, spec=spec, hidden=replace(hidden, pass_to_pass=kept))


class Target:
    """One package on one backend. The patches are made in a git repository of the files that they touch."""

    def __init__(self, lab: Lab, runner: str, folder: Path) -> None:
        self.lab = lab
        self.name, self.library, self.place = TARGETS[runner]
        (task,) = load_tasks(ROOT / "task_specs" / f"{self.name}.swegym.toml")
        self.task = narrowed(task)
        self.prepared: Prepared = lab.prepare(self.task)
        self._folder = folder
        self._git("init", "-q")
        with self.workspace() as workspace:
            for path in (self.library, TEST, "tests/conftest.py", "pyproject.toml", "setup.cfg", "tox.ini"):
                try:
                    text = workspace.read(path)
                except FileNotFoundError:
                    continue
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text, encoding="utf-8")
        self._git("add", "-A", "-f")
        self._git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "base")

    def workspace(self):  # type: ignore[no-untyped-def]
        return self.lab.workspace(self.task.spec, self.prepared.snapshot)

    @property
    def gold(self) -> str:
        return self.prepared.task.hidden.patch

    def patch(self, attack: Attack) -> str:
        if attack.raw:
            return attack.raw
        for path, edit in attack.edits.items():
            file = self._folder / path
            if file.is_symlink() or (file.exists() and (edit is None or str(edit).startswith("->"))):
                file.unlink()
            if edit is None:
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(edit, str) and edit.startswith("->"):
                file.symlink_to(edit[2:])
            else:
                file.write_text(self._text(file, edit), encoding="utf-8")
        self._git("add", "-A", "-f")
        text = self._git("diff", "--cached", "--binary", "HEAD")
        self._git("reset", "-q", "--hard", "HEAD")
        return text

    def _text(self, file: Path, edit: str | Append | Call) -> str:
        if isinstance(edit, str):
            return edit
        base = file.read_text(encoding="utf-8")
        if isinstance(edit, Append):
            return f"{base}\n\n{edit.code}"
        indented = "".join(f"        {line}\n" for line in edit.code.splitlines())
        before, _, after = base.partition(self.place)
        assert after, f"{self.place!r} is not in {file}"
        return before + self.place + indented + after

    def attempt(self, patch: str) -> AttemptRecord:
        """The whole of one attempt, as a run makes it."""
        return Attempt(self.task, lambda task, workspace: patch, self.lab, reward=_reward).record()

    def log(self, patch: str) -> str:
        """What the graded process printed."""
        return self.grade(patch).log.decode()

    def grade(self, patch: str, **options: Any) -> Grade:
        with self.workspace() as workspace:
            return grade(self.prepared.task, patch, workspace, baseline=self.prepared.baseline, **options)

    def _git(self, *arguments: str) -> str:
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(("git", *arguments), cwd=self._folder, env=env, capture_output=True, check=True)
        return done.stdout.decode("utf-8", "surrogateescape")


def _reward(spec, grade):  # type: ignore[no-untyped-def]
    return compute_reward("resolved", grade)


@pytest.fixture(scope="session", params=["bubblewrap", "docker"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab on each backend; an absent backend is a skip, or a failure where ``SWEGYM_REQUIRE`` names it.

    ``SWEGYM_PREFORK=on`` attacks a Python that was started ahead of the patch.
    """
    if request.param == "docker":
        request.getfixturevalue("docker_image")
    backend = make_backend(request.param)
    reason = backend.available()
    if reason is not None:
        (pytest.fail if required(request.param) else pytest.skip)(f"{request.param}: {reason}")
    lab = Lab(backend, prefork=os.environ.get("SWEGYM_PREFORK") == "on")
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def targets(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return {runner: Target(lab, runner, tmp_path_factory.mktemp(runner)) for runner in TARGETS}
