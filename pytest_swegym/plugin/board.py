"""How a run stands, from its events: which attempts run and what they are doing, and what has come of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from pytest_swegym._support.text import one_line
from pytest_swegym.results.spending import money


#: The stage that follows one that ended.
_NEXT = {"checkout": "sandbox", "sandbox": "solve", "solve": "grade", "grade": "record"}


@dataclass(slots=True, kw_only=True)
class Line:
    """An attempt that runs: since when, its stage, its last step (of which candidate, if it searches) and what the
    model calls cost so far."""

    key: str
    since: float
    stage: str = "checkout"
    step: int = 0
    candidate: int | None = None
    action: str = ""
    tokens: int = 0
    cost: float | None = None

    @property
    def doing(self) -> str:
        if not self.step or self.stage != "solve":
            return self.stage
        return f"solve {self.step}" if self.candidate is None else f"#{self.candidate} step {self.step}"


@dataclass(slots=True, kw_only=True)
class Board:
    """What is known of a run. ``done`` counts the attempts that ended, ``kept`` those of them that an earlier run had
    made; ``tokens`` and ``cost`` are those of attempts that ended here."""

    planned: int = 0
    done: int = 0
    kept: int = 0
    graded: int = 0
    resolved: int = 0
    tokens: int = 0
    cost: float | None = None
    since: float | None = None
    running: dict[str, Line] = field(default_factory=dict)

    def hear(self, event: Mapping[str, Any]) -> str:
        """Take an event in; returns what there is to say of it in a line, if anything."""
        kind, at = event.get("event"), _number(event.get("time"))
        key = one_line(str(event.get("attempt", "")), 200)
        line = self.running.get(key)
        if kind == "run_started":
            self.planned = max(self.planned, int(_number(event.get("planned"))))
            self.since = self.since or at
        elif kind == "attempt_started":
            self.running[key] = Line(key=key, since=at)
            return f"{key}: begins"
        elif kind in ("attempt_finished", "attempt_kept"):
            return self._ended(key, event, kept=kind == "attempt_kept")
        elif line is not None and kind == "stage":
            line.stage = _NEXT.get(str(event.get("stage")), line.stage)
        elif line is not None and kind == "step":
            line.step = int(_number(event.get("step")))
            line.candidate = int(_number(event["candidate"])) if event.get("candidate") is not None else None
            line.action = one_line(str(event.get("action", "")), 200)
            line.tokens = int(_number(event.get("tokens")))
            line.cost = _number(event["cost"]) if event.get("cost") is not None else None
        elif line is not None and kind == "note":
            line.action = _noted(event)
        return ""

    def _ended(self, key: str, event: Mapping[str, Any], *, kept: bool) -> str:
        self.running.pop(key, None)
        verdict = one_line(str(event.get("verdict", "")), 80)
        self.done += 1
        self.kept += kept
        self.graded += verdict != "infra_error"
        self.resolved += event.get("resolved") is True
        given = event.get("usage")
        usage: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        tokens = int(_number(usage.get("prompt_tokens")) + _number(usage.get("completion_tokens")))
        cost = _number(usage["cost"]) if usage.get("cost") is not None else None
        if not kept:
            self.tokens += tokens
            self.cost = (self.cost or 0.0) + cost if cost is not None else self.cost
        reward = event.get("reward")
        facts = [
            verdict if not event.get("failure") else f"{verdict} ({one_line(str(event['failure']), 80)})",
            f"reward {_number(reward):.2f}" if reward is not None else "",
            f"{int(_number(event['steps']))} steps" if event.get("steps") is not None else "",
            *spent(tokens, cost),
            duration(_number(event.get("seconds"))),
            "of the run that is continued" if kept else "",
        ]
        return f"{key}: {', '.join(filter(None, facts))}; {self.standing()}"

    def standing(self) -> str:
        """``3/10 done, 2 resolved (67%)``."""
        total = f"/{self.planned}" if self.planned >= self.done else ""
        rate = f" ({self.resolved / self.graded:.0%})" if self.graded else ""
        return f"{self.done}{total} done, {self.resolved} resolved{rate}"

    def seconds_left(self, now: float) -> float | None:
        """How long the rest will take if it goes on like this; ``None`` if nobody can tell yet."""
        made = self.done - self.kept
        if self.since is None or not made or self.planned <= self.done:
            return None
        return (now - self.since) / made * (self.planned - self.done)

    def totals(self, now: float, width: int | None = None) -> str:
        """The line below all others; where it would be wider than ``width``, what matters least is left out."""
        costs = [each.cost for each in self.running.values() if each.cost is not None]
        cost = None if self.cost is None and not costs else (self.cost or 0.0) + sum(costs)
        left = self.seconds_left(now)
        facts = {
            "standing": self.standing(),
            "running": f"{len(self.running)} running" if self.running else "",
            "spent": ", ".join(spent(self.tokens + sum(each.tokens for each in self.running.values()), cost)),
            "since": duration(now - self.since) if self.since is not None else "",
            "left": f"~{duration(left)} left" if left is not None else "",
        }
        for least in ("running", "since", "spent", "left"):
            text = ", ".join(filter(None, facts.values()))
            if width is None or len(text) <= width:
                return text
            facts[least] = ""
        return facts["standing"]

    def at_work(self, now: float) -> str:
        """``running: calc-1 (solve 3, 1:20), calc-2 (grade, 0:04)``; empty if nothing runs."""
        told = [f"{each.key} ({each.doing}, {duration(now - each.since)})" for each in self.running.values()]
        more = f" and {len(told) - 10} more" if len(told) > 10 else ""
        return f"running: {', '.join(told[:10])}{more}; {self.standing()}" if told else ""


def spent(tokens: int, cost: float | None) -> list[str]:
    """``["12.3k tokens", "cost 0.02"]``, as far as there is something to say."""
    return [f"{amount(tokens)} tokens"] * bool(tokens) + ([f"cost {money(cost)}"] if cost is not None else [])


def amount(count: float) -> str:
    """``950``, ``12.3k``, ``4.1M``."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return f"{count:.0f}"


def duration(seconds: float) -> str:
    """``0:07``, ``12:30``, ``3:05:00``."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _noted(event: Mapping[str, Any]) -> str:
    more = " ".join(str(event[name]) for name in ("status", "why", "error", "number") if event.get(name) is not None)
    return one_line(f"{event.get('note', '')} {more}".strip().replace("_", " "), 200)


def _number(value: Any) -> float:
    """A number that can be shown; 0 for what is none."""
    right = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15
    return float(value) if right else 0.0
