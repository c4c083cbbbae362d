"""What is planned: which attempt at which task each item stands for."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SpecError
from pytest_swegym.plugin.options import SETTINGS


if TYPE_CHECKING:
    from pytest_swegym.rows import RowOptions
    from pytest_swegym.settings import Settings
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


def needs_solver(item: pytest.Item) -> bool:
    """Whether the item's attempt comes to a patch, and so to a record; a test may want its workspace alone."""
    return "swegym_patch" in getattr(item, "fixturenames", ())


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
    """The sources of ``--swegym-tasks``: files, folders, data sets, and names that hooks answer to."""

    def __init__(self, config: pytest.Config) -> None:
        from pytest_swegym.rows.files import SUFFIXES as ROW_SUFFIXES
        from pytest_swegym.task.files import SUFFIXES

        self._config = config
        self._options = _row_options(config.stash[SETTINGS])
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
            elif path.suffix in {*SUFFIXES, *ROW_SUFFIXES} and not path.is_dir():
                raise pytest.UsageError(f"--swegym-tasks={source}: no such file: {path}")
            else:
                self.names.append(source)

    def entries(self, path: Path) -> list[Entry]:
        """The tasks of a file; all of them if only its path was given. Raises :class:`ConfigError`."""
        from pytest_swegym.rows import load
        from pytest_swegym.rows.select import Selection

        if path not in self._entries:
            given = path in self.files
            options = self._options if given else replace(self._options, selection=Selection())
            self._entries[path] = load(str(path), options)
        return self._entries[path]

    def named(self, source: str) -> list[Task]:
        """What the hooks return for a source, else the rows of the folder or data set.

        Raises :class:`pytest.UsageError` if nobody knows it, :class:`ConfigError` or :class:`SourceError`.
        """
        from pytest_swegym import rows

        if source not in self._named:
            results = self._config.hook.pytest_swegym_collect_tasks(config=self._config, source=source)
            found = [task for tasks in results for task in tasks]
            folder = self._config.invocation_params.dir / Path(source).expanduser()
            if found:
                found = rows.select_tasks(source, found, self._options)
            elif folder.is_dir():
                found = [entry.task for entry in rows.load(str(folder), self._options)]
            elif rows.is_source(source):
                found = [entry.task for entry in rows.load(source, self._options)]
            else:
                raise pytest.UsageError(
                    f"--swegym-tasks={source}: not a file, and no pytest_swegym_collect_tasks hook knows it;"
                    f" {rows.unknown_source(source)}"
                )
            self._named[source] = found
        return self._named[source]

    def tasks(self) -> list[Task]:
        """All of them. Raises as :meth:`entries` and :meth:`named`."""
        files = [entry.task for path in self.files for entry in self.entries(path)]
        return files + [task for source in self.names for task in self.named(source)]


def _row_options(settings: Settings) -> RowOptions:
    from pytest_swegym.rows import row_options

    try:
        return row_options(
            split=settings.split,
            revision=settings.revision,
            filters=settings.filter,
            shuffle=settings.shuffle,
            limit=settings.limit,
            environments=settings.environments,
            offline=settings.offline,
        )
    except SpecError as error:
        raise pytest.UsageError(f"--swegym-environments: {error}") from None
    except ConfigError as error:
        raise pytest.UsageError(f"--swegym-filter: {error}") from None


ROWS = pytest.StashKey[Rows]()


def rows_of(config: pytest.Config) -> Rows:
    if ROWS not in config.stash:
        config.stash[ROWS] = Rows(config)
    return config.stash[ROWS]
