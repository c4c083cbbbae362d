"""Checks for tasks that only prose says how to check: written once (by a model, say), kept in a file for review."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.paths import write_atomic
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import GradingError
from pytest_swegym.errors import SpecError
from pytest_swegym.errors import SwegymError
from pytest_swegym.task import Check
from pytest_swegym.task import Task
from pytest_swegym.task.check import read_checks
from pytest_swegym.task.files import read_text
from pytest_swegym.task.spec import with_checks


log = logging.getLogger("pytest_swegym.checks")

#: Called with the prose, the title and the description of a task; returns checks as tables, or as their JSON text.
CheckWriter = Callable[[str, str, str], Any]
UNDECIDED = (
    "nothing but prose says how to check it; give --swegym-judge=module:attr or --swegym-check-writer=module:attr"
    " (an environment: judge= or check_writer=), or write checks for it"
)


def checks_file(task: Task) -> Path:
    """Where the checks of a task are kept; a change of its text makes it another file."""
    spec = task.spec
    key = content_key("checks", task.hidden.teacher, spec.title, spec.problem_statement)
    return cache_dir("checks") / f"{task.id}-{key[:12]}.json"


def undecided(task: Task) -> bool:
    """Whether there is nothing yet to decide a task by: no check, and none kept in its file."""
    return bool(task.hidden.teacher) and not task.hidden.checks and not checks_file(task).is_file()


def with_kept_checks(task: Task) -> Task:
    """``task`` with the checks of its file, if it has none of its own and there is one. Raises :class:`SpecError`."""
    if not task.hidden.teacher or task.hidden.checks:
        return task
    return replace(task, hidden=with_checks(task.hidden, written_checks(task, None)))


def written_checks(task: Task, writer: CheckWriter | None) -> tuple[Check, ...]:
    """The checks in the task's file, which anybody may edit; written by ``writer`` if there is none; else nothing.

    Raises :class:`SpecError` that names file and key if they are wrong, :class:`GradingError` if the writer raised or
    wrote no checks.
    """
    path = checks_file(task)
    if path.is_file():
        return _read(path)
    if writer is None:
        return ()
    try:
        said = writer(task.hidden.teacher, task.spec.title, task.spec.problem_statement)
    except SwegymError:
        raise
    except Exception as error:
        raise GradingError(f"{task.id}: {_name(writer)} raised {type(error).__name__}: {error}") from error
    try:
        rows = _parsed(said)
    except (ValueError, RecursionError, ConfigError) as error:
        wrong = f"{_name(writer)} is at fault: what it returned is no list of checks, and no JSON text of one"
        raise GradingError(f"{task.id}: {wrong}: {error}") from None
    write_atomic(path, json.dumps({"task": task.id, "prose": task.hidden.teacher, "checks": rows}, indent=2) + "\n")
    log.warning("%s: checks were written for it; review them, and edit them if need be, in %s", task.id, path)
    return _read(path)


def _name(writer: CheckWriter) -> str:
    return f"the check writer {getattr(writer, '__qualname__', None) or type(writer).__qualname__!r}"


def _parsed(said: Any) -> Any:
    """What a writer returned as tables. Raises :class:`ValueError`, :class:`RecursionError`, :class:`SpecError`."""
    rows = json.loads(said) if isinstance(said, str) else said
    if isinstance(rows, dict):
        rows = rows.get("checks")
    if not read_checks(rows):
        raise SpecError("it has no check")
    return rows


def _read(path: Path) -> tuple[Check, ...]:
    try:
        data = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise SpecError(f"is not valid JSON: {error}", where=str(path)) from None
    checks = read_checks(data.get("checks") if isinstance(data, dict) else None, where=str(path))
    if not checks:
        raise SpecError("holds no check; write one, or remove the file", field="checks", where=str(path))
    return checks
