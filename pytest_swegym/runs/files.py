"""The files of an attempt's folder, as they travel from the machine where it was made."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from pathlib import PurePosixPath

from pytest_swegym._support.paths import write_atomic
from pytest_swegym.errors import InfraError


log = logging.getLogger("pytest_swegym.runs")
#: Bytes of one file, and of all, and how many files: what is beyond stays where it was made, and is lost.
FILE_LIMIT, LIMIT, MOST = 128 * 2**20, 512 * 2**20, 10_000


def files_of(folder: Path) -> dict[str, bytes]:
    """The regular files below ``folder`` by their names in it; links are left out."""
    found: dict[str, bytes] = {}
    total = 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_symlink() or not path.is_file():
                continue
            size = path.stat().st_size
            if size > FILE_LIMIT or total + size > LIMIT or len(found) >= MOST:
                log.warning("%s is left out: too much for one attempt (%d bytes)", path.name, size)
                continue
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
            total += size
    return found


def place_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files where they belong below ``folder``. Raises :class:`InfraError` for a name that leads out of it."""
    for name, data in files.items():
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\0" in name:
            raise InfraError(f"an attempt sent a file called {name!r}")
        path = folder.joinpath(*parts)
        if any(each.is_symlink() for each in (path, *path.parents) if each.is_relative_to(folder) and each != folder):
            raise InfraError(f"an attempt's file {name!r} would be written through a link")
        write_atomic(path, data)


__all__ = ["files_of", "place_files"]
