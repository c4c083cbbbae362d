"""``swegym COMMAND``: what is not a pytest run."""

from __future__ import annotations

from pytest_swegym.cli.main import COMMANDS
from pytest_swegym.cli.main import main


__all__ = ["COMMANDS", "main"]
