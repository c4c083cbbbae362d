"""The page on the disk: ``index.html`` beside the records, and what it loads of each attempt."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from pytest_swegym._support.paths import write_atomic
from pytest_swegym.errors import ConfigError
from pytest_swegym.results.page.detail import facts_of
from pytest_swegym.results.page.folders import RunFolder
from pytest_swegym.results.page.folders import find_runs
from pytest_swegym.results.page.folders import to_json
from pytest_swegym.results.page.html import page
from pytest_swegym.results.page.steps import read_told
from pytest_swegym.results.page.watch import Rows
from pytest_swegym.results.page.watch import run_told
from pytest_swegym.results.store import RECORD


log = logging.getLogger("pytest_swegym.results")
INDEX, VIEW = "index.html", "view.js"
#: Seconds for which a page counts as fresh, at the least; and how many times as long as it took to write.
FRESH, PATIENCE = 3.0, 20


class PageWriter:
    """Keeps the page of the run in ``root`` fresh. Safe to use from several threads and processes.

    That a disk is full is told once, and ends no run.
    """

    def __init__(self, root: Path) -> None:
        self._run = RunFolder(root=root, name=root.resolve().name or "run")
        self._rows = Rows()
        self._lock = threading.Lock()
        self._fresh = FRESH
        self._warned = False

    def attempt_ended(self, key: str) -> None:
        """An attempt was kept: what the page shows of it is written now, the page itself if it is not fresh."""
        try:
            write_view(self._run, key)
            self.refresh()
        except OSError as error:
            self._warn(error)

    def refresh(self, *, now: bool = False) -> None:
        """Write the page anew, if it is not fresh, or ``now``; another thread that does so already is enough."""
        if not self._lock.acquire(blocking=now):
            return
        try:
            if now or self._age() > self._fresh:
                started = time.monotonic()
                write_index(self._run.root, [self._run], self._rows)
                self._fresh = max(FRESH, PATIENCE * (time.monotonic() - started))
        except OSError as error:
            self._warn(error)
        finally:
            self._lock.release()

    def conclude(self) -> None:
        """The run has ended: write the page, and what is missing of its attempts; nothing if there were none."""
        if not self._run.attempts():
            return
        try:
            _write_views(self._run)
        except OSError as error:
            self._warn(error)
        self.refresh(now=True)

    def _age(self) -> float:
        """By the file system, as other processes write the same page."""
        try:
            return time.time() - (self._run.root / INDEX).stat().st_mtime
        except OSError:
            return float("inf")

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            log.warning("the page of the run cannot be written: %s", error)


def write_pages(folder: Path) -> tuple[Path, list[RunFolder]]:
    """Write the page of the run in ``folder``, or one of all runs below it; returns where it is, and the runs.

    Raises :class:`ConfigError` if there is no run, or the folder cannot be written.
    """
    runs = find_runs([folder])
    if not runs:
        raise ConfigError(f"{folder}: no run in this folder: expected one with attempts/, or a folder of such")
    try:
        for run in runs:
            _write_views(run)
        return write_index(folder, runs, Rows()), runs
    except OSError as error:
        raise ConfigError(f"{folder}: the page cannot be written: {error.strerror or error}") from None


def _write_views(run: RunFolder) -> None:
    """What the page loads of each attempt, where it is not there yet or older than the record."""
    for key in run.attempts():
        if (run.attempt(key) / RECORD).exists() and _is_old(run.attempt(key)):
            write_view(run, key)


def _is_old(folder: Path) -> bool:
    try:
        return (folder / VIEW).stat().st_mtime_ns < (folder / RECORD).stat().st_mtime_ns
    except OSError:
        return True


def write_index(folder: Path, runs: Sequence[RunFolder], rows: Rows) -> Path:
    """The page of ``runs``; of attempts that go on also what it loads of them."""
    by_name = {run.name: run for run in runs}
    for row in rows.look(runs)[0]:
        if row["state"] == "running":
            write_view(by_name[row["run"]], row["key"])
    data = {"mode": "disk", "written": time.time(), "runs": [run_told(run) for run in runs], "rows": rows.all()}
    write_atomic(folder / INDEX, page(data))
    return folder / INDEX


def write_view(run: RunFolder, key: str) -> None:
    """What the page loads of an attempt, as a script: a page that is opened from a disk may load nothing else."""
    folder = run.attempt(key)
    data = {"facts": facts_of(folder), "told": read_told(folder).to_dict()}
    write_atomic(folder / VIEW, f"swegymAttempt({to_json(data)});\n")
