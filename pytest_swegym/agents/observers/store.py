"""What has been made of files, by content: read once, summed up once, embedded once, for every run on this machine."""

from __future__ import annotations

import logging
import sqlite3
import zlib
from collections.abc import Iterable
from collections.abc import Mapping
from contextlib import closing
from contextlib import suppress
from pathlib import Path

from pytest_swegym._support.paths import cache_dir


log = logging.getLogger("pytest_swegym.agents")

#: Above so many bytes the older half goes.
LIMIT = 2**30
#: Keys that are asked for at once.
_BATCH = 500


class Store:
    """Bytes by content key, in one SQLite file. Safe for several threads and processes.

    What is kept can be made again: a store that is damaged starts anew, and one that cannot be written keeps nothing.
    """

    def __init__(self, path: Path | None = None, *, limit: int = LIMIT) -> None:
        self._path = path or cache_dir("observers") / "made.sqlite3"
        self._limit = limit

    def get(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Those of ``keys`` that are kept."""
        asked = list(dict.fromkeys(keys))
        found: dict[str, bytes] = {}
        try:
            with closing(self._open()) as base:
                for start in range(0, len(asked), _BATCH):
                    batch = asked[start : start + _BATCH]
                    marks = ",".join("?" * len(batch))
                    rows = base.execute(f"SELECT name, made FROM made WHERE name IN ({marks})", batch)
                    found.update((name, zlib.decompress(made)) for name, made in rows)
        except (sqlite3.Error, zlib.error) as error:
            self._damaged(error)
        return found

    def put(self, made: Mapping[str, bytes]) -> None:
        """Keep all of it, or, after a cut, none."""
        if not made:
            return
        rows = [(key, zlib.compress(value, 1)) for key, value in made.items()]
        try:
            with closing(self._open()) as base, base:
                base.executemany("INSERT OR REPLACE INTO made (name, made) VALUES (?, ?)", rows)
                self._make_room(base)
        except sqlite3.Error as error:
            self._damaged(error)

    def text(self, keys: Iterable[str]) -> dict[str, str]:
        """The same as text."""
        return {key: value.decode("utf-8", "replace") for key, value in self.get(keys).items()}

    def put_text(self, made: Mapping[str, str]) -> None:
        self.put({key: value.encode("utf-8", "replace") for key, value in made.items()})

    def _open(self) -> sqlite3.Connection:
        base = sqlite3.connect(self._path, timeout=60)
        try:
            base.execute("CREATE TABLE IF NOT EXISTS made (number INTEGER PRIMARY KEY, name TEXT UNIQUE, made BLOB)")
        except sqlite3.Error:
            base.close()
            raise
        return base

    def _make_room(self, base: sqlite3.Connection) -> None:
        size = sum(base.execute(f"PRAGMA {name}").fetchone()[0] * sign * base.execute("PRAGMA page_size").fetchone()[0]
                   for name, sign in (("page_count", 1), ("freelist_count", -1)))  # fmt: skip
        if size > self._limit:
            base.execute("DELETE FROM made WHERE number <= (SELECT (min(number) + max(number)) / 2 FROM made)")

    def _damaged(self, error: Exception) -> None:
        log.warning("what observers keep in %s cannot be used: %s", self._path, error)
        # An operational error is one of the disk, or of who else is writing: what is there may be sound.
        if not isinstance(error, sqlite3.OperationalError):
            with suppress(OSError):
                self._path.unlink()
