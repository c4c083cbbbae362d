"""One executable check: a command that runs where the answer is, and what it must print."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from pytest_swegym.task import fields as f


#: The runner of tasks that are decided by checks (or by a judge), not by a test suite.
RUNNER = "checks"
#: Seconds for a check that does not say.
TIMEOUT = 60.0
_NAME = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,198}[^\s\x00-\x1f\x7f])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A command and what it must come to; hidden from the solver.

    ``run`` is a line or script for the task's shell, ``stdin`` what it reads. Its stdout must equal ``stdout`` (but for
    one line end at the end), hold every text of ``contains``, and match the regular expression ``matches`` somewhere
    (``^`` and ``$`` are ends of lines); its exit code must be ``exit_code``, within ``timeout`` seconds. ``files``
    (path in the workdir to text) are there for this check alone. A check that ``keeps`` holds before the solver and
    must hold after it; any other fails before.
    """

    name: str
    run: str
    stdin: str = ""
    stdout: str | None = None
    contains: tuple[str, ...] = ()
    matches: str | None = None
    exit_code: int = 0
    timeout: float = TIMEOUT
    files: Mapping[str, str] = field(default_factory=dict)
    keeps: bool = False


def read_checks(value: Any, *, where: str | None = None) -> tuple[Check, ...]:
    """A list of tables as checks, their names unique. Raises :class:`SpecError` that names the key."""
    whole = f.Fields({}, where=where)
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise whole.error("checks", f"must be a list of tables (got {type(value).__name__})")
    checks: list[Check] = []
    for number, row in enumerate(value):
        check = _read_check(f.Fields(row, where=where, prefix=f"checks[{number}]"))
        if any(check.name == other.name for other in checks):
            raise whole.error(f"checks[{number}].name", f"{check.name!r} is the name of an earlier check")
        checks.append(check)
    return tuple(checks)


def _read_check(table: f.Fields) -> Check:
    check = Check(
        name=table.require("name", _name),
        run=table.require("run", _command),
        stdin=table.take("stdin", f.text, ""),
        stdout=table.take("stdout", f.text, None),
        contains=table.take("contains", f.texts, ()),
        matches=table.take("matches", _pattern, None),
        exit_code=table.take("exit_code", _exit_code, 0),
        timeout=table.take("timeout", f.positive, TIMEOUT),
        files=table.take("files", relative_files, {}),
        keeps=table.take("keeps", f.flag, False),
    )
    table.end()
    return check


def relative_files(value: Any) -> dict[str, str]:
    """A table of texts by their paths in the workdir."""
    files = f.string_map(value)
    for path in files:
        parts = path.split("/")
        if not path or "\0" in path or path.startswith("/") or {"", ".", ".."} & {*parts}:
            raise ValueError(f"{path!r} must be a path inside the workdir")
        if any(other.startswith(path + "/") for other in files):
            raise ValueError(f"{path!r} is a file, and the folder of another one")
    return files


def _name(value: Any) -> str:
    text = f.text(value)
    if not _NAME.fullmatch(text):
        raise ValueError("must be one line of at most 200 characters, with no space at its ends")
    return text


def _command(value: Any) -> str:
    text = f.text(value)
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text


def _pattern(value: Any) -> str:
    text = f.text(value)
    try:
        re.compile(text, re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return text


def _exit_code(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 255:
        raise ValueError("must be a whole number from 0 to 255")
    return value
