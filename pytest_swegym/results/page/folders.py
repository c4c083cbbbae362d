"""What lies in the folders of runs, read with care: nothing outside of them, nothing endless, nothing half."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_swegym.errors import ConfigError
from pytest_swegym.results.store import RECORD
from pytest_swegym.trajectory import TRAJECTORY


#: Folders of a run, and of an attempt that searched.
ATTEMPTS, CANDIDATES = "attempts", "candidates"
#: How deep below a given folder runs are looked for.
DEPTH = 3
#: Largest record that is read, in bytes: it is parsed as a whole.
RECORD_LIMIT = 32 * 2**20

#: Changes whenever what is shown of an attempt may have changed.
Signature = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """The folder of a run: ``name`` is unique among those shown, ``base`` the way to it from the page's own folder."""

    root: Path
    name: str
    base: str = ""

    def attempts(self) -> list[str]:
        """The names of its attempts, whether they ended or not; a link is none."""
        try:
            with os.scandir(self.root / ATTEMPTS) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:
            return []

    def attempt(self, key: str) -> Path:
        return self.root / ATTEMPTS / key

    def signature(self, key: str) -> Signature:
        """What the file system says of an attempt's record and trajectory; empty if it has neither.

        While it goes on, its candidates' trajectories count as well.
        """
        folder = self.attempt(key)
        found = [*_state(folder / RECORD), *_state(folder / TRAJECTORY)]
        if not found[0]:
            for name in candidate_folders(folder):
                found += _state(folder / CANDIDATES / name / TRAJECTORY)
        return tuple(found) if any(found) else ()


def find_runs(folders: Sequence[Path]) -> list[RunFolder]:
    """Every run below ``folders``, each once, by the order given and by name.

    Raises :class:`ConfigError` for a folder that is not there.
    """
    found: dict[str, RunFolder] = {}
    names: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder; give the output folder of a run, or a folder of runs")
        for root in _runs_below(folder, DEPTH):
            base = "" if root == folder else root.relative_to(folder).as_posix()
            name = _unused(base or folder.resolve().name or "run", names)
            found.setdefault(os.path.realpath(root), RunFolder(root=root, name=name, base=base))
    return list(found.values())


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / ATTEMPTS).is_dir():
        yield folder
    elif depth:
        try:
            with os.scandir(folder) as entries:
                # A link, such as `latest`, leads to what is found by its own name.
                names = sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
        except OSError:
            return
        for name in names:
            yield from _runs_below(folder / name, depth - 1)


def _unused(name: str, names: set[str]) -> str:
    number, free = 1, name
    while free in names:
        number += 1
        free = f"{name} ({number})"
    names.add(free)
    return free


def _state(path: Path) -> tuple[int, int]:
    try:
        state = os.stat(path, follow_symlinks=False)
    except OSError:
        return 0, 0
    return state.st_mtime_ns, state.st_size


def candidate_folders(folder: Path) -> list[str]:
    """The names of an attempt's candidates, 2 before 10."""
    try:
        with os.scandir(folder / CANDIDATES) as entries:
            names = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(names, key=lambda name: [(not part.isdigit(), part.zfill(12)) for part in re.split(r"(\d+)", name)])


def read_some(folder: Path, name: str, limit: int, *, end: bool = False) -> tuple[bytes, int]:
    """At most ``limit`` bytes of a file of ``folder``, from its ``end`` if asked, and how long it is.

    Empty, and -1, for what is no plain file: a link could lead anywhere, and a pipe never ends.
    """
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError):
        return b"", -1
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode):
        os.close(handle)
        return b"", -1
    with os.fdopen(handle, "rb") as file:
        if end and state.st_size > limit:
            file.seek(state.st_size - limit)
        return file.read(limit), state.st_size


def read_json(folder: Path, name: str, limit: int = RECORD_LIMIT) -> Any:
    """A file of JSON; ``None`` for one that is absent, too large or damaged."""
    data, size = read_some(folder, name, limit)
    return None if size > limit else parse(data)


def parse(data: bytes) -> Any:
    """JSON as a browser can take it: numbers that JSON does not have are ``None``, and so is what is damaged."""
    try:
        return json.loads(data, parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def to_json(data: Any) -> str:
    """JSON that may stand inside a script element: ASCII, and no ``<``."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
