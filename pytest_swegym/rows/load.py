"""From the name of a source to tasks: its rows are read, selected and adapted."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_swegym.errors import ConfigError
from pytest_swegym.rows.adapt import is_foreign
from pytest_swegym.rows.adapt import to_task
from pytest_swegym.rows.aliases import ALIASES
from pytest_swegym.rows.aliases import Alias
from pytest_swegym.rows.aliases import find_alias
from pytest_swegym.rows.aliases import is_dataset_id
from pytest_swegym.rows.curriculum import SHIPPED
from pytest_swegym.rows.curriculum import curriculum_entries
from pytest_swegym.rows.curriculum import is_curriculum
from pytest_swegym.rows.curriculum import shipped
from pytest_swegym.rows.environments import EnvironmentMap
from pytest_swegym.rows.environments import load_map
from pytest_swegym.rows.environments import shipped_map
from pytest_swegym.rows.files import SUFFIXES
from pytest_swegym.rows.files import file_rows
from pytest_swegym.rows.files import folder_files
from pytest_swegym.rows.files import is_saved_dataset
from pytest_swegym.rows.raw import RawRow
from pytest_swegym.rows.select import Selection
from pytest_swegym.rows.select import parse_filter
from pytest_swegym.task import Task
from pytest_swegym.task.files import Entry
from pytest_swegym.task.files import load_entries


log = logging.getLogger("pytest_swegym.rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOptions:
    """How the rows of every source are chosen and run; the fields are the ``--swegym-*`` options of that name."""

    split: str | None = None
    revision: str | None = None
    selection: Selection = field(default_factory=Selection)
    environments: EnvironmentMap = field(default_factory=EnvironmentMap)
    offline: bool = False


def row_options(
    *,
    split: str | None = None,
    revision: str | None = None,
    filters: Iterable[str] = (),
    shuffle: int | None = None,
    limit: int | None = None,
    environments: Path | None = None,
    offline: bool = False,
) -> RowOptions:
    """Options as a user writes them. Raises :class:`ConfigError`."""
    selection = Selection(filters=tuple(map(parse_filter, filters)), seed=shuffle, limit=limit)
    users = load_map(environments) if environments is not None else EnvironmentMap()
    return RowOptions(split=split, revision=revision, selection=selection, environments=users, offline=offline)


def is_source(name: str) -> bool:
    """Whether ``name``, which is no file or folder, has the form of a source known here."""
    return name == SHIPPED or find_alias(name) is not None or is_dataset_id(name)


def unknown_source(name: str) -> str:
    """What to say of a name that is none."""
    close = difflib.get_close_matches(name.lower(), (SHIPPED, *ALIASES), 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join((SHIPPED, *ALIASES))}, OWNER/NAME of Hugging Face, a file or a folder of rows"


def load(source: str, options: RowOptions) -> list[Entry]:
    """The selected tasks of a file, folder, alias or Hugging Face id.

    Rows of a data set that cannot run come as tasks with a problem; a source that cannot be read, or a task file of
    one's own that is wrong, raises :class:`ConfigError`.
    """
    path = Path(source)
    if path.is_file() or (path.suffix in (*SUFFIXES, ".toml") and not path.is_dir()):
        return _from_files([path], options)
    if path.is_dir() and is_saved_dataset(path):
        from pytest_swegym.rows.hub import saved_rows

        return _adapted(source, _numbered(source, saved_rows(path, options.split)), options)
    if path.is_dir():
        return _from_files(folder_files(path, options.split), options)
    if source == SHIPPED:
        return _from_files([shipped()], options)
    alias = find_alias(source) or (Alias(name=source, split="test") if is_dataset_id(source) else None)
    if alias is None:
        raise ConfigError(f"{source}: {unknown_source(source)}")
    from pytest_swegym.rows.hub import hub_rows

    split = options.split or (alias.split if find_alias(source) else None)
    limited = options.selection.early is not None
    rows = hub_rows(alias.name, split=split, revision=options.revision, offline=options.offline, limited=limited)
    return _adapted(source, _numbered(alias.name, rows, remote=True), options)


def select_tasks(source: str, tasks: Iterable[Task], options: RowOptions) -> list[Task]:
    """The selected ones of tasks that came as tasks, in the environments of the user's map."""
    users = options.environments
    chosen = options.selection.choose(tasks, lambda task: (task.id, task.to_dict()), source=source)
    return [recipe.applied(task, keep_prebuilt=False) if (recipe := users.find(task.spec)) else task for task in chosen]


def _from_files(paths: list[Path], options: RowOptions) -> list[Entry]:
    """Files of rows, and task files of one's own, which are read strictly."""
    own: list[Entry] = []
    foreign: list[RawRow] = []
    for path in paths:
        if is_curriculum(path):
            own += curriculum_entries(path)
            continue
        rows = list(file_rows(path)) if path.suffix in SUFFIXES else []
        if path.suffix == ".parquet" or any(is_foreign(row.data) for row in rows):
            foreign += rows
        else:
            own += load_entries(path)
    source = str(paths[0] if len(paths) == 1 else paths[0].parent)
    if not foreign:
        lines = {entry.task.id: entry.line for entry in own}
        tasks = select_tasks(source, (entry.task for entry in own), options)
        return [Entry(task=task, line=lines[task.id]) for task in tasks]
    if own:
        raise ConfigError(f"{source}: holds both rows of a data set and tasks of one's own; give them apart")
    return _adapted(source, foreign, options)


def _numbered(place: str, rows: Iterable[Mapping[str, Any]], *, remote: bool = False) -> Iterator[RawRow]:
    for number, row in enumerate(rows, 1):
        yield RawRow(number=number, where=f"{place}: row {number}", data=row, remote=remote)


def _adapted(source: str, rows: Iterable[RawRow], options: RowOptions) -> list[Entry]:
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        raise ConfigError(f"{source}: holds no row")
    chosen = options.selection.choose(_unique(chain([first], rows)), lambda row: (row.id, row.data), source=source)
    shipped = shipped_map()
    tasks = [to_task(row, users=options.environments, shipped=shipped) for row in chosen]
    return [Entry(task=task, line=row.line) for task, row in zip(tasks, chosen, strict=True)]


def _unique(rows: Iterable[RawRow]) -> Iterator[RawRow]:
    """Every row under a name of its own: a second one of the same id is a problem, not a second attempt."""
    seen: dict[str, str] = {}
    for row in rows:
        first = seen.setdefault(row.id, row.where)
        if first == row.where:
            yield row
            continue
        data = {**row.data, "instance_id": f"{row.id}-duplicate-{row.number}"}
        problem = row.problem or f"{row.id!r} is already the instance_id of {first}; each may be there once"
        yield replace(row, data=data, problem=problem)
