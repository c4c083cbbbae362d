"""Reading untrusted mappings field by field, with errors that name the field, the file and what is allowed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import TypeVar

from pytest_swegym.errors import SpecError


T = TypeVar("T")


class Fields:
    """A mapping being read: each ``take`` removes a field; what is left at the end is unknown and refused."""

    def __init__(self, data: Mapping[str, Any], *, where: str | None = None, prefix: str = "") -> None:
        if not isinstance(data, Mapping):
            raise SpecError(f"expected a table of fields, got {type(data).__name__}", field=prefix, where=where)
        self._data = dict(data)
        self._known: list[str] = []
        self._prefix = prefix + "." if prefix else ""
        self.where = where

    def error(self, field: str, message: str) -> SpecError:
        return SpecError(message, field=self._prefix + field, where=self.where)

    def take(self, names: str | tuple[str, ...], convert: Callable[[Any], T], default: T) -> T:
        """The first of ``names`` that is present, through ``convert``; ``None`` counts as absent."""
        names = (names,) if isinstance(names, str) else names
        self._known.extend(names)
        present = [(name, self._data.pop(name)) for name in names if name in self._data]
        given = [(name, value) for name, value in present if value is not None]
        if len(given) > 1:
            raise self.error(given[1][0], f"given twice, also as {given[0][0]!r}; keep one")
        if not given:
            return default
        name, value = given[0]
        try:
            return convert(value)
        except (TypeError, ValueError) as error:
            raise self.error(name, f"{error} (got {value!r:.80})") from None

    def require(self, names: str | tuple[str, ...], convert: Callable[[Any], T]) -> T:
        value = self.take(names, convert, None)
        if value is None or value == "":
            first = names if isinstance(names, str) else names[0]
            for typo in difflib.get_close_matches(first, [name for name in self._data if name != first], 1, 0.65):
                raise self.error(typo, f"unknown field; did you mean {first!r}?")
            raise self.error(first, "is required")
        return value

    def sub(self, name: str) -> Fields:
        """A nested table (empty if absent)."""
        value = self._data.pop(name, None)
        self._known.append(name)
        return Fields({} if value is None else value, where=self.where, prefix=self._prefix + name)

    def rest(self) -> dict[str, Any]:
        """Everything not yet taken."""
        rest, self._data = self._data, {}
        return rest

    def end(self) -> None:
        """Refuse unknown fields, with the nearest known name."""
        for name in self._data:
            close = difflib.get_close_matches(name, self._known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known fields: {', '.join(sorted(self._known))}"
            raise self.error(name, f"unknown field; {hint}")


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("must be a string")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """A list of strings; a lone string is a list of one."""
    if isinstance(value, str):
        return (value,)
    items = None if isinstance(value, Mapping) or not isinstance(value, Iterable) else tuple(value)
    if items is None or not all(isinstance(item, str) for item in items):
        raise TypeError("must be a list of strings")
    return items


def test_ids(value: Any) -> tuple[str, ...]:
    """Test ids as a list, or as the JSON text of a list (SWE-bench rows store them so)."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json.loads(value)
    if isinstance(value, str) and not value.strip():
        return ()
    return tuple(dict.fromkeys(texts(value)))


test_ids.__test__ = False  # type: ignore[attr-defined]  # not a test of pytest's


def positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError("must be a number above 0")
    return float(value)


def count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError("must be a whole number above 0")
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return value


def string_map(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        raise TypeError("must be a table of strings")
    return dict(value)


def one_of(*allowed: str) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return str(value)

    return convert
