"""What a run leaves on the disk, attempt by attempt, as the plugin does: records, events, the page, and the totals."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import write_atomic
from pytest_swegym.errors import ConfigError
from pytest_swegym.results import ResultStore
from pytest_swegym.results import Summary
from pytest_swegym.results.folder import conclude
from pytest_swegym.results.markdown import run_markdown
from pytest_swegym.results.page import PageWriter
from pytest_swegym.results.recorder import Recorder
from pytest_swegym.runs.job import Done
from pytest_swegym.runs.resume import finished


class RunFolder:
    """The folder of a run; with ``resume`` what an earlier run finished in it counts as well.

    Safe to use from many threads.
    """

    def __init__(self, root: Path, run_id: str, *, resume: bool) -> None:
        self.store = ResultStore(root=root)
        self._run_id, self._resume = run_id, resume
        self._recorder = Recorder(root, run_id)
        self._page = PageWriter(root)
        self._lock = threading.Lock()
        self._changed = False
        self._summary: Summary | None = None

    def begin(self, planned: int, settings: Mapping[str, Any]) -> None:
        """The run begins."""
        self._recorder.begin(lambda: {"worker": "", "planned": planned, "settings": settings})

    def happened(self, key: str, event: Mapping[str, Any]) -> None:
        """An attempt began, or went on."""
        if event.get("event") == "attempt_started":
            self._recorder.started(key, event["instance_id"], event["number"])
        else:
            self._recorder.happened(key, event)
        self._page.refresh()

    def kept(self, key: str, content: str) -> bool:
        """Whether an earlier run has finished the attempt. Raises :class:`ConfigError` for a damaged record."""
        record = finished(self.store, key, content) if self._resume else None
        if record is not None:
            self._recorder.finished(record, kept=True)
            self._changed = True
        return record is not None

    def keep(self, done: Done) -> None:
        """Write what came of an attempt. Raises :class:`OSError`."""
        self.store.write(done.record, done.grade, done.tree)
        self._recorder.finished(done.record)
        self._page.attempt_ended(done.record.key)
        self._changed = True

    def read(self, key: str) -> Done:
        """What an earlier run kept of an attempt. Raises :class:`ConfigError` if it is damaged, or gone."""
        record = self.store.read(key)
        if record is None:
            raise ConfigError(f"{self.store.folder(key)}: the record is gone")
        return Done(record=record, grade=self.store.grade(record), kept=True)

    def conclude(self) -> Summary | None:
        """Write the totals, if anything has changed; ``None`` if nothing was made yet."""
        with self._lock:
            if self._changed:
                self._changed = False
                records = [each for each in self.store.records() if self._resume or each.run_id == self._run_id]
                self._summary = conclude(self.store, records, self._run_id)
                write_atomic(self.store.root / "summary.md", run_markdown(self._summary, records))
                self._page.conclude()
            return self._summary

    def end(self) -> None:
        """The run has ended."""
        summary = self.conclude()
        self._recorder.end(0, summary.to_dict() if summary is not None else {})


__all__ = ["RunFolder"]
