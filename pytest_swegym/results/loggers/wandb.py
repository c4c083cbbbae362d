"""``--swegym-log=wandb``: Weights & Biases, also offline (``WANDB_MODE=offline``)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pytest_swegym.results.loggers.base import COLUMNS
from pytest_swegym.results.loggers.base import PROJECT
from pytest_swegym.results.loggers.base import RunFacts
from pytest_swegym.results.loggers.base import row
from pytest_swegym.task import AttemptRecord


class WandbLogger:
    """A run of Weights & Biases: scalars for each attempt, a table of all of them, the totals as its summary.

    ``WANDB_PROJECT``, ``WANDB_DIR``, ``WANDB_MODE`` and the others work as always. Neither code, what is printed
    nor a description of the machine is sent.
    """

    def __init__(self) -> None:
        import wandb

        self._wandb = wandb
        self._run: Any = None
        self._rows: list[list[Any]] = []

    def started(self, run: RunFacts) -> None:
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=run.name,
            dir=os.environ.get("WANDB_DIR") or str(run.folder),
            config=dict(run.config),
            # Not the run of the tests themselves, should they have one.
            reinit="create_new",
            settings=self._wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                disable_code=True,
                # The machine's description has the command line, in which a user may have put anything.
                x_disable_meta=True,
            ),
        )

    def attempt(self, record: AttemptRecord, scalars: Mapping[str, float], step: int) -> None:
        self._rows.append(row(record, scalars))
        self._run.log(dict(scalars), step=step)

    def finished(self, summary: Mapping[str, float]) -> None:
        if self._rows:
            self._run.log({"attempts": self._wandb.Table(columns=list(COLUMNS), data=self._rows)})
        for name, value in summary.items():
            self._run.summary[name] = value
        self._run.finish()
