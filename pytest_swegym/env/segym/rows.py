"""The rows of an environment: by name, as columns, or as tasks."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import overload

from pytest_swegym.env.segym.dummy import dummy_tasks
from pytest_swegym.env.tasks import load_tasks
from pytest_swegym.errors import ConfigError
from pytest_swegym.rows import EnvironmentMap
from pytest_swegym.rows import row_options
from pytest_swegym.rows import shipped_map
from pytest_swegym.rows.adapt import to_task
from pytest_swegym.rows.raw import RawRow
from pytest_swegym.task import Task


class Rows(Sequence[Mapping[str, Any]]):
    """A data set: ``rows[0]`` is a row, ``rows["repo"]`` a column, ``num_rows`` how many there are."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tuple(tasks)

    @property
    def num_rows(self) -> int:
        return len(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    @overload
    def __getitem__(self, key: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, key: slice) -> list[Mapping[str, Any]]: ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...
    def __getitem__(self, key: int | slice | str) -> Mapping[str, Any] | list[Any]:
        if isinstance(key, str):
            return [_row(task)[key] for task in self.tasks]
        return _row(self.tasks[key]) if isinstance(key, int) else [_row(task) for task in self.tasks[key]]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return map(_row, self.tasks)


def get_ds(dataset: str | Mapping[str, Sequence[Any]] | Sequence[Task] = "dummy") -> Rows:
    """The rows called ``dataset``: ``"dummy"``, or whatever ``--swegym-tasks`` takes, ``/dev`` or ``/test`` after it
    being its split. A mapping of columns and a list of tasks are rows as they are.

    Raises :class:`ConfigError`.
    """
    if isinstance(dataset, str):
        return Rows(dummy_tasks() if dataset == "dummy" else _named(dataset))
    return Rows(_of_columns(dataset) if isinstance(dataset, Mapping) else dataset)


def _named(name: str) -> list[Task]:
    source, _, split = name.rpartition("/")
    if split not in ("dev", "test") or not source or Path(name).exists():
        source, split = name, ""
    return list(load_tasks(source, row_options(split=split or None)))


def _of_columns(columns: Mapping[str, Sequence[Any]]) -> list[Task]:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise ConfigError(f"the columns of the data set differ in length: {lengths}")
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    shipped, users = shipped_map(), EnvironmentMap()
    return [
        to_task(RawRow(number=number, where=f"row {number}", data=row), users=users, shipped=shipped)
        for number, row in enumerate(rows, 1)
    ]


def _row(task: Task) -> Mapping[str, Any]:
    """A task by the names of SWE-bench's columns."""
    spec, hidden = task.spec, task.hidden
    return {
        "instance_id": spec.instance_id,
        "repo": spec.repo,
        "base_commit": spec.base_commit or "",
        "environment_setup_commit": spec.base_commit or "",
        "problem_statement": spec.problem_statement,
        "hints_text": spec.hints_text,
        "version": spec.version or "",
        "patch": hidden.patch,
        "test_patch": hidden.test_patch,
        "FAIL_TO_PASS": list(hidden.fail_to_pass),
        "PASS_TO_PASS": list(hidden.pass_to_pass),
    }
