"""What happens to attempts, as short lines of ``events.jsonl``: numbers and names, not what was said."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from pytest_swegym._support.redact import bare_urls
from pytest_swegym._support.redact import redact
from pytest_swegym._support.text import one_line
from pytest_swegym.errors import ConfigError
from pytest_swegym.results.events import EVENTS
from pytest_swegym.results.events import FORMAT
from pytest_swegym.results.events import EventLog
from pytest_swegym.results.failures import failure_of
from pytest_swegym.task.usage import USAGE
from pytest_swegym.task.usage import Usage


if TYPE_CHECKING:
    from pytest_swegym.task import AttemptRecord


#: Longest action and longest word of a note, in characters.
SHORT = 80
#: What of a note says what was wrong: shown as far as there is room.
_WRONG = ("why", "error")


class Recorder:
    """Writes the events of one process of a run to the folder ``root``: that it began, then what happens to attempts.

    The model calls of a running attempt are summed up as they are told.
    """

    def __init__(self, root: Path, run_id: str) -> None:
        self.log = EventLog(root / EVENTS)
        self._run_id = run_id
        self._usage: dict[str, Usage] = {}
        self._lock = threading.Lock()
        self._began = False

    def begin(self, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Once: whose run it is, and ``facts``: what was chosen for it, and how many attempts are planned."""
        with self._lock:
            if not self._began:
                self._began = True
                self.log.write("run_started", format=FORMAT, run_id=self._run_id, **facts())

    def started(self, key: str, instance_id: str, number: int) -> None:
        """An attempt begins."""
        self.log.write("attempt_started", attempt=key, instance_id=instance_id, number=number)

    def happened(self, key: str, event: Mapping[str, Any]) -> None:
        """A line of a trajectory, or the end of a stage."""
        kind, named = event.get("event"), {"attempt": key, "candidate": event.get("candidate")}
        if kind == "stage":
            self.log.write("stage", attempt=key, stage=event["stage"], seconds=round(event["seconds"], 3))
        elif kind == "begin":
            self.log.write("episode", **named)
        elif kind == "step":
            self._step(named, event, self._used(key, event.get("player")))
        elif kind == "note":
            name, value = next((pair for pair in event.items() if pair[0] not in ("event", "candidate")), ("", None))
            self._used(key, value)
            self.log.write("note", **{**_flat(value), **named, "note": name})

    def _used(self, key: str, said: Any) -> Usage:
        """What the model calls of the attempt came to, with those of what was ``said`` now."""
        with self._lock:
            used = self._usage[key] = self._usage.get(key, Usage()) + _usage(said)
        return used

    def _step(self, named: Mapping[str, Any], event: Mapping[str, Any], used: Usage) -> None:
        self.log.write(
            "step",
            **named,
            step=event.get("observation", {}).get("step", 0),
            kind=event.get("kind", ""),
            action=shortened(str(event.get("action", ""))),
            reward=event.get("reward", 0.0),
            exit_code=event.get("exit_code"),
            ending=event.get("ending") or None,
            seconds=event.get("seconds"),
            tokens=used.tokens or None,
            cost=used.cost if used.cost is None else round(used.cost, 6),
        )

    def finished(self, record: AttemptRecord, *, kept: bool = False) -> None:
        """An attempt ended; ``kept`` if that was in an earlier run, which this one continues."""
        with self._lock:
            self._usage.pop(record.key, None)
        self.log.write(
            "attempt_kept" if kept else "attempt_finished",
            attempt=record.key,
            verdict=record.verdict.value,
            resolved=record.resolved,
            reward=record.reward,
            seconds=round(sum(record.stages.values()), 3),
            steps=record.extra.get("steps"),
            usage=record.extra.get(USAGE),
            failure=failure_of(record) or None,
        )

    def end(self, exit_status: int, totals: Mapping[str, Any]) -> None:
        """The run ended. Workers of pytest-xdist have written their attempts by then."""
        if self._began or self.log.path.is_file():
            told = ("attempts", "graded", "resolved", "rate", "mean_reward")
            chosen = {name: totals[name] for name in told if name in totals}
            self.log.write("run_ended", run_id=self._run_id, exit_status=exit_status, **chosen)


def plain_word(word: str) -> str:
    """A word of an agent's configuration, without the body of its requests and without passwords."""
    return "body=(left out)" if word.partition("=")[0].strip() == "body" else bare_urls(word)


def shortened(action: str) -> str:
    """An action in one short line: of a JSON object, or a call with one, the words that say what is done."""
    text = redact(action[:4096]).strip()  # before it is cut: half a secret has no form to know it by
    name, brace, rest = text.partition("{")
    if brace and len(action) <= 4096 and " " not in name.strip():
        with suppress(ValueError, RecursionError):
            text = f"{name}{_words(json.loads(brace + rest))}"
    return one_line(" ".join(text[: SHORT * 4].split()), SHORT)


def _words(value: Any) -> str:
    """``{"action": "command", "command": "ls"}`` as ``command ls``: the values, those of inner objects too."""
    if isinstance(value, Mapping):
        return " ".join(filter(None, map(_words, value.values())))
    return str(value) if isinstance(value, (str, int, float)) else ""


def _flat(value: Any) -> dict[str, Any]:
    """The numbers and short words of a note, and what was wrong; what a model was told or said is left out."""
    inner = value if isinstance(value, Mapping) else {"value": value}
    return {key: _short(each, cut=key in _WRONG) for key, each in inner.items() if key not in ("text", "event", "time")}


def _short(value: Any, *, cut: bool) -> Any:
    if isinstance(value, str) and (cut or len(value) <= SHORT):
        return one_line(redact(value), SHORT)
    return value if isinstance(value, (bool, int, float)) else None


def _usage(said: Any) -> Usage:
    given = said.get("usage") if isinstance(said, Mapping) else None
    try:
        return Usage.from_dict(given) if isinstance(given, Mapping) else Usage()
    except ConfigError:
        return Usage()
