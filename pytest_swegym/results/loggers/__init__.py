"""Loggers: where the numbers of a run go besides its folder."""

from __future__ import annotations

from pytest_swegym.results.loggers.base import Logger
from pytest_swegym.results.loggers.base import RunFacts
from pytest_swegym.results.loggers.load import Loggers
from pytest_swegym.results.loggers.load import load_logger


__all__ = ["Logger", "Loggers", "RunFacts", "load_logger"]
