"""Words of a command line, ini file or variable as values. Each raises :class:`argparse.ArgumentTypeError`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from pytest_swegym._support.text import did_you_mean


def _number(text: str, *, kind: Callable[[str], float], low: float, what: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {what} (got {text!r})") from None
    if not math.isfinite(value) or value < low:
        raise argparse.ArgumentTypeError(f"expected {what} (got {text!r})")
    return value


def parse_count(text: str) -> int:
    return int(_number(text, kind=int, low=1, what="a whole number of at least 1"))


def parse_shards(text: str) -> int:
    """A number, or 0 for ``auto``."""
    if text.strip() == "auto":
        return 0
    return int(_number(text, kind=int, low=1, what="a whole number of at least 1, or auto"))


def parse_whole(text: str) -> int:
    return int(_number(text, kind=int, low=0, what="a whole number of at least 0"))


def parse_seconds(text: str) -> float:
    seconds = _number(text, kind=float, low=0, what="seconds above 0")
    if seconds == 0:
        raise argparse.ArgumentTypeError(f"expected seconds above 0 (got {text!r})")
    return seconds


def parse_size(text: str) -> float:
    return _number(text, kind=float, low=0, what="GiB, as a number of at least 0")


def parse_registry(text: str) -> str:
    """``HOST[:PORT][/PATH]``, without a scheme and credentials."""
    word = parse_word(text).rstrip("/")
    host = word.split("/")[0]
    if "@" in word or "://" in word:
        raise argparse.ArgumentTypeError("expected HOST[:PORT][/PATH] without scheme or login (use docker login)")
    if not (host == "localhost" or "." in host or ":" in host):
        raise argparse.ArgumentTypeError(f"expected HOST[:PORT][/PATH] (got {text!r})")
    return word


def parse_rate(text: str) -> float:
    rate = _number(text, kind=float, low=0, what="a rate between 0 and 1")
    if rate > 1:
        raise argparse.ArgumentTypeError(f"expected a rate between 0 and 1 (got {text!r})")
    return rate


def parse_word(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a name, got nothing")
    return text.strip()


def parse_words(text: str) -> tuple[str, ...]:
    """``a,b`` as ``("a", "b")``."""
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    if not words:
        raise argparse.ArgumentTypeError("expected one or more files, got nothing")
    return words


def parse_lines(text: str) -> tuple[str, ...]:
    """One expression a line, as it is written: a comma may be part of it."""
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not lines:
        raise argparse.ArgumentTypeError("expected an expression, got nothing")
    return lines


def parse_path(text: str) -> Path:
    try:
        return Path(parse_word(text)).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"expected a path; {text!r} names the home of nobody") from None


def parse_flag(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.strip().lower() not in known:
        raise argparse.ArgumentTypeError(f"expected true or false (got {text!r})")
    return known[text.strip().lower()]


def one_of(choices: tuple[str, ...], *, or_name: bool) -> Callable[[str], str]:
    """One of ``choices``; with ``or_name`` also ``module:attr`` or ``file.py:attr``."""

    def parse(text: str) -> str:
        word = parse_word(text)
        if word in choices or (or_name and ":" in word):
            return word
        more = " or module:attr" if or_name else ""
        meant = did_you_mean(word, choices)
        raise argparse.ArgumentTypeError(f"{word!r} is not known; choose from: {', '.join(choices)}{more}{meant}")

    return parse
