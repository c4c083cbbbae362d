"""The lines of a trajectory as a page shows them; read from where the last look ended, for a run that goes on."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from pytest_swegym.results.page.folders import parse
from pytest_swegym.results.page.folders import read_some
from pytest_swegym.results.page.texts import cut
from pytest_swegym.results.page.texts import cut_all
from pytest_swegym.results.page.texts import number
from pytest_swegym.results.page.texts import table
from pytest_swegym.results.page.texts import text
from pytest_swegym.trajectory import TRAJECTORY


#: Bytes of a trajectory that are read, events that are shown, characters of them all together, and of one text.
FILE_LIMIT, EVENTS, TOTAL = 256 * 2**20, 2000, 6_000_000
TEXT_MOST, TEXT_LEAST = 16_000, 600
#: Texts that one event may have: its action, what was thought and seen, and its diff.
_TEXTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a trajectory says from some place on: ``token`` names the place where it ends.

    ``anew`` if it does not go on from what was read before. ``damaged`` counts lines that cannot be read, ``left_out``
    events beyond what a page shows.
    """

    header: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Mapping[str, Any], ...] = ()
    token: str = ""
    anew: bool = True
    damaged: int = 0
    left_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "header": self.header,
            "events": list(self.events),
            "token": self.token,
            "anew": self.anew,
            "damaged": self.damaged,
            "leftOut": self.left_out,
        }


def read_told(folder: Path, *, after: str = "", total: int = TOTAL) -> Told:
    """The trajectory in ``folder``; with the token of an earlier look only what came after it.

    A last line that is not whole yet waits for the next look. Damaged lines are counted, the others shown.
    """
    data, size = read_some(folder, TRAJECTORY, FILE_LIMIT)
    first = data.find(b"\n") + 1
    if size < 0 or not first:
        return Told()
    whose = f"{zlib.crc32(data[:first]):08x}"
    end = data.rfind(b"\n") + 1
    start = _start(after, whose, first, end)
    lines = data[start or first : end].split(b"\n")[:-1]
    events = [event for event in map(parse, lines) if isinstance(event, dict)]
    shown = _within(events)
    limit = min(TEXT_MOST, max(TEXT_LEAST, total // (_TEXTS * max(len(shown), 1))))
    return Told(
        header=cut_all(table(parse(data[:first])), 2000),
        events=tuple(shown_event(event, limit) for event in shown),
        token=f"{whose}-{end}",
        anew=start is None,
        damaged=len(lines) - len(events),
        left_out=len(events) - len(shown),
    )


def _start(after: str, whose: str, first: int, end: int) -> int | None:
    """Where an earlier look at this same file ended; ``None`` if it was another, or has shrunk since."""
    name, _, place = after.partition("-")
    if name != whose or not (place.isascii() and place.isdigit()) or len(place) > 15:
        return None
    return int(place) if first <= int(place) <= end else None


def _within(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of very long episodes the begin and the end."""
    return events if len(events) <= EVENTS else events[: EVENTS // 2] + events[-EVENTS // 2 :]


def shown_event(event: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """One line as the page wants it; what is empty is left out."""
    kind = text(event.get("event"))
    if kind == "step":
        return _present({"event": kind, **_step(event, limit), **_seen(table(event.get("observation")), limit)})
    if kind == "begin":
        return _present({"event": kind, **_seen(table(event.get("observation")), limit)})
    said = cut_all({name: value for name, value in event.items() if name != "event"}, limit)
    return _present({"event": cut(kind, 40), "said": said, **_used(table(event.get("invalid_reply")))})


def _step(event: Mapping[str, Any], limit: int) -> dict[str, Any]:
    player = table(event.get("player"))
    action = text(event.get("action"))
    return {
        "kind": text(event.get("kind"))[:40],
        "action": cut(action, limit),
        "thought": cut(_thought(player, action), limit),
        "reward": number(event.get("reward")),
        "exit": number(event.get("exit_code")),
        "ending": text(event.get("ending"))[:40],
        "seconds": number(event.get("seconds")),
        "at": number(event.get("started_at")),
        **_used(player),
        "waited": number(player.get("seconds")),
        "model": text(player.get("model"))[:100],
    }


def _seen(seen: Mapping[str, Any], limit: int) -> dict[str, Any]:
    cut_by = number(seen.get("diff_cut"))
    return {
        "n": number(seen.get("step")),
        "text": cut(text(seen.get("text")) or text(seen.get("output")), limit),
        "notice": cut(text(seen.get("notice")), limit),
        "timedOut": seen.get("timed_out") is True,
        "outputCut": seen.get("truncated") is True,
        # Absent where it is as before; empty where all changes are gone again.
        "diff": cut(text(seen["diff"]), limit) if "diff" in seen else None,
        "diffCut": cut_by,
    }


def _used(player: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer of a model took."""
    usage = table(player.get("usage"))
    names = {"prompt": "prompt_tokens", "completion": "completion_tokens", "cost": "cost"}
    return {name: number(usage.get(key)) for name, key in names.items()}


def _thought(player: Mapping[str, Any], action: str) -> str:
    """What a model said beside its action."""
    message = table(player.get("message"))
    said = [text(player.get("reasoning")), *(text(message.get(name)) for name in ("reasoning_content", "reasoning"))]
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    said += [text(table(part).get("text")) if isinstance(part, Mapping) else text(part) for part in parts]
    return "\n\n".join(each.strip() for each in said if each.strip() and each.strip() != action.strip())


def _present(event: dict[str, Any]) -> dict[str, Any]:
    nothing = (None, False)
    return {
        name: value
        for name, value in event.items()
        if not any(value is each for each in nothing) and (value != "" or name == "diff")
    }


def count_steps(folder: Path) -> int | None:
    """How many steps a trajectory has, without parsing it; ``None`` if there is none."""
    data, size = read_some(folder, TRAJECTORY, FILE_LIMIT)
    return data.count(b'\n{"event": "step"') if size >= 0 else None
