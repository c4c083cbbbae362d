"""Text from somewhere else, made safe to show."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any


def one_line(text: str, limit: int = 300) -> str:
    """Text from somewhere else, made safe to stand in a line: no line break, no control character, not too long.

    Nor what a CI takes for a command wherever it stands in a line.
    """
    safe = "".join(char if char.isprintable() else " " for char in text[:limit]).replace("##[", "# #[")
    return safe if len(text) <= limit else safe + "..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?``, if one of the ``known`` words is near; else nothing."""
    close = difflib.get_close_matches(word.lower(), known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def map_texts(value: Any, change: Callable[[str], str], *, keys: bool = False) -> Any:
    """A copy of a JSON value with every text in it changed, and with ``keys`` those of tables; however deep it is."""
    root = [value]
    waiting: list[tuple[Any, Any]] = [(root, 0)]
    while waiting:
        place, key = waiting.pop()
        found = place[key]
        if isinstance(found, str):
            place[key] = change(found)
        elif isinstance(found, Mapping):
            place[key] = {
                change(name) if keys and isinstance(name, str) else name: each for name, each in found.items()
            }
            waiting += [(place[key], name) for name in place[key]]
        elif isinstance(found, (list, tuple)):
            place[key] = list(found)
            waiting += [(place[key], number) for number in range(len(found))]
    return root[0]
