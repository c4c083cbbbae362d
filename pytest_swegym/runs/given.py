"""What is given to a run, checked before anything begins: by the options' own parsers, and named as it was given."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from inspect import signature
from typing import Any
from typing import ParamSpec
from typing import TypeVar
from typing import get_type_hints

from pytest_swegym._support.text import did_you_mean
from pytest_swegym.errors import ConfigError
from pytest_swegym.settings import OPTIONS
from pytest_swegym.settings import Option


P = ParamSpec("P")
T = TypeVar("T")


def strict(function: Callable[P, T]) -> Callable[P, T]:
    """The function; an argument that it lacks is refused with the nearest that it has. Raises :class:`TypeError`."""
    names = [name for name in signature(function).parameters if name != "self"]
    called = function.__qualname__.removesuffix(".__init__")

    @wraps(function)
    def call(*args: P.args, **more: P.kwargs) -> T:
        for name in more:
            if name not in names:
                raise TypeError(f"{called} takes no {name!r}{did_you_mean(name, names)}; it takes: {', '.join(names)}")
        return function(*args, **more)

    return call


def check_fields(given: Any) -> None:
    """Raise :class:`ConfigError` unless the option of each field's name takes its value; defaults are always taken."""
    entries = {entry.name.replace("-", "_"): entry for entry in OPTIONS}
    kinds = get_type_hints(type(given))
    for each in fields(given):
        value = getattr(given, each.name)
        if type(value) is type(each.default) and value == each.default:
            continue
        problem = _problem(entries[each.name], value, kinds[each.name]) if each.name in entries else ""
        if problem:
            raise ConfigError(f"{each.name}={value!r:.80}: {problem}")


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise :class:`ConfigError` for what is not a whole number of at least so much."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name}={value!r:.80}: expected a whole number of at least {least}")


def check_number(name: str, value: Any) -> None:
    """Raise :class:`ConfigError` for what is not a number, or cannot be compared with one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise ConfigError(f"{name}={value!r:.80}: expected a number")


def check_kind(name: str, value: Any, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raise :class:`ConfigError`, which says what is ``wanted``, for a value of another kind."""
    if not isinstance(value, kind):
        raise ConfigError(f"{name}={value!r:.80}: expected {wanted}")


def check_choice(name: str, value: str, parse: Callable[[str], Any]) -> None:
    """Raise :class:`ConfigError` for a word that the parser of an option refuses."""
    try:
        parse(value)
    except argparse.ArgumentTypeError as error:
        raise ConfigError(f"{name}={value!r:.80}: {error}") from None


def _problem(entry: Option, value: Any, kind: Any) -> str:
    """What is wrong with a value that is to be of that kind; empty if nothing is."""
    if entry.is_flag:
        return "" if isinstance(value, bool) else "expected True or False"
    if entry.is_list:
        fine = isinstance(value, tuple) and all(isinstance(word, str) and word.strip() for word in value)
        return "" if fine else "expected a list of texts, even of one"
    number = isinstance(1, kind) or isinstance(1.0, kind)
    if not (isinstance(value, str) and isinstance("", kind)) and not (isinstance(value, (int, float)) and number):
        return "expected a number" if number else "expected a name"
    try:
        entry.parse(str(value))
    except argparse.ArgumentTypeError as error:
        return str(error)
    return ""


__all__ = ["check_choice", "check_fields", "check_kind", "check_number", "check_whole", "strict"]
