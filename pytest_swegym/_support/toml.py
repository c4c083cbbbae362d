"""TOML, on every Python."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pytest_swegym.errors import ConfigError


if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file. Raises :class:`ConfigError`, naming the file, if it cannot be read or is damaged."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
