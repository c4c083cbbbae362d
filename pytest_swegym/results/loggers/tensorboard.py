"""``--swegym-log=tensorboard``: event files for TensorBoard, in the folder ``tensorboard`` beside the records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_swegym.results.loggers.base import RunFacts
from pytest_swegym.task import AttemptRecord


class TensorboardLogger:
    """Scalars for each attempt, what was chosen as text, and the totals as the metrics of its hyperparameters.

    Written by ``tensorboardX``, which needs neither TensorFlow nor PyTorch.
    """

    def __init__(self) -> None:
        import tensorboardX

        self._library = tensorboardX
        self._writer: Any = None
        self._config: Mapping[str, Any] = {}

    def started(self, run: RunFacts) -> None:
        self._config = run.config
        self._writer = self._library.SummaryWriter(logdir=str(run.folder / "tensorboard" / run.name))
        self._writer.add_text("config", _as_markdown(run.config))
        self._writer.flush()

    def attempt(self, record: AttemptRecord, scalars: Mapping[str, float], step: int) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def finished(self, summary: Mapping[str, float]) -> None:
        plain = {
            name: value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
            for name, value in self._config.items()
        }
        metrics = {f"summary/{name}": value for name, value in summary.items()}
        # Not by the writer's own method, which begins a file of the same name if it is called within a second.
        for each in self._library.summary.hparams(plain, metrics):
            self._writer.file_writer.add_summary(each)
        for name, value in metrics.items():
            self._writer.add_scalar(name, value)
        self._writer.close()


def _as_markdown(config: Mapping[str, Any]) -> str:
    return "\n".join(f"    {line}" for line in json.dumps(dict(config), indent=1).splitlines())
