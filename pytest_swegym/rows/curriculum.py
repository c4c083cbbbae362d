"""Curricula: files of small tasks by number, as gym-codecraft has them, with checks that can be run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_swegym.errors import SpecError
from pytest_swegym.rows.check_writer import with_kept_checks
from pytest_swegym.task import Task
from pytest_swegym.task import fields as f
from pytest_swegym.task.files import Entry
from pytest_swegym.task.files import read_text
from pytest_swegym.task.spec import NO_REPO


#: The name of the curriculum that comes with us.
SHIPPED = "curriculum"
_WORKDIR = "/workspace"
#: Kept in the file only: for whoever writes and reviews tasks.
_NOTES = ("near_miss", "near_miss_fails", "teaches", "level")
#: Texts that may be lists of lines.
_TEXTS = ("description", "for_teacher", "test", "setup", "solution", "near_miss")
_CHECK_TEXTS = ("run", "stdin", "stdout")
#: Passed on as the task file's own fields of that name.
_OWN = ("checks", "files", "setup", "solution", "needs", "python", "packages", "env", "limits", "pass_mark")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.+\-]{1,100}")


def shipped() -> Path:
    """The file of the curriculum that comes with us."""
    return Path(__file__).parents[1] / "curriculum" / "curriculum.json"


def is_curriculum(path: Path) -> bool:
    """Whether a file is meant to hold a curriculum: a table with ``tasks``, or with nothing. One of no JSON is none."""
    if path.suffix != ".json":
        return False
    try:
        # Rows of data sets are large, and none of theirs begins so.
        with path.open("rb") as file:
            start = file.read(4096)
            if b'"tasks"' not in start and start.split() not in ([b"{}"], [b"{", b"}"]):
                return False
        data = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError, SpecError):
        return False
    return isinstance(data, dict) and "instance_id" not in data and (not data or "tasks" in data)


def curriculum_entries(path: Path) -> list[Entry]:
    """The tasks of a curriculum in its order; ids are ``NAME__ID``. Raises :class:`SpecError` that names the key."""
    name, tasks = _read(path)
    lines = _lines(path)
    entries = []
    for number, table in tasks.items():
        where = f"{path}: task {number!r}"
        if not _PLAIN_ID.fullmatch(number):
            raise SpecError("the id of a task may hold only letters, digits and _ . + -", field=number, where=str(path))
        task = Task.from_dict(_row(f"{name}__{number}", f.Fields(table, where=where)), where=where)
        entries.append(Entry(task=with_kept_checks(task), line=lines.get(number, 1)))
    if not entries:
        raise SpecError("holds no task", field="tasks", where=str(path))
    return entries


def read_curriculum(path: Path) -> dict[str, dict[str, Any]]:
    """The tables of a curriculum by id; texts that lie in files beside it, or are lists of lines, as texts."""
    return _read(path)[1]


def _read(path: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    try:
        data = json.loads(read_text(path), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"not valid JSON: {error}", where=str(path)) from None
    if data == {}:
        raise SpecError("expected a table 'tasks' of tasks by id", where=str(path))
    reader = f.Fields(data, where=str(path))
    name = reader.take("name", f.text, path.stem)
    tables = reader.require("tasks", _table)
    reader.end()
    return name, {number: _resolved(table, path, number) for number, table in tables.items()}


def _row(instance_id: str, reader: f.Fields) -> dict[str, Any]:
    """A task of a curriculum in the terms of a task file."""
    category = reader.take("category", f.text, "")
    tags: tuple[str, ...] = reader.take("tags", f.texts, ())
    image = reader.take("docker", f.text, None)
    row: dict[str, Any] = {
        "instance_id": instance_id,
        "repo": NO_REPO,
        "runner": "checks",
        "title": reader.take("title", f.text, ""),
        "problem_statement": reader.require("description", f.text),
        "teacher": reader.take(("for_teacher", "test"), f.text, ""),
        "shell": reader.take("shell", f.text, None),
        "workdir": reader.take("working_dir", f.text, _WORKDIR),
        "submission": reader.take("submission", f.text, "tree"),
        "tags": [tag for tag in (category, *tags) if tag],
        **{name: reader.take(name, lambda value: value, None) for name in _OWN},
    }
    if image is not None:
        row |= {"image": image, "stand_in": True}
    for name in _NOTES:
        reader.take(name, lambda value: value, None)
    reader.end()
    return row


def _resolved(table: Any, path: Path, number: str) -> dict[str, Any]:
    """A task's table with every text as one text, those that lie in files beside it too. Raises :class:`SpecError`."""
    where = f"{path}: task {number!r}"
    if not isinstance(table, dict):
        raise SpecError(f"expected a table of fields, got {type(table).__name__}", where=where)
    texts = _Texts(path.parent, where)
    found = {name: texts.one(value, name) if name in _TEXTS else value for name, value in table.items()}
    files = texts.each(found.pop("files", None) or {}, "files")
    if "files_from" in found:
        files = {**texts.folder(found.pop("files_from")), **files}
    checks = found.get("checks")
    if isinstance(checks, list):
        found["checks"] = [texts.check(check, f"checks[{place}]") for place, check in enumerate(checks)]
    return {**found, "files": files} if files else found


class _Texts:
    """Reads texts that are given as a list of lines, or as ``{"from": "PATH"}`` beside the curriculum."""

    def __init__(self, folder: Path, where: str) -> None:
        self._folder = folder
        self._where = where

    def one(self, value: Any, field: str) -> Any:
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            return "".join(f"{line}\n" for line in value)
        if not isinstance(value, dict):
            return value
        if set(value) != {"from"} or not isinstance(value["from"], str):
            raise SpecError('expected a text, a list of lines, or {"from": "PATH"}', field=field, where=self._where)
        return self._read(self._beside(value["from"], field), field)

    def each(self, files: Any, field: str) -> Any:
        if not isinstance(files, dict):
            return files
        return {name: self.one(value, f"{field}.{name}") for name, value in files.items()}

    def check(self, check: Any, field: str) -> Any:
        if not isinstance(check, dict):
            return check
        one = {name: self.one(check[name], f"{field}.{name}") for name in _CHECK_TEXTS if name in check}
        return {**check, **one, "files": self.each(check.get("files") or {}, f"{field}.files")}

    def folder(self, name: Any) -> Mapping[str, str]:
        """Every file below a folder by its path in it."""
        root = self._beside(name if isinstance(name, str) else "", "files_from")
        if not root.is_dir() or root == Path(os.path.realpath(self._folder)):
            raise SpecError(f"{name!r} must name a folder beside the curriculum", field="files_from", where=self._where)
        paths = sorted(path for path in root.rglob("*") if path.is_symlink() or not path.is_dir())
        return {path.relative_to(root).as_posix(): self._read(path, "files_from") for path in paths}

    def _beside(self, name: str, field: str) -> Path:
        """A file or folder in the curriculum's own folder, wherever links lead."""
        path = Path(os.path.realpath(self._folder / name))
        if not path.is_relative_to(os.path.realpath(self._folder)):
            raise SpecError(f"{name!r} lies outside of the curriculum's folder", field=field, where=self._where)
        if not path.exists():
            raise SpecError(f"there is no {path}", field=field, where=self._where)
        return path

    def _read(self, path: Path, field: str) -> str:
        if path.is_symlink() or not path.is_file():
            raise SpecError(f"{path} is no ordinary file", field=field, where=self._where)
        try:
            return read_text(path)
        except SpecError as error:
            raise SpecError(str(error), field=field, where=self._where) from None


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("expected a table 'tasks' of tasks by id")
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which no name is there twice: the later would silently take the place of the earlier."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice in one table; each may be there once")
    return found


def _lines(path: Path) -> dict[str, int]:
    """The line where each task begins, as far as the text tells."""
    found: dict[str, int] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        key = re.match(r'\s{0,8}"([^"\\]+)"\s*:\s*\{', line)
        if key and key[1] != "tasks":
            found.setdefault(key[1], number)
    return found
