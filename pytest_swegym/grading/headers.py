"""Which files a unified diff speaks of, without applying it."""

from __future__ import annotations

import re


_ESCAPE = re.compile(rb'\\(?:([0-7]{3})|([abtnvfr"\\]))')
_LETTERS = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
_EXTENDED = ("rename from ", "rename to ", "copy from ", "copy to ")


def patch_paths(patch: str) -> set[str]:
    """Every path that a header of ``patch`` names, on either side, its first component (``a/``, ``b/``) stripped.

    Generous on purpose: a line in the body of a hunk that looks like a header counts too. Who protects files would
    rather look once too often.
    """
    found: set[str] = set()
    for line in patch.split("\n"):
        line = line.removesuffix("\r")
        if line.startswith(("--- ", "+++ ", "Index: ")):
            found.add(_stripped(_name(line.split(" ", 1)[1])))
        elif line.startswith(_EXTENDED):
            found.add(_name(line.split(" ", 2)[2]))  # these have no prefix
        elif line.startswith("diff --git "):
            found.update(_stripped(name) for name in _both(line[len("diff --git ") :]))
    return {path for path in found if path and path != "/dev/null"}


def _stripped(path: str) -> str:
    return "" if path == "/dev/null" else path.partition("/")[2]


def _name(text: str) -> str:
    """A name as git writes it: quoted like a C string, or bare up to a tab (a time stamp follows)."""
    if text.startswith('"'):
        end = re.match(r'"((?:[^"\\]|\\.)*)"', text)
        return _unquoted(end[1]) if end else text
    return text.split("\t")[0]


def _both(text: str) -> list[str]:
    """The two names of a ``diff --git`` line. Bare names with spaces are ambiguous: git itself takes equal halves."""
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    if quoted:
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', " ", text).strip()
        return [_unquoted(name) for name in quoted] + ([bare] if bare else [])
    half = len(text) // 2
    if text[half : half + 1] == " " and text[:half].partition("/")[2] == text[half + 1 :].partition("/")[2]:
        return [text[:half], text[half + 1 :]]
    names = text.split(" ")
    return names if len(names) == 2 else []  # a rename: its own lines give the names


def _unquoted(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    plain = _ESCAPE.sub(
        lambda m: bytes([int(m[1], 8) & 0xFF]) if m[1] else _LETTERS.get(m[2], m[2]),
        raw,
    )
    return plain.decode("utf-8", "surrogateescape")
