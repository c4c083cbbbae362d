"""Which files a unified diff speaks of, without applying it."""

from __future__ import annotations

import posixpath
import re


_ESCAPE = re.compile(rb'\\(?:([0-7]{3})|([abtnvfr"\\]))')
_LETTERS = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
_EXTENDED = ("rename from ", "rename to ", "copy from ", "copy to ")
#: What git takes for a date behind a name, with or without a time of day, and what both are made of.
_DATE, _STAMP = re.compile(r"(?<! ) +(?:\d\d)?\d\d-\d\d-\d\d(?![^ ])"), " 0123456789:.+-"
#: What patch(1) passes over at the beginning of each line.
_INDENT = re.compile(r"^(?:[ \tX]|- )+", re.MULTILINE)


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
    return {path for path in map(_plain, found - {"/dev/null"}) if path}


def likely_paths(patch: str) -> set[str]:
    """:func:`patch_paths`, and what patch(1) may read in ``patch``: indented headers, names up to their first space."""
    whole = "\n".join((patch, _INDENT.sub("", patch)))
    bare = (line for line in whole.split("\n") if line.startswith(("--- ", "+++ ", "Index: ")) and "\t" not in line)
    cut = {_plain(_stripped(words[1])) for words in (line.split(maxsplit=2) for line in bare) if len(words) > 1}
    return patch_paths(whole) | cut - {""}


def _plain(path: str) -> str:
    """A path as programs find it: up to a NUL character, below the folder where it is applied. Empty for none."""
    path = posixpath.normpath(path.partition("\0")[0]).lstrip("/")
    return "" if path == "." or path.split("/")[0] == ".." else path


def _stripped(path: str) -> str:
    return "" if path == "/dev/null" else path.partition("/")[2]


def _name(text: str) -> str:
    """A name as git reads it: quoted like a C string, or bare up to a tab or a date (a time stamp follows)."""
    if text.startswith('"'):
        end = re.match(r'"((?:[^"\\]|\\.)*)"', text)
        return _unquoted(end[1]) if end else text
    name = text.split("\t")[0]
    date = _DATE.search(name, len(name.rstrip(_STAMP)))
    return name[: date.start()] if date else name


def _both(text: str) -> list[str]:
    """The names of a ``diff --git`` line. Bare names with spaces are ambiguous: git takes what stands there twice."""
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    if quoted:
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', " ", text).strip()
        return [_unquoted(name) for name in quoted] + ([bare] if bare else [])
    begin, slash = text.find("/") + 1, 0
    for space in re.finditer(r"[ \t]", text):
        at = space.start()
        slash = slash if slash > at else text.find("/", at) + 1
        if at - begin == len(text) - slash and text[begin:at] == text[slash:]:
            return [text[:at]]
        if not slash:
            break
    names = text.split(" ")
    return names if len(names) == 2 else []  # a rename: its own lines give the names


def _unquoted(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    plain = _ESCAPE.sub(
        lambda m: bytes([int(m[1], 8) & 0xFF]) if m[1] else _LETTERS.get(m[2], m[2]),
        raw,
    )
    return plain.decode("utf-8", "surrogateescape")
