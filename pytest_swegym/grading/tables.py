"""The test settings of a ``pyproject.toml`` put back, its other settings kept."""

from __future__ import annotations

import re
import sys
from typing import Any


_OURS = ("pytest", "coverage")
_HEADER = re.compile(r"\s*\[\[?\s*([^\]]*?)\s*\]\]?\s*(?:#.*)?")


def with_tables_of(base: str, patched: str | None) -> str | None:
    """``patched`` with ``tool.pytest`` and ``tool.coverage`` as they are in ``base``.

    ``None`` if that cannot be done safely (not TOML, or the tables are written in a way that is not understood): the
    whole file goes back then.
    """
    if patched is None:
        return None
    want, have = _parse(base), _parse(patched)
    if want is None or have is None:
        return None
    if _tables(want) == _tables(have):
        return patched
    text = "".join(_sections(patched, ours=False)).rstrip("\n") + "\n\n" + "".join(_sections(base, ours=True))
    rest = {**have, "tool": {k: v for k, v in have.get("tool", {}).items() if k not in _OURS} | _tables(want)}
    got = _parse(text)
    return text if got is not None and (got | {"tool": got.get("tool", {})}) == rest else None


def _tables(data: dict[str, Any]) -> dict[str, Any]:
    tool = data.get("tool", {})
    return {name: tool[name] for name in _OURS if name in tool}


def _parse(text: str) -> dict[str, Any] | None:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        data = tomllib.loads(text)
    except ValueError:
        return None
    return data if isinstance(data.get("tool", {}), dict) else None


def _sections(text: str, *, ours: bool) -> list[str]:
    """The lines of our tables, or of all others."""
    inside, found = False, []
    for line in text.splitlines(keepends=True):
        header = _HEADER.fullmatch(line.rstrip("\r\n"))
        if header:
            names = [part.strip().strip("\"'") for part in header[1].split(".")]
            inside = names[:1] == ["tool"] and names[1:2] != [] and names[1] in _OURS
        if inside is ours:
            found.append(line if line.endswith("\n") else line + "\n")
    return found
