"""pytest-swegym itself: its workspaces and its grade, on the backend that the setting names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common import Driver
from common import serve

from pytest_swegym.grading import grade
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task.files import load_tasks


class Ours(Driver):
    package = "pytest-swegym"

    def __init__(self, setting: dict[str, Any]) -> None:
        super().__init__(setting)
        backend = make_backend(setting["kind"])
        backend.sweep()  # as every run does
        self._lab = Lab(backend, prefork=setting["prefork"])
        (task,) = load_tasks(Path(setting["task"]))
        self._prepared = self._lab.prepare(task)

    def make(self) -> Any:
        workspace = self._lab.workspace(self._prepared.task.spec, self._prepared.snapshot)
        return [workspace, workspace.shell()]

    def run(self, environment: Any, command: str) -> str:
        return environment[1].run(command).output

    def end(self, environment: Any) -> None:
        environment[0].close()

    def fresh(self, environment: Any) -> Any:
        workspace = environment[0]
        workspace.reset()
        return [workspace, workspace.shell()]

    def verdict(self) -> bool:
        task = self._prepared.task
        with self._lab.computing(task.spec, self._prepared.snapshot, tests=task) as workspace:
            found = grade(
                task, task.hidden.patch, workspace, baseline=self._prepared.baseline, shards=self.setting["shards"]
            )
        return found.verdict.value == "resolved"

    def close(self) -> None:
        super().close()
        self._lab.close()


class Preforked(Ours):
    """A grade whose Python waits already; everything else is as without it."""

    def __init__(self, setting: dict[str, Any]) -> None:
        super().__init__(setting)
        for _ in range(2):  # from the third on one waits
            self.grade()

    def grade(self) -> dict[str, Any]:
        answer = super().grade()
        if self._lab.spares is not None:
            self._lab.spares.settle()  # the next one is made ready on nobody else's time
        return answer

    def start(self, **given: Any) -> dict[str, Any]:
        raise NotImplementedError

    step = reset = hold = start


serve(lambda setting: (Preforked if setting["prefork"] else Ours)(setting))
