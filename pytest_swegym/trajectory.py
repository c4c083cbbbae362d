"""What happened in an episode, step by step: one line of JSON for each event, written as it happens."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import BinaryIO

from pytest_swegym._support.redact import redacted
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError


FORMAT = "swegym.trajectory/1"
#: The file's name in the folder of an attempt.
TRAJECTORY = "trajectory.jsonl"
#: Longest diff that is kept, in characters; ``diff_cut`` then tells how long it was.
DIFF_LIMIT = 2**20
#: Longest line and largest file that are read, in bytes.
LINE_LIMIT, READ_LIMIT = 64 * 2**20, 1024 * 2**20
_EVENTS = ("begin", "step", "note", "end")
_END = b'{"event": "end"'


class TrajectoryWriter:
    """Writes the trajectory of one episode to ``path``, replacing what is there; ``header`` says whose it is.

    Every line is written whole and at once, so that a run that is cut leaves a readable file. Raises
    :class:`InfraError` if the file cannot be written. Safe to use from several threads. ``listener`` is called with
    each line after it is written. Secrets are written nowhere: a line says ``[redacted: KIND]`` in their place.
    """

    def __init__(
        self, path: Path, header: Mapping[str, Any], *, listener: Callable[[Mapping[str, Any]], None] | None = None
    ) -> None:
        self.path = path
        self._listener = listener
        self._diff = ""
        self._lock = threading.Lock()
        line = json_line(redacted({"event": "header", "format": FORMAT, **header}))
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(line)

    def begin(self, observation: Mapping[str, Any]) -> None:
        """An episode begins with its first observation."""
        self._write({"event": "begin"}, observation)

    def step(self, line: Mapping[str, Any]) -> None:
        """A step: its action, its observation, its reward, its times."""
        rest = {key: value for key, value in line.items() if key != "observation"}
        self._write({"event": "step", **rest}, line.get("observation", {}))

    def note(self, data: Mapping[str, Any]) -> None:
        """Something beside the steps; ``{"restored": N}`` says that the episode went back to its step ``N``."""
        self._append({"event": "note", **data})

    def end(self, data: Mapping[str, Any]) -> None:
        """The last line: what came of the episode. Another takes its place."""
        with self._lock:
            end_trajectory(self.path, data)

    def fork(self, path: Path, header: Mapping[str, Any]) -> TrajectoryWriter:
        """A trajectory of its own that goes on from here: what has happened so far is part of it."""
        with self._lock:
            other = TrajectoryWriter(path, header, listener=self._listener)
            with _told(path), self.path.open("rb") as before, path.open("ab") as file:
                next(before)
                file.writelines(line for line in before if not line.startswith(_END))
            other._diff = self._diff
        return other

    def _write(self, line: dict[str, Any], observation: Mapping[str, Any]) -> None:
        seen = dict(observation)
        with self._lock:
            diff = seen.get("diff", "")
            if diff == self._diff:
                seen.pop("diff", None)
            elif len(diff) > DIFF_LIMIT:
                seen |= {"diff": diff[:DIFF_LIMIT], "diff_cut": len(diff)}
            if seen.get("text") == seen.get("output"):
                seen.pop("text", None)
            self._diff = diff
            self._put({**line, "observation": seen})

    def _append(self, line: Mapping[str, Any]) -> None:
        with self._lock:
            self._put(line)

    def _put(self, told: Mapping[str, Any]) -> None:
        line = redacted(told)
        # Opened anew for each line: hundreds of episodes at once hold no file, and there is nothing to close.
        with _told(self.path), self.path.open("ab", buffering=0) as file:
            file.write(json_line(line))
        if self._listener is not None:
            self._listener(line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """A trajectory as it was read. ``cut`` if it stops without its last line: the run was ended from outside.

    ``events`` are all lines between the header and the end, in their order; see :attr:`steps` for what counts.
    """

    header: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...] = ()
    end: Mapping[str, Any] | None = None
    cut: bool = False

    @property
    def first(self) -> Mapping[str, Any] | None:
        """The first observation; ``None`` if the run was cut before it."""
        return next((event["observation"] for event in self.events if event["event"] == "begin"), None)

    @property
    def steps(self) -> tuple[Mapping[str, Any], ...]:
        """The steps that led to the end: those that a restore went back behind are left out."""
        steps: list[Mapping[str, Any]] = []
        for event in self.events:
            if event["event"] == "step":
                steps.append(event)
            elif event["event"] == "begin":
                steps.clear()
            elif isinstance(event.get("restored"), int):
                steps = [step for step in steps if step["observation"].get("step", 0) <= event["restored"]]
        return tuple(steps)


def read_trajectory(path: Path | str) -> Trajectory:
    """Read a trajectory back; a last line that was cut is left out.

    Raises :class:`ConfigError`, naming the line, for a file that is none, of another version, or damaged.
    """
    lines = list(_lines(Path(path)))
    if not lines:
        raise ConfigError(f"{path}: no trajectory: there is not one whole line in it")
    where, header = lines[0]
    if header.get("event") != "header" or header.get("format") != FORMAT:
        found = repr(header.get("format"))
        raise ConfigError(f"{where}: format {found:.80}, expected {FORMAT!r}: this is the file of something else")
    events: list[dict[str, Any]] = []
    diff = ""
    for where, event in lines[1:]:
        if events and events[-1]["event"] == "end":
            raise ConfigError(f"{where}: a line after the end")
        diff = _completed(where, event, diff)
        events.append(event)
    end = events.pop() if events and events[-1]["event"] == "end" else None
    return Trajectory(header=_plain(header), events=tuple(events), end=_plain(end) if end else None, cut=end is None)


def find_trajectories(folder: Path, *, candidates: bool = False) -> list[Path]:
    """The trajectories of a run's folder, or of its ``attempts``, by name; with ``candidates`` also those of a search
    that has chosen none. Raises :class:`ConfigError` for none."""
    found = sorted((*folder.glob(f"attempts/*/{TRAJECTORY}"), *folder.glob(f"*/{TRAJECTORY}")))
    if candidates:
        own, below = {path.parent for path in found}, f"*/candidates/*/{TRAJECTORY}"
        others = [
            path for path in (*folder.glob(f"attempts/{below}"), *folder.glob(below)) if path.parents[2] not in own
        ]
        found += sorted(others, key=lambda path: (path.parents[2], len(path.parent.name), path.parent.name))
    if not found:
        raise ConfigError(f"{folder}: no {TRAJECTORY} in this folder: expected that of a run, or its attempts")
    return found


def end_trajectory(path: Path, data: Mapping[str, Any]) -> None:
    """Add the last line to a trajectory that others have written, if there is one.

    A line that was cut goes, and so does an earlier last line. Raises :class:`InfraError` if that fails.
    """
    if not path.is_file():
        return
    with _told(path), path.open("r+b") as file:
        whole = _after_break(file, file.seek(0, os.SEEK_END))
        last = _after_break(file, max(whole - 1, 0))
        file.seek(last)
        file.truncate(last if file.read(len(_END)) == _END else whole)
        file.seek(0, os.SEEK_END)
        file.write(json_line(redacted({"event": "end", **data})))


def _after_break(file: BinaryIO, end: int) -> int:
    """Where the last line break before ``end`` ends; 0 if there is none."""
    while end:
        start = max(end - 2**16, 0)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each whole line as a table, with the words that name it. The last may be cut short, others may not."""
    try:
        if path.stat().st_size > READ_LIMIT:
            raise ConfigError(f"{path}: larger than {READ_LIMIT >> 30} GiB")
        with path.open("rb") as file:
            number = 0
            while (line := file.readline(LINE_LIMIT)).endswith(b"\n"):
                number += 1
                yield f"{path}:{number}", _table(line, f"{path}:{number}")
            if len(line) == LINE_LIMIT:
                raise ConfigError(f"{path}:{number + 1}: longer than {LINE_LIMIT >> 20} MiB")
    except OSError as error:
        raise ConfigError(f"trajectory {str(path)!r} cannot be read: {error}") from None


def _table(line: bytes, where: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected an object")
    return data


def _completed(where: str, event: dict[str, Any], diff: str) -> str:
    """Fill in what a line leaves out because it is as before; returns the diff that holds from here on."""
    kind = event.get("event")
    if kind not in _EVENTS:
        raise ConfigError(f"{where}: event {kind!r:.80}, expected one of {', '.join(_EVENTS)}")
    if kind == "step" and not isinstance(event.get("action"), str):
        raise ConfigError(f"{where}: action must be text")
    if kind not in ("begin", "step"):
        return diff
    seen = event.get("observation")
    if not isinstance(seen, dict):
        raise ConfigError(f"{where}: observation must be an object")
    seen.setdefault("diff", diff)
    seen.setdefault("output", "")
    seen.setdefault("text", seen["output"])
    seen.setdefault("step", 0)
    wrong = [name for name in ("diff", "output", "text") if not isinstance(seen[name], str)]
    wrong += [] if isinstance(seen["step"], int) else ["step"]
    if wrong:
        raise ConfigError(f"{where}: observation.{wrong[0]} is of the wrong type")
    return str(seen["diff"])


def _plain(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "event"}


def json_line(line: Mapping[str, Any]) -> bytes:
    """A line. ASCII: whatever bytes a program printed, the file is valid JSON for everyone."""
    try:
        text = json.dumps(line, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(line))
    return text.encode("ascii") + b"\n"


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN: they become ``null``."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the file system says about ``path`` is the machinery's failure."""
    try:
        yield
    except OSError as error:
        raise InfraError(f"trajectory {str(path)!r} cannot be written: {error}") from error
