"""What commands that run tasks share: the options of ``--swegym-*``, the tasks, the lab."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pytest_swegym._support.loading import load as load_named
from pytest_swegym.environments import Disk
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SandboxUnavailable
from pytest_swegym.grading import Judge
from pytest_swegym.lab import Lab
from pytest_swegym.results.cache import GradeCache
from pytest_swegym.rows import load
from pytest_swegym.rows import row_options
from pytest_swegym.rows.check_writer import CheckWriter
from pytest_swegym.sandbox import Backend
from pytest_swegym.sandbox import choose
from pytest_swegym.settings import add_option
from pytest_swegym.settings import option
from pytest_swegym.task import Task
from pytest_swegym.tools import Toolset


#: Options that mean the same as ``--swegym-NAME``.
_SHARED = (
    "sandbox", "split", "filter", "limit", "shuffle", "revision", "environments", "mirror", "offline", "registry",
    "protect", "disk-budget",
)  # fmt: skip


def add_shared(parser: argparse.ArgumentParser, *more: str) -> None:
    """The tasks, and the options that say which of them run and where; ``more`` are further ``--swegym-*``."""
    parser.add_argument("tasks", nargs="+", metavar="TASKS", help="files, folders or data sets, as for --swegym-tasks")
    for name in (*_SHARED, *more):
        add_option(parser.add_argument, option(name), prefix="")


def chosen(options: argparse.Namespace, name: str) -> Any:
    """The value of an option of :func:`add_shared`, or its default."""
    entry = option(name)
    value = getattr(options, entry.dest)
    return entry.default if value is None else value


def chosen_tasks(options: argparse.Namespace) -> list[Task]:
    """The selected tasks of all sources. Raises :class:`ConfigError` for an instance id that is used twice."""
    rows = row_options(
        split=chosen(options, "split"),
        revision=chosen(options, "revision"),
        filters=chosen(options, "filter") or (),
        shuffle=chosen(options, "shuffle"),
        limit=chosen(options, "limit"),
        environments=chosen(options, "environments"),
        offline=chosen(options, "offline"),
    )
    tasks: dict[str, Task] = {}
    for source in options.tasks:
        for entry in load(source, rows):
            if entry.task.id in tasks:
                raise ConfigError(f"{source}: instance_id {entry.task.id!r} is used twice: which one is meant?")
            tasks[entry.task.id] = entry.task
    return list(tasks.values())


def chosen_function(options: argparse.Namespace, name: str) -> Any:
    """The user's function that an option names, from the current folder; ``None`` if it is not given.

    Raises :class:`ConfigError`.
    """
    value = chosen(options, name)
    if value is None:
        return None
    if str(Path.cwd()) not in sys.path:  # last, to shadow nothing
        sys.path.append(str(Path.cwd()))
    found = load_named(value, what=f"--{name}")
    if not callable(found):
        raise ConfigError(f"--{name}={value}: expected a function, got {type(found).__name__}")
    return found


def open_lab(
    options: argparse.Namespace,
    *,
    tools: Toolset | None = None,
    grades: GradeCache | None = None,
    judge: Judge | None = None,
    check_writer: CheckWriter | None = None,
) -> Lab:
    """The lab of the chosen sandbox, after what dead runs left is removed. Raises :class:`SandboxUnavailable`."""
    backend = _backend(options)
    return Lab(
        backend,
        mirror=chosen(options, "mirror"),
        offline=chosen(options, "offline"),
        protect=chosen(options, "protect"),
        disk=Disk([backend], chosen(options, "disk-budget")),
        tools=tools,
        grades=grades,
        judge=judge,
        check_writer=check_writer,
    )


def _backend(options: argparse.Namespace) -> Backend:
    backend, _ = choose(
        chosen(options, "sandbox"), offline=chosen(options, "offline"), registry=chosen(options, "registry")
    )
    reason = backend.available()
    if reason is not None:
        raise SandboxUnavailable(f"sandbox {backend.name!r} cannot work here: {reason}")
    for line in backend.sweep():
        print(f"left by a dead run: {line}", file=sys.stderr)
    return backend
