"""Rollouts without pytest: ``with runs.run(tasks, solver, attempts=4, jobs=8) as rollouts: ...``."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_swegym._support.loading import load
from pytest_swegym.errors import ConfigError
from pytest_swegym.results.folder import check_folder
from pytest_swegym.results.folder import new_run_id
from pytest_swegym.results.recorder import plain_word
from pytest_swegym.rows import RowOptions
from pytest_swegym.rows import load as load_rows
from pytest_swegym.runs.executor import Executor
from pytest_swegym.runs.executor import Terms
from pytest_swegym.runs.given import check_choice
from pytest_swegym.runs.given import check_kind
from pytest_swegym.runs.given import check_whole
from pytest_swegym.runs.given import strict
from pytest_swegym.runs.job import Conditions
from pytest_swegym.runs.job import load_for
from pytest_swegym.runs.kept import RunFolder
from pytest_swegym.runs.rollouts import Ledger
from pytest_swegym.runs.rollouts import Rollouts
from pytest_swegym.settings import one_of
from pytest_swegym.task import Task


#: Executors by name.
EXECUTORS = {"local": "pytest_swegym.runs.local:LocalExecutor", "ray": "pytest_swegym.runs.ray:RayExecutor"}

#: Finished attempts that may wait where nobody says how many run.
BACKLOG = 64


@strict
def run(
    tasks: str | Path | Task | Iterable[str | Path | Task],
    solver: str | Callable[..., str | None],
    *,
    attempts: int = 1,
    jobs: int = 1,
    executor: str | Callable[[Terms], Executor] = "local",
    output: str | Path | None = None,
    conditions: Conditions | None = None,
    rows: RowOptions | None = None,
    backlog: int | None = None,
) -> Rollouts:
    """Begin ``attempts`` attempts at each task, ``jobs`` of them at the same time; the result hands out what comes.

    ``tasks`` are tasks, or what ``--swegym-tasks`` takes (of which ``rows`` chooses); ``solver`` is a name, as for
    ``--swegym-solver``, or a callable. ``executor`` is ``local``, ``ray``, or whatever makes one of :class:`Terms`.
    With ``output`` the records are written there, as the plugin writes them, and ``Conditions(resume=True)`` continues
    the run that it holds. At most ``backlog`` finished attempts (``jobs``, unless told otherwise) wait to be taken:
    while more are finished than that, no other begins.

    Raises :class:`ConfigError` or :class:`SandboxError` before anything is done.
    """
    _check_counts(attempts, jobs, backlog, least=1 if executor == "local" else 0)
    make, chosen = _executor(executor), _conditions(conditions)
    loaded = load_for(solver, chosen)
    if loaded.alone:
        raise ConfigError(f"the solver {loaded.name} needs a terminal for itself: run it with pytest")
    found = tasks_of(tasks, rows=rows, conditions=chosen)
    run_id, folder = new_run_id(), None
    if output is not None:
        root = chosen.folder / output
        check_folder(root, resume=chosen.resume, solver=loaded.name, options=("output", "Conditions(resume=True)"))
        folder = RunFolder(root, run_id, resume=chosen.resume)
    ledger = Ledger((jobs or BACKLOG) if backlog is None else backlog, folder)
    place = folder.store.folder if folder is not None else None
    terms = Terms(
        conditions=chosen, jobs=jobs, ended=ledger.ended, run_id=run_id, folder=place, on_event=ledger.happened
    )
    made = Rollouts(make(terms), ledger, chosen, solver)
    try:
        if folder is not None:  # not before: what cannot begin must leave no run in the folder
            told = {"solver": loaded.name, "jobs": jobs, "attempts": attempts, **_told(chosen)}
            folder.begin(len(found) * attempts, told)
        for task in found:
            for number in range(attempts):
                made.submit(task, number=number)
    except BaseException:
        made.close()
        raise
    return made


def tasks_of(
    tasks: str | Path | Task | Iterable[str | Path | Task],
    *,
    rows: RowOptions | None = None,
    conditions: Conditions | None = None,
) -> list[Task]:
    """The tasks themselves, and those of files, folders and data sets, as :func:`run` takes them.

    Raises :class:`ConfigError`.
    """
    conditions = _conditions(conditions)
    options = RowOptions(offline=conditions.offline) if rows is None else rows
    check_kind("rows", options, RowOptions, "what runs.row_options(...) makes")
    check_kind("tasks", tasks, (str, Path, Task, Iterable), "a name, a path, a Task or a list of these")
    found: list[Task] = []
    for each in [tasks] if isinstance(tasks, (str, Path, Task)) else tasks:
        check_kind("tasks", each, (str, Path, Task), "a name, a path or a Task")
        if isinstance(each, Task):
            found.append(each)
        else:
            path = conditions.folder / Path(each).expanduser()
            found += [entry.task for entry in load_rows(str(path if path.exists() else each), options)]
    return found


def _check_counts(attempts: Any, jobs: Any, backlog: Any, *, least: int) -> None:
    """``least`` is how many jobs there must be; with Ray 0 are as many as there are cores."""
    check_whole("attempts", attempts, 1)
    check_whole("jobs", jobs, least)
    if backlog is not None:
        check_whole("backlog", backlog, 0)


def _conditions(given: Conditions | None) -> Conditions:
    conditions = Conditions() if given is None else given
    check_kind("conditions", conditions, Conditions, "runs.Conditions(...)")
    return conditions


def _executor(given: str | Callable[[Terms], Executor]) -> Callable[[Terms], Executor]:
    """Who makes the executor, by its name or as it was given."""
    if callable(given):
        return given
    check_kind("executor", given, str, f"{' or '.join(EXECUTORS)}, or a callable")
    check_choice("executor", given, one_of(tuple(EXECUTORS), or_name=True))
    made: Callable[[Terms], Executor] = load(EXECUTORS.get(given, given), what="executor")
    return made


def _told(conditions: Conditions) -> dict[str, Any]:
    """What was chosen, without what is as by default."""
    given, default = conditions.to_dict(), Conditions().to_dict()
    chosen = {name: value for name, value in given.items() if value != default[name]}
    return {name: list(map(plain_word, value)) if isinstance(value, tuple) else value for name, value in chosen.items()}


__all__ = ["run", "tasks_of"]
