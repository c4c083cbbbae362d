"""What changed in the folders of runs since the last look."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_swegym.errors import ConfigError
from pytest_swegym.results.page.folders import RunFolder
from pytest_swegym.results.page.folders import Signature
from pytest_swegym.results.page.folders import find_runs
from pytest_swegym.results.page.folders import read_json
from pytest_swegym.results.page.rows import row_of
from pytest_swegym.results.page.texts import table
from pytest_swegym.results.tally import SUMMARY


class Rows:
    """The rows of many attempts; what has not changed on the disk is not read again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Signature, dict[str, Any] | None]] = {}

    def look(self, runs: Sequence[RunFolder]) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
        """The rows that are new or changed, and the names of those that are gone."""
        changed, there = [], set()
        for run in runs:
            for key in run.attempts():
                signature = run.signature(key)
                name = (run.name, key)
                there.add(name)
                if name in self._known and self._known[name][0] == signature:
                    continue
                row = row_of(run, key) if signature else None
                self._known[name] = (signature, row)
                if row is not None:
                    changed.append(row)
        gone = [name for name in self._known if name not in there]
        for name in gone:
            del self._known[name]
        return changed, gone

    def all(self) -> list[dict[str, Any]]:
        """Every row there is."""
        return [row for _, row in self._known.values() if row is not None]


def run_told(run: RunFolder) -> dict[str, Any]:
    """What the page knows of a run beside its attempts."""
    told = table(read_json(run.root, SUMMARY))
    interval = told.get("interval")
    try:
        ended = (run.root / SUMMARY).stat().st_mtime
    except OSError:
        ended = 0.0
    shown = interval if isinstance(interval, list) and len(interval) == 2 else None
    return {"name": run.name, "base": run.base, "interval": shown, "ended": ended}


class Watch:
    """Follows ``folders`` for a page that asks again and again. Safe to use from several threads."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._rows = Rows()
        self._runs: list[RunFolder] = find_runs(folders)
        self._lock = threading.Lock()
        self._started = secrets.token_hex(4)
        self._version = 0
        self._changed: dict[tuple[str, str], int] = {}
        self._last: dict[tuple[str, str], dict[str, Any] | None] = {}

    def run(self, name: str) -> RunFolder | None:
        """The run called ``name``, among those of the last look."""
        with self._lock:
            return next((run for run in self._runs if run.name == name), None)

    def changes(self, since: str = "") -> dict[str, Any]:
        """What changed since the look whose ``version`` is given; everything for another's version, or for none."""
        with self._lock:
            self._look()
            started, _, number = since.partition(".")
            known = int(number) if started == self._started and number.isdecimal() and len(number) < 16 else 0
            newer = [name for name, version in self._changed.items() if version > known]
            return {
                "version": f"{self._started}.{self._version}",
                "anew": known == 0,
                "runs": [run_told(run) for run in self._runs],
                "rows": [row for name in newer if (row := self._last[name]) is not None],
                "gone": [list(name) for name in newer if self._last[name] is None],
            }

    def _look(self) -> None:
        try:
            self._runs = find_runs(self._folders)
        except ConfigError:  # a folder went: its attempts go with it
            self._runs = [run for run in self._runs if run.root.is_dir()]
        changed, gone = self._rows.look(self._runs)
        if changed or gone:
            self._version += 1
        for row in changed:
            self._last[row["run"], row["key"]] = row
            self._changed[row["run"], row["key"]] = self._version
        for name in gone:
            self._last[name] = None
            self._changed[name] = self._version
