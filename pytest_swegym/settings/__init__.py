"""What a user can choose: the options shared by pytest, its ini file, the environment and the command line."""

from __future__ import annotations

from pytest_swegym.settings.options import OPTIONS
from pytest_swegym.settings.options import Option
from pytest_swegym.settings.options import add_option
from pytest_swegym.settings.options import option
from pytest_swegym.settings.parse import one_of
from pytest_swegym.settings.parse import parse_count
from pytest_swegym.settings.parse import parse_path
from pytest_swegym.settings.parse import parse_rate
from pytest_swegym.settings.parse import parse_shards
from pytest_swegym.settings.resolve import Settings
from pytest_swegym.settings.resolve import counts_all
from pytest_swegym.settings.resolve import resolve


__all__ = [
    "OPTIONS",
    "Option",
    "Settings",
    "add_option",
    "counts_all",
    "one_of",
    "option",
    "parse_count",
    "parse_path",
    "parse_rate",
    "parse_shards",
    "resolve",
]
