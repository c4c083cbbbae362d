"""A run as one side of a comparison: what each instance came to, what it took, and why it failed."""

from __future__ import annotations

from collections import Counter
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from statistics import fmean
from typing import Any

from pytest_swegym._support.text import one_line
from pytest_swegym.errors import ConfigError
from pytest_swegym.results.failures import FAILURES
from pytest_swegym.results.failures import failure_of
from pytest_swegym.results.spending import Spending
from pytest_swegym.results.spending import spending
from pytest_swegym.results.spending import steps_of
from pytest_swegym.results.spending import usage_of
from pytest_swegym.results.summary import interval_of
from pytest_swegym.results.tally import InstanceTally
from pytest_swegym.results.tally import RunTally
from pytest_swegym.results.tally import load_run
from pytest_swegym.task import AttemptRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What the attempts at one instance took, each number the mean over those that tell it; ``failures`` counts why
    they failed."""

    reward: float | None = None
    steps: float | None = None
    tokens: float | None = None
    cost: float | None = None
    seconds: float | None = None
    failures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One run. Without its records, from a summary alone, ``played`` is empty and ``solvers`` are not known."""

    tally: RunTally
    solvers: tuple[str, ...] = ()
    played: Mapping[str, Played] = field(default_factory=dict)
    spent: Spending = field(default_factory=Spending)
    failures: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        interval = interval_of(self.tally)
        return {
            "where": self.tally.where,
            "solvers": list(self.solvers),
            "attempts": self.tally.attempts,
            "graded": self.tally.graded,
            "resolved": self.tally.resolved,
            "infra": self.tally.infra,
            "rate": self.tally.rate,
            "interval": list(interval) if interval else None,
            "failures": dict(self.failures),
            "spent": self.spent.to_dict(),
        }

    def instance_dict(self, name: str) -> dict[str, Any] | None:
        """One instance of the run as JSON; ``None`` if it is not in it."""
        found = self.tally.instances.get(name)
        if found is None:
            return None
        return {**_counts(found), **asdict(self.played.get(name, Played()))}


def load_side(path: Path) -> Side:
    """A run's output folder, a list of its records, or with less to tell its ``summary.json``.

    Raises :class:`ConfigError` that names the file and what is wrong.
    """
    run = load_run(path)
    if run.summary is None:
        return _from_records(run.records, run.tally)
    counted = run.tally
    try:
        spent, failures = Spending.from_dict(run.summary.get("spent")), _failures(run.summary.get("failures"))
    except (ConfigError, AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"{run.where}: damaged summary: {error!r:.200}") from None
    return Side(tally=counted, spent=spent, failures=failures)


def _from_records(records: Sequence[AttemptRecord], counted: RunTally) -> Side:
    each: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    for record in records:
        each[record.instance_id].append(record)
    return Side(
        tally=counted,
        solvers=tuple(sorted({record.solver for record in records if record.solver})),
        played={name: _played(found) for name, found in each.items()},
        spent=spending(records),
        failures=_ordered(Counter(failure_of(record) for record in records if not record.resolved)),
    )


def _played(records: Sequence[AttemptRecord]) -> Played:
    told = [usage for record in records if (usage := usage_of(record)) is not None and usage.requests]
    return Played(
        reward=_mean(record.reward for record in records),
        steps=_mean(steps_of(record) for record in records),
        tokens=_mean(usage.tokens for usage in told),
        cost=_mean(usage.cost for usage in told),
        seconds=_mean(sum(record.stages.values()) for record in records if record.stages),
        failures=_ordered(Counter(failure_of(record) for record in records if not record.resolved)),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 6) if known else None


def _counts(found: InstanceTally) -> dict[str, Any]:
    return {"verdicts": dict(found.verdicts), "resolved": found.resolved, "graded": found.graded}


def _failures(told: Any) -> Mapping[str, int]:
    """How often each reason is counted in a summary; one of an older version counts none."""
    counts = {one_line(str(name)): group["count"] for name, group in (told or {}).items()}
    if not all(type(count) is int and count > 0 for count in counts.values()):
        raise ConfigError("a count of failures is no whole number above 0")
    return _ordered(counts)


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    order = {name: place for place, name in enumerate(FAILURES)}
    return dict(sorted(counts.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))
