"""Which tasks an environment plays, and which comes next."""

from __future__ import annotations

import difflib
import random
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path

from pytest_swegym.errors import ConfigError
from pytest_swegym.rows import RowOptions
from pytest_swegym.rows import load
from pytest_swegym.task import Task


#: Files, folders, names of data sets (as ``--swegym-tasks`` takes them, also joined by commas), tasks, or several.
TaskSource = str | Path | Task | Iterable[str | Path | Task]
ORDERS = ("sequential", "shuffled", "indexed")


def load_tasks(source: TaskSource, options: RowOptions) -> tuple[Task, ...]:
    """All tasks of ``source``, in its order. Raises :class:`ConfigError` if there are none, or two of one id."""
    if isinstance(source, Task):
        return (source,)
    if not isinstance(source, (str, Path)) and not isinstance(source, Iterable):
        raise ConfigError(f"tasks={source!r:.80}: expected a file, a folder, a name, a Task, or a list of these")
    several = [source] if isinstance(source, (str, Path)) else list(source)
    tasks: list[Task] = []
    for given in several:
        tasks += [given] if isinstance(given, Task) else _named(given, options)
    ids = [task.id for task in tasks]
    twice = next((name for name in ids if ids.count(name) > 1), None) if len({*ids}) < len(ids) else None
    if twice is not None:
        raise ConfigError(f"tasks: {twice!r} is there twice; an instance id names one task")
    if not tasks:
        raise ConfigError(f"tasks={source!r:.80}: holds no task")
    return tuple(tasks)


def _named(given: str | Path, options: RowOptions) -> list[Task]:
    whole = isinstance(given, Path) or Path(given).exists()
    names = [str(given)] if whole else [word.strip() for word in str(given).split(",") if word.strip()]
    return [entry.task for name in names for entry in load(name, options)]


def find_task(tasks: Sequence[Task], task_id: str) -> int:
    """The place of the task called ``task_id``: its instance id, or what of it comes after the last ``__``.

    ``"1"`` finds ``curriculum__1``. Raises :class:`ConfigError` if none is called so, or several are.
    """
    ids = [task.id for task in tasks]
    if task_id in ids:
        return ids.index(task_id)
    found = [place for place, name in enumerate(ids) if name.rpartition("__")[2] == task_id]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(ids[place] for place in found)
        raise ConfigError(f"task_id {task_id!r} is ambiguous: {names}; give the whole instance id")
    close = difflib.get_close_matches(task_id, ids, 3, 0.4) or ids[:3]
    raise ConfigError(f"no task is called {task_id!r} among {len(ids)}; there is {', '.join(map(repr, close))}")


class Order:
    """Which of ``count`` tasks comes next: each once per pass, ``sequential`` or ``shuffled`` anew for every pass.

    The same ``seed`` gives the same order everywhere. ``indexed`` has no next: it is always told.
    """

    def __init__(self, count: int, kind: str = "sequential", seed: int = 0) -> None:
        if kind not in ORDERS:
            raise ConfigError(f"order={kind!r}: choose from {', '.join(ORDERS)}")
        self._count, self._kind = count, kind
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """Begin the first pass again."""
        self._seed, self._next = seed, 0

    def next(self) -> int:
        if self._kind == "indexed":
            raise ConfigError("order='indexed': give reset(options={'index': N}), or a 'task_id'")
        number, place = divmod(self._next, self._count)
        self._next += 1
        if self._kind == "sequential":
            return place
        order = list(range(self._count))
        random.Random(f"{self._seed}:{number}").shuffle(order)
        return order[place]
