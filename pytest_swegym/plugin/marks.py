"""Test functions that are tasks: by ``@pytest.mark.swegym(...)``, or by the rows of ``--swegym-tasks``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SourceError
from pytest_swegym.errors import SpecError
from pytest_swegym.plugin.options import SETTINGS
from pytest_swegym.plugin.plan import PLANNED
from pytest_swegym.plugin.plan import Planned
from pytest_swegym.plugin.plan import attempts_at
from pytest_swegym.plugin.plan import rows_of


if TYPE_CHECKING:
    from pytest_swegym.task import Task


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = bool(list(metafunc.definition.iter_markers("swegym")))
    wants = "swegym_task" in metafunc.fixturenames
    if not marked and not (wants and metafunc.config.stash[SETTINGS].tasks):
        return
    try:
        if marked and not wants:
            message = "is marked swegym but takes no swegym fixture: take swegym_result"
            raise SpecError(message, where=_where(metafunc))
        _parametrize(metafunc, marked)
    except (ConfigError, SourceError, pytest.UsageError) as error:
        raise pytest.Collector.CollectError(str(error)) from None


def _parametrize(metafunc: pytest.Metafunc, marked: bool) -> None:
    config = metafunc.config
    fields = _fields(metafunc.definition) if marked else {}
    if not marked:
        rows = rows_of(config)
        tasks: Iterable[Task] = rows.tasks()
        rows.taken = True
    elif "tasks" in fields:
        tasks = _rows(config, fields, _where(metafunc), metafunc.definition.path)
    else:
        plans = attempts_at(_task(metafunc.definition, metafunc.function), config)
        if len(plans) > 1:
            metafunc.parametrize("swegym_task", plans, indirect=True, ids=[str(plan.number) for plan in plans])
        return
    plans = [plan for task in tasks for plan in attempts_at(task, config)]
    many = config.stash[SETTINGS].attempts > 1
    ids = [f"{plan.task.id}-{plan.number}" if many else plan.task.id for plan in plans]
    metafunc.parametrize("swegym_task", plans, indirect=True, ids=ids)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note which attempt an item stands for."""
    callspec = getattr(item, "callspec", None)
    given = callspec.params.get("swegym_task") if callspec is not None else None
    if isinstance(given, Planned):
        item.stash[PLANNED] = given
        item.extra_keyword_matches.update(given.task.spec.tags)
    elif PLANNED not in item.stash and isinstance(item, pytest.Function) and item.get_closest_marker("swegym"):
        # Validated when its module was collected; only a mark on a parameter is read here for the first time.
        try:
            item.stash[PLANNED] = attempts_at(_task(item, item.function), item.config)[0]
        except SpecError as error:
            raise pytest.UsageError(str(error)) from None
        item.extra_keyword_matches.update(item.stash[PLANNED].task.spec.tags)
    _skip_undecided(item)


def _skip_undecided(item: pytest.Item) -> None:
    """A task that nobody can check yet is shown as skipped, never as passed."""
    plan, settings = item.stash.get(PLANNED, None), item.config.stash[SETTINGS]
    if plan is None or not plan.task.hidden.teacher or settings.judge or settings.check_writer:
        return
    from pytest_swegym.rows.check_writer import UNDECIDED
    from pytest_swegym.rows.check_writer import undecided

    if undecided(plan.task):
        item.add_marker(pytest.mark.skip(reason=UNDECIDED))


def _fields(node: pytest.Item) -> dict[str, Any]:
    """The keywords of all swegym marks above ``node``; the nearest one wins."""
    fields: dict[str, Any] = {}
    for mark in node.iter_markers("swegym"):
        if mark.args:
            raise SpecError(
                f"pytest.mark.swegym takes keywords only (got {mark.args[0]!r:.60})", where=_place(node, node)
            )
        fields = {**mark.kwargs, **fields}
    return fields


def _task(node: pytest.Item, function: Any) -> Task:
    """The task of a marked function: what the marks leave out comes from its name and docstring."""
    from pytest_swegym.task import Task
    from pytest_swegym.task.files import anchored

    doc = inspect.getdoc(function) or ""
    name = re.sub(r"^test_?", "", getattr(node, "originalname", None) or node.name)
    defaults = {"instance_id": name, "title": doc.split("\n")[0], "problem_statement": doc}
    task = Task.from_dict({**defaults, **_fields(node)}, where=_place(node, function))
    return anchored(task, node.path.parent)


def _rows(config: pytest.Config, fields: dict[str, Any], where: str, path: Path) -> list[Task]:
    others = sorted(set(fields) - {"tasks"})
    if others:
        raise SpecError(f"says it all with its file; leave out {', '.join(others)}", field="tasks", where=where)
    if not isinstance(fields["tasks"], (str, Path)):
        raise SpecError(f"must be a path (got {fields['tasks']!r:.60})", field="tasks", where=where)
    return [entry.task for entry in rows_of(config).entries((path.parent / fields["tasks"]).resolve())]


def _where(metafunc: pytest.Metafunc) -> str:
    return _place(metafunc.definition, metafunc.function)


def _place(node: pytest.Item, function: Any) -> str:
    """``file:line function`` of a test function."""
    _, line, name = node.reportinfo()
    return f"{node.nodeid.split('::')[0]}:{(line or 0) + 1} ({name})"
