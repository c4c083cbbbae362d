"""Edits of files by what stands in them: all of an answer are made, or none; nothing outside of the repository."""

from __future__ import annotations

import codecs
import difflib
import io
import posixpath
import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_swegym._support.trees import text_mode
from pytest_swegym.errors import PatchError
from pytest_swegym.session.actions import Edit
from pytest_swegym.session.matching import NoMatch
from pytest_swegym.session.matching import find
from pytest_swegym.session.matching import replaced
from pytest_swegym.workspace import Workspace


#: Largest file that is edited, in bytes.
FILE_LIMIT = 8 * 2**20
#: Characters of a resulting hunk that are shown.
_SHOWN = 4000
_LINKS = 'for p; do [ -L "$p" ] && printf "%s\\0" "$p"; done; :'
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)")
#: The bytes of a file by its path, ``None`` if there is none. May raise :class:`OSError` or :class:`ValueError`.
Read = Callable[[str], "bytes | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What edits make of the files: the bytes of each before (``None``: a new file) and after; what is ``said``."""

    before: Mapping[str, bytes | None]
    after: Mapping[str, bytes]
    said: str


def make_edits(edits: Sequence[Edit], read: Read) -> Edited:
    """Make all edits, each on top of the last, of files that ``read`` gives; nothing is written.

    Raises :class:`PatchError` that says which edit cannot be made, and why.
    """
    before: dict[str, bytes | None] = {}
    after: dict[str, bytes] = {}
    said = []
    for number, edit in enumerate(edits, 1):
        path = inside(edit.path)
        try:
            if path not in before:
                before[path] = read(path)
            after[path], how = _edited(after.get(path, before[path]), edit)
        except (OSError, ValueError) as error:
            which = f"edit {number} of {len(edits)}, " if len(edits) > 1 else ""
            none = " No edit is made." if len(edits) > 1 else ""
            raise PatchError(f"{which}{path}: {error}.{none}") from None
        said.append(f"{path}: {how}")
    return Edited(before=before, after=after, said="\n".join(said))


def apply_edits(workspace: Workspace, edits: Sequence[Edit]) -> str:
    """Make all edits in the workspace, or none; what was done, and the resulting hunks, in words.

    Raises :class:`PatchError` that says which edit cannot be made, and why.
    """
    edited = _made(workspace, edits)
    written: list[str] = []
    try:
        for path, data in edited.after.items():
            written.append(path)
            mode = text_mode(data[:2].decode("latin-1")) if edited.before[path] is None else None
            workspace.sandbox.write(f"{workspace.path}/{path}", data, mode=mode)
    except OSError as error:
        _put_back(workspace, {path: edited.before[path] for path in written})
        raise PatchError(f"{written[-1]}: {error}. No edit is made.") from None
    return edited.said


def edits_to_diff(workspace: Workspace, edits: Sequence[Edit]) -> str:
    """The unified diff that the edits come to, for a solver that returns one; the workspace stays as it is.

    Raises :class:`PatchError` that says which edit cannot be made, and why.
    """
    edited = _made(workspace, edits)
    parts = []
    for path, data in edited.after.items():
        old = edited.before[path]
        head = f"diff --git a/{path} b/{path}\n"
        head += f"new file mode 100{text_mode(data[:2].decode('latin-1')):o}\n" if old is None else ""
        names = ("/dev/null" if old is None else f"a/{path}", f"b/{path}")
        body = "".join(_diff((old or b""), data, *names))
        parts += [head + body] if body or old is None else []
    return "".join(parts)


def inside(path: str) -> str:
    """``path`` as it is from the repository's folder. Raises :class:`PatchError` if it leads out of it."""
    found = posixpath.normpath(path)
    parts = found.split("/")
    if (
        not path.strip()
        or not path.isprintable()
        or path.endswith("/")
        or found in (".", "..")
        or found.startswith("/")
    ):
        raise PatchError(f"{path!r:.200} is no path of a file in the repository; write it from the repository's folder")
    if ".." in parts or any(part.lower() == ".git" for part in parts):
        raise PatchError(f"{path!r:.200} is not in the repository; nothing outside of it, or in .git, is edited")
    return found


def _made(workspace: Workspace, edits: Sequence[Edit]) -> Edited:
    paths = sorted({inside(edit.path) for edit in edits})
    _refuse_links(workspace, paths)

    def read(path: str) -> bytes | None:
        try:
            return workspace.read_bytes(path, limit=FILE_LIMIT)
        except FileNotFoundError:
            return None

    return make_edits(edits, read)


def _refuse_links(workspace: Workspace, paths: Sequence[str]) -> None:
    """A symbolic link, be it a folder above a file, could lead anywhere."""
    places = {"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 2)}
    # "./": a path may begin with a dash.
    argv = ("sh", "-c", _LINKS, "sh", *(f"./{place}" for place in sorted(places)))
    found = workspace.sandbox.exec(argv, cwd=workspace.path, timeout=60).stdout.decode("utf-8", "surrogateescape")
    if found:
        link = found.split("\0")[0].removeprefix("./")
        raise PatchError(f"{link} is a symbolic link; edit the file that it leads to. No edit is made.")


def _put_back(workspace: Workspace, files: Mapping[str, bytes | None]) -> None:
    for path, data in files.items():
        place = f"{workspace.path}/{path}"
        if data is None:
            workspace.sandbox.exec(("rm", "-f", "--", place), timeout=60)
        else:
            try:
                workspace.sandbox.write(place, data)
            except OSError:
                continue  # the one that could not be written before either


# -- one edit ------------------------------------------------------------------------------------


def _edited(data: bytes | None, edit: Edit) -> tuple[bytes, str]:
    """The file's bytes after the edit, and how it was done. Raises :class:`ValueError`."""
    if not edit.old:
        if data:
            raise ValueError("the file exists, and old_code is empty: quote the code that is to be replaced")
        return edit.new.encode("utf-8", "surrogateescape"), "a new file." if data is None else "written, it was empty."
    if data is None:
        raise ValueError("there is no such file; leave old_code empty to make it")
    text, codec = _decoded(data)
    plain, old, new = (each.replace("\r\n", "\n") for each in (text, edit.old, edit.new))
    if old == new:
        raise ValueError("old_code and new_code are the same")
    try:
        match = find(plain, old)
    except NoMatch as error:
        raise ValueError(f"old_code {error}") from None
    result = replaced(plain, match, old, new)
    if result == plain:
        raise ValueError("what new_code says stands there already")
    first, last = match.lines
    how = f"line {first}" if first == last else f"lines {first}-{last}"
    return _encoded(_with_ends(text, plain, result), codec), f"{how} matched {match.how}.\n{_hunk(plain, result)}"


def _decoded(data: bytes) -> tuple[str, str]:
    """A file's text, and the codec that makes the same bytes of it."""
    cookies = (_COOKIE.match(line) for line in data[:1000].split(b"\n")[:2])
    named = [cookie.group(1).decode("ascii") for cookie in cookies if cookie]
    for codec in (_MARKS.get(data[:2], "utf-8"), *named, "latin-1"):
        try:
            text = data.decode(codec)
            if text.encode(codec) == data and "\0" not in text:
                return text, codec
        except (UnicodeError, LookupError, AttributeError, TypeError):  # an unknown codec, or one that is none of text
            continue
    raise ValueError("it is a binary file")


def _encoded(text: str, codec: str) -> bytes:
    try:
        return text.encode(codec, "surrogateescape")
    except UnicodeEncodeError as error:
        odd = text[error.start : error.start + 1]
        raise ValueError(f"the file's encoding, {codec}, has no {odd!r}") from None


def _with_ends(raw: str, plain: str, result: str) -> str:
    """``result`` of an edit of ``plain`` with the line ends of ``raw``; new lines get those that most lines have."""
    if raw == plain:
        return result
    same = len(posixpath.commonprefix([plain, result]))
    tail = len(posixpath.commonprefix([plain[same:][::-1], result[same:][::-1]]))
    middle = result[same : len(result) - tail]
    if raw.count("\r\n") * 2 > raw.count("\n"):
        middle = middle.replace("\n", "\r\n")
    return raw[: _index(raw, same)] + middle + raw[_index(raw, len(plain) - tail) :]


def _index(raw: str, index: int) -> int:
    """Where in ``raw`` the character is that is at ``index`` with every CRLF made one line feed."""
    passed = 0
    at = raw.find("\r\n")
    while 0 <= at < index + passed:
        passed += 1
        at = raw.find("\r\n", at + 2)
    return index + passed


# -- what is shown -------------------------------------------------------------------------------


def _hunk(old: str, new: str) -> str:
    lines = [*difflib.unified_diff(old.split("\n"), new.split("\n"), n=2, lineterm="")][2:]
    text = "\n".join(lines)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}\n[{len(text) - _SHOWN} more characters]"


def _diff(old: bytes, new: bytes, was: str, now: str) -> Iterator[str]:
    before, after = (io.StringIO(each.decode("utf-8", "surrogateescape"), newline="\n") for each in (old, new))
    for line in difflib.unified_diff([*before], [*after], was, now):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
