"""What is planned: which attempt at which task each item stands for."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_swegym.plugin.options import SETTINGS


if TYPE_CHECKING:
    from pytest_swegym.task import Task
    from pytest_swegym.task.files import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One attempt that an item will make."""

    task: Task
    number: int = 0

    @property
    def key(self) -> str:
        """As :attr:`AttemptRecord.key`."""
        return f"{self.task.id}.{self.number}" if self.number else self.task.id


PLANNED = pytest.StashKey[Planned]()


def planned(item: pytest.Item) -> Planned | None:
    return item.stash.get(PLANNED, None)


def attempts_at(task: Task, config: pytest.Config) -> list[Planned]:
    """One plan per ``--swegym-attempts``, with the time limits of the command line."""
    settings = config.stash[SETTINGS]
    limits = replace(
        task.spec.limits,
        timeout=settings.timeout or task.spec.limits.timeout,
        solve_timeout=settings.solve_timeout or task.spec.limits.solve_timeout,
    )
    tuned = replace(task, spec=replace(task.spec, limits=limits))
    return [Planned(task=tuned, number=number) for number in range(settings.attempts)]


class Rows:
    """The sources of ``--swegym-tasks``: files of ours, and names that hooks answer to."""

    def __init__(self, config: pytest.Config) -> None:
        from pytest_swegym.task.files import SUFFIXES

        self._config = config
        self.files: list[Path] = []
        self.names: list[str] = []
        #: A test function runs these tasks already.
        self.taken = False
        self._entries: dict[Path, list[Entry]] = {}
        self._named: dict[str, list[Task]] = {}
        for source in dict.fromkeys(config.stash[SETTINGS].tasks):
            path = config.invocation_params.dir / Path(source).expanduser()
            if path.is_file():
                self.files.append(path.resolve())
            elif path.suffix in SUFFIXES:
                raise pytest.UsageError(f"--swegym-tasks={source}: no such file: {path}")
            else:
                self.names.append(source)

    def entries(self, path: Path) -> list[Entry]:
        """Raises :class:`SpecError`."""
        from pytest_swegym.task.files import load_entries

        if path not in self._entries:
            self._entries[path] = load_entries(path)
        return self._entries[path]

    def named(self, source: str) -> list[Task]:
        """What the hooks return for a source. Raises :class:`pytest.UsageError` if no hook knows it."""
        if source not in self._named:
            results = self._config.hook.pytest_swegym_collect_tasks(config=self._config, source=source)
            found = [task for tasks in results for task in tasks]
            if not found:
                raise pytest.UsageError(
                    f"--swegym-tasks={source}: not a file, and no pytest_swegym_collect_tasks hook knows it;"
                    " give a .jsonl, .json or .toml file"
                )
            self._named[source] = found
        return self._named[source]

    def tasks(self) -> list[Task]:
        """All of them. Raises as :meth:`entries` and :meth:`named`."""
        files = [entry.task for path in self.files for entry in self.entries(path)]
        return files + [task for source in self.names for task in self.named(source)]


ROWS = pytest.StashKey[Rows]()


def rows_of(config: pytest.Config) -> Rows:
    if ROWS not in config.stash:
        config.stash[ROWS] = Rows(config)
    return config.stash[ROWS]
