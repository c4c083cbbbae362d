"""Texts cut to a length that a page can show, and numbers that are surely numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def cut(text: str, limit: int) -> str:
    """At most about ``limit`` characters: the begin and the end, and a line that says how much is gone."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]}\n[... {len(text) - head - tail:,} characters left out here ...]\n{text[len(text) - tail :]}"


def cut_all(value: Any, limit: int, *, depth: int = 8) -> Any:
    """The same for every text of a JSON value; of long lists the begin, and nothing that is nested too deep."""
    if isinstance(value, str):
        return cut(value, limit)
    if isinstance(value, Mapping):
        if not depth:
            return "{...}"
        return {cut(str(key), 200): cut_all(each, limit, depth=depth - 1) for key, each in [*value.items()][:200]}
    if isinstance(value, (list, tuple)):
        return [cut_all(each, limit, depth=depth - 1) for each in value[:200]] if depth else "[...]"
    return value


def number(value: Any) -> float | None:
    """A number as it is, ``None`` for anything else."""
    return None if isinstance(value, bool) or not isinstance(value, (int, float)) else value


def table(value: Any) -> Mapping[str, Any]:
    """A table as it is, an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def text(value: Any) -> str:
    """Text as it is, empty for anything else."""
    return value if isinstance(value, str) else ""
