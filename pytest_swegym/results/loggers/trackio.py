"""``--swegym-log=trackio``: Trackio, on this machine or wherever its variables say."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

from pytest_swegym.results.loggers.base import COLUMNS
from pytest_swegym.results.loggers.base import PROJECT
from pytest_swegym.results.loggers.base import RunFacts
from pytest_swegym.results.loggers.base import row
from pytest_swegym.task import AttemptRecord


class TrackioLogger:
    """A run of Trackio, in the project ``pytest-swegym``: ``trackio show --project=pytest-swegym`` shows it.

    ``TRACKIO_DIR``, ``TRACKIO_SPACE_ID`` and the others work as always.
    """

    def __init__(self) -> None:
        import trackio

        self._trackio = trackio
        self._run: Any = None
        self._rows: list[list[Any]] = []

    def started(self, run: RunFacts) -> None:
        with redirect_stdout(io.StringIO()):
            self._run = self._trackio.init(
                project=PROJECT,
                name=run.name,
                config=dict(run.config),
                embed=False,
                auto_log_cpu=False,
                auto_log_gpu=False,
            )

    def attempt(self, record: AttemptRecord, scalars: Mapping[str, float], step: int) -> None:
        self._rows.append(row(record, scalars))
        self._run.log(dict(scalars), step=step)

    def finished(self, summary: Mapping[str, float]) -> None:
        totals: dict[str, Any] = {f"summary/{name}": value for name, value in summary.items()}
        if self._rows:
            totals["attempts"] = self._trackio.Table(columns=list(COLUMNS), data=self._rows)
        with redirect_stdout(io.StringIO()):
            self._run.log(totals)
            self._trackio.finish()
