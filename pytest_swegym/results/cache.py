"""Grades kept by content: the same patch is never graded twice by the same tests in the same environment."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import logging
import os
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.locks import key_lock
from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.paths import write_atomic
from pytest_swegym.errors import ConfigError
from pytest_swegym.results.store import READ_LIMIT
from pytest_swegym.task import Compat
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import TestResult
from pytest_swegym.task import Verdict


log = logging.getLogger("pytest_swegym.results")
FORMAT = "swegym.grade/1"
#: The folder of the cache that grades are kept in.
FOLDER = "grades"
_VERDICTS = frozenset({Verdict.RESOLVED, Verdict.UNRESOLVED, Verdict.INVALID_PATCH, Verdict.TAMPERED})
#: Exit codes of a test session that came to its end, be it with failures, broken tests or none.
_ENDED = range(6)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeCache:
    """Grades below ``folder``, one file each. Safe to use from several threads and processes."""

    folder: Path

    @classmethod
    def default(cls) -> GradeCache:
        """The one of this user, in the cache folder."""
        return cls(folder=cache_dir(FOLDER))

    def key(
        self,
        prepared: str,
        patch: str,
        protect: str,
        compat: str = "same-run",
        *,
        tree: str = "",
        fast_fail: bool = False,
        shards: int = 1,
    ) -> str:
        """Names what a grade is a function of. ``prepared`` is the key of the task, its snapshot and its sandbox.

        ``tree`` is the digest of the tree that was handed in, if one was.
        """
        parts = (FORMAT, prepared, patch_digest(patch), protect, compat, tree, grader_digest())
        return content_key("grade", *parts, *manner(fast_fail, shards))

    def get_or_make(self, key: str, make: Callable[[], Grade]) -> tuple[Grade, bool]:
        """The grade called ``key`` and true; or the one that ``make`` makes, kept if it may be, and false.

        Whoever asks for the same key meanwhile waits, instead of running the same tests beside it.
        """
        # Few locks for many keys: two that share one only wait for each other.
        with key_lock(f"{FOLDER}-{key[:3]}"):
            kept = self.read(key)
            if kept is not None:
                return kept, True
            grade = make()
            if is_function_of_its_inputs(grade):
                self.write(key, grade)
            return grade, False

    def read(self, key: str) -> Grade | None:
        """A kept grade; ``None`` if there is none, or a damaged one, which is then removed."""
        path = self._path(key)
        try:
            with gzip.open(path, "rb") as file:
                raw = file.read(READ_LIMIT + 1)
            grade = grade_from_dict(json.loads(raw) if len(raw) <= READ_LIMIT else {}, where=str(path))
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, RecursionError, ConfigError) as error:
            log.warning("a kept grade is damaged, the patch is graded again: %s", error)
            path.unlink(missing_ok=True)
            return None
        with suppress(OSError):
            os.utime(path)  # the disk budget removes what was not used for longest
        return grade

    def write(self, key: str, grade: Grade) -> None:
        """Keep a grade; that a disk is full is no reason to lose it."""
        try:
            write_atomic(self._path(key), gzip.compress(json.dumps(grade_to_dict(grade)).encode(), 6, mtime=0))
        except OSError as error:
            log.warning("the grade could not be kept: %s", error)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json.gz"


def is_function_of_its_inputs(grade: Grade) -> bool:
    """Whether the same patch would surely come to the same again.

    Not so what ran out of time or memory, was killed, or was failed by the machinery: another day it may go otherwise.
    """
    if grade.verdict is Verdict.INVALID_PATCH:
        return True
    return grade.verdict in _VERDICTS and grade.exit_code in _ENDED and not grade.oom


def manner(fast_fail: bool, shards: int) -> list[str]:
    """How the tests are run, as parts of a key: none for a whole run in one process."""
    return ["fast-fail"] * fast_fail + ["shards"] * (shards != 1)


def patch_digest(patch: str) -> str:
    """Names a patch by its bytes as they are applied: a missing last line end makes no difference, all else does."""
    data = patch.encode("utf-8", "surrogateescape")
    return hashlib.sha256(data if data.endswith(b"\n") else data + b"\n").hexdigest()


@cache
def grader_digest() -> str:
    """Names the code that makes a grade, so that none outlives a change of it that forgot to raise its version."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in grader_files():
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root)}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def grader_files() -> list[Path]:
    """What a grade is made by, its tables too."""
    root = Path(__file__).parents[1]
    folders = (root / "grading", root / "environments")
    found = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".toml")]
    return sorted([root / "workspace.py", *found])


def grade_to_dict(grade: Grade) -> dict[str, Any]:
    """All of a grade as JSON; :func:`grade_from_dict` reads it back to an equal value."""
    data = asdict(grade)
    for name in ("junit_xml", "log"):
        data[name] = base64.b64encode(data[name]).decode("ascii")
    return {"format": FORMAT, **data}


def grade_from_dict(data: Any, *, where: str = "grade") -> Grade:
    """Read :func:`grade_to_dict`'s form back. Raises :class:`ConfigError` for another format or a damaged one."""
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise ConfigError(f"{where}: not a {FORMAT}")
    given = {name: value for name, value in data.items() if name != "format"}
    try:
        given["verdict"] = Verdict(given["verdict"])
        for name in ("fail_to_pass", "pass_to_pass", "baseline"):
            given[name] = {test: Outcome(outcome) for test, outcome in given[name].items()}
        given["tests"] = {name: _test(test) for name, test in given["tests"].items()}
        for name in ("reasons", "protected"):
            given[name] = tuple(given[name])
        for name in ("junit_xml", "log"):
            given[name] = base64.b64decode(given[name], validate=True)
        given["compat"] = None if given["compat"] is None else Compat(**given["compat"])
        return Grade(**given)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{where}: damaged grade: {error!r:.200}") from None


def _test(data: Mapping[str, Any]) -> TestResult:
    return TestResult(**{**data, "outcome": Outcome(data["outcome"])})
