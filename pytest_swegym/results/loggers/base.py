"""Where the numbers of a run can go as well: what a logger is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import Protocol

from pytest_swegym._support.text import one_line
from pytest_swegym.results.failures import failure_of
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Verdict
from pytest_swegym.task.usage import USAGE


#: Where runs are filed, unless the logger's own variables of the environment say otherwise.
PROJECT = "pytest-swegym"
#: The columns of the table of attempts.
COLUMNS = ("attempt", "verdict", "failure", "reward", "steps", "seconds", "tokens", "cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The run that begins: its ``name``, the ``folder`` of its records, which is there, and what was chosen for it."""

    name: str
    folder: Path
    config: Mapping[str, Any] = field(default_factory=dict)


class Logger(Protocol):
    """Takes the numbers of a run somewhere. The three are called in this order, one after the other.

    What they raise is told once, and the logger is left alone from then on; it harms no run and no attempt.
    """

    def started(self, run: RunFacts) -> None:
        """A run begins."""
        ...

    def attempt(self, record: AttemptRecord, scalars: Mapping[str, float], step: int) -> None:
        """An attempt ended, the ``step``-th from 1 on; ``scalars`` are its numbers, and those of the run so far."""
        ...

    def finished(self, summary: Mapping[str, float]) -> None:
        """The run ended; ``summary`` has its numbers."""
        ...


@dataclass(slots=True)
class RunningTotals:
    """The numbers of a run, as its attempts end."""

    attempts: int = 0
    graded: int = 0
    resolved: int = 0
    tokens: float = 0.0
    cost: float | None = None

    def add(self, record: AttemptRecord) -> dict[str, float]:
        """Count an attempt; returns its scalars (see :func:`attempt_scalars`) and those of the run, as ``run/...``."""
        scalars = attempt_scalars(record)
        self.attempts += 1
        self.graded += record.verdict is not Verdict.INFRA_ERROR
        self.resolved += record.resolved
        self.tokens += scalars.get("attempt/tokens", 0.0)
        if "attempt/cost" in scalars:
            self.cost = (self.cost or 0.0) + scalars["attempt/cost"]
        run: dict[str, float | None] = {
            "run/attempts": self.attempts,
            "run/resolved": self.resolved,
            "run/resolved_rate": self.resolved / self.graded if self.graded else None,
            "run/tokens": self.tokens or None,
            "run/cost": self.cost,
        }
        return {**scalars, **{name: float(value) for name, value in run.items() if value is not None}}


def attempt_scalars(record: AttemptRecord) -> dict[str, float]:
    """``attempt/reward``, ``attempt/resolved``, ``attempt/seconds/solve``, ...: what is not known is left out.

    An infra error is neither resolved nor not, and has no reward.
    """
    given = record.extra.get(USAGE)
    usage = given if isinstance(given, Mapping) else {}
    tokens = [_number(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")]
    values: dict[str, float | None] = {
        "reward": _number(record.reward),
        "resolved": None if record.verdict is Verdict.INFRA_ERROR else float(record.resolved),
        "steps": _number(record.extra.get("steps")),
        "requests": _number(usage.get("requests")),
        "tokens": sum(each or 0.0 for each in tokens) if usage else None,
        "cost": _number(usage.get("cost")),
        "seconds": sum(record.stages.values()),
        **{f"seconds/{stage}": seconds for stage, seconds in record.stages.items()},
    }
    return {f"attempt/{name}": float(value) for name, value in values.items() if value is not None}


def summary_scalars(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary (``summary.json``) and of the tables in it, as ``resolved`` or ``seconds/solve``; what
    is counted for each instance is left out."""
    found = {}
    for name, value in summary.items():
        if isinstance(value, Mapping) and name != "instances":
            found.update({f"{name}/{inner}": each for inner, each in value.items()})
        else:
            found[name] = value
    return {name: float(value) for name, value in found.items() if _number(value) is not None}


def row(record: AttemptRecord, scalars: Mapping[str, float]) -> list[Any]:
    """The attempt's row in a table of :data:`COLUMNS`."""
    numbers = [scalars.get(f"attempt/{name}") for name in COLUMNS[3:]]
    return [one_line(record.key), record.verdict.value, failure_of(record), *numbers]


def _number(value: Any) -> float | None:
    """A number; not what a hook or a solver has put in its place."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
