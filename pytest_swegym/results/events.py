"""What happens in a run, as it happens: ``events.jsonl``, one line of JSON for each event."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from pytest_swegym._support.redact import redacted
from pytest_swegym.trajectory import json_line


log = logging.getLogger("pytest_swegym.results")

FORMAT = "swegym.events/1"
#: The file's name in the folder of a run.
EVENTS = "events.jsonl"
#: Most bytes that are read at once, and the longest line that is understood.
READ_LIMIT = 16 * 2**20


class EventLog:
    """Appends events to the file ``path``. Several threads and processes may write to it at the same time: every line
    is written whole and at once, so that a run that is killed leaves a readable file.

    Secrets are left out. Never raises for what the file system says: that is told once, and the next event tried anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._opened = self._failed = False

    def write(self, event: str, /, **fields: Any) -> None:
        """Append the event, with the time; ``fields`` are JSON only, ``None`` is left out."""
        told = {name: value for name, value in fields.items() if value is not None}
        line = {"event": event, "time": round(time.time(), 3), **redacted(told)}
        with self._lock:
            try:
                self._append(json_line(line))
            except OSError as error:
                self._opened = False  # half a line may be there
                if not self._failed:
                    self._failed = True
                    log.warning("%s cannot be written, events are lost while that is so: %s", self.path, error)

    def _append(self, line: bytes) -> None:
        if not self._opened:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            line = self._mended() + line
            self._opened = True
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if os.write(handle, line) < len(line):
                raise OSError("the disk is full")
        finally:
            os.close(handle)

    def _mended(self) -> bytes:
        """A line break, if an earlier run was cut in the middle of a line."""
        try:
            with self.path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                return b"" if file.read() == b"\n" else b"\n"
        except OSError:  # no file, or an empty one
            return b""


class EventTail:
    """Reads the events of the file ``path`` that were not read before, also while it grows; ``new`` starts at its end.

    What is no whole line yet waits; a damaged line is left out.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        self.path = path
        self._offset = path.stat().st_size if new and path.is_file() else 0

    def read(self) -> list[dict[str, Any]]:
        """The next events, at most ``READ_LIMIT`` bytes of them; none if there is no file yet."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(READ_LIMIT)
        except OSError:
            return []
        end = data.rfind(b"\n") + 1
        if not end and len(data) == READ_LIMIT:
            end = READ_LIMIT
        self._offset += end
        return [event for line in data[:end].split(b"\n") if (event := _event(line)) is not None]


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
