"""Loggers by name, and all of those that a run has as one."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import cast

from pytest_swegym._support.loading import load
from pytest_swegym._support.loading import looks_like_name
from pytest_swegym.errors import ConfigError
from pytest_swegym.results.loggers.base import Logger
from pytest_swegym.results.loggers.base import RunFacts
from pytest_swegym.results.loggers.base import RunningTotals
from pytest_swegym.results.loggers.base import summary_scalars
from pytest_swegym.task import AttemptRecord


_FOLDER = "pytest_swegym.results.loggers"
#: Where each logger is, and the library that it cannot do without.
_KNOWN = {
    "wandb": (f"{_FOLDER}.wandb", "WandbLogger", "wandb"),
    "trackio": (f"{_FOLDER}.trackio", "TrackioLogger", "trackio"),
    "tensorboard": (f"{_FOLDER}.tensorboard", "TensorboardLogger", "tensorboardX"),
}


def load_logger(name: str, *, root: Path | None = None) -> Logger:
    """The logger called ``name``, or ``module:attr``: a class of your own, made without arguments.

    Raises :class:`ConfigError`: nobody of that name, or its library is not installed; the message has the command.
    """
    if name not in _KNOWN:
        return _own(name, root)
    module, attr, library = _KNOWN[name]
    try:
        made = getattr(importlib.import_module(module), attr)()
    except ImportError as error:
        way_out = f"pip install 'pytest-swegym[{name}]'"
        raise ConfigError(
            f"{name}: needs the package {library}, which cannot be imported ({error}): {way_out}"
        ) from error
    return cast("Logger", made)


def _own(name: str, root: Path | None) -> Logger:
    if not looks_like_name(name):
        raise ConfigError(f"{name!r} is not known; choose from: {', '.join(_KNOWN)} or module:attr")
    made = load(name, what="logger", root=root)
    try:
        logger = made() if callable(made) else made
    except Exception as error:
        raise ConfigError(f"{name}: cannot be made: {type(error).__name__}: {error}") from error
    missing = [each for each in ("started", "attempt", "finished") if not callable(getattr(logger, each, None))]
    if missing:
        raise ConfigError(f"{name}: a logger has started, attempt and finished; this one lacks {', '.join(missing)}")
    return cast("Logger", logger)


class Loggers:
    """The loggers of a run, by name. One that fails is told of through ``complain``, and is not asked again."""

    def __init__(self, loggers: Mapping[str, Logger], complain: Callable[[str, Exception], None]) -> None:
        self._loggers = dict(loggers)
        self._complain = complain
        self._totals = RunningTotals()
        self._told: set[str] = set()

    def started(self, run: RunFacts) -> None:
        self._each(lambda logger: logger.started(run))

    def attempt(self, record: AttemptRecord) -> None:
        """An attempt ended; the same one a second time is not counted again."""
        if record.key in self._told:
            return
        self._told.add(record.key)
        scalars = {name: value for name, value in self._totals.add(record).items() if math.isfinite(value)}
        step = self._totals.attempts
        self._each(lambda logger: logger.attempt(record, scalars, step))

    def finished(self, records: Sequence[AttemptRecord], summary: Mapping[str, Any]) -> None:
        """The run ended; those of its ``records`` that nobody was told of come first."""
        for record in records:
            self.attempt(record)
        totals = {name: value for name, value in summary_scalars(summary).items() if math.isfinite(value)}
        self._each(lambda logger: logger.finished(totals))

    def _each(self, call: Callable[[Logger], None]) -> None:
        for name, logger in list(self._loggers.items()):
            try:
                call(logger)
            except Exception as error:
                del self._loggers[name]
                self._complain(f"--swegym-log={name}", error)
