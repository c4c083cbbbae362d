"""Runs beside each other: tables for people, and all of it as JSON. The first run is what others are held against."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pytest_swegym.results.compare import ALPHA
from pytest_swegym.results.compare import Change
from pytest_swegym.results.compare import Comparison
from pytest_swegym.results.compare import change_rows
from pytest_swegym.results.compare import compare
from pytest_swegym.results.sides import Played
from pytest_swegym.results.sides import Side
from pytest_swegym.results.spending import money
from pytest_swegym.task import Usage


FORMAT = "swegym.comparison/1"
_COLUMNS: Mapping[str, Callable[[float], str]] = {
    "reward": "{:.2f}".format,
    "steps": "{:g}".format,
    "tokens": "{:,.0f}".format,
    "cost": money,
    "seconds": "{:.1f}".format,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows below a header; the title says what they are."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """Two runs or more. ``comparisons`` hold each later run against the first."""

    sides: tuple[Side, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def letters(self) -> tuple[str, ...]:
        """What each run is called in tables."""
        return tuple(chr(ord("A") + place) if place < 26 else str(place + 1) for place in range(len(self.sides)))

    def tables(self, *, everything: bool = False) -> Iterator[Table]:
        """What changed, what it took, and why attempts failed; with ``everything`` also what did not change."""
        if len(self.sides) == 2:
            yield from self._changes(everything)
        else:
            yield from self._instances(everything)
        yield from _filled("what it took", ("", *self.letters), _totals(self.sides))
        yield from _filled("why attempts failed", ("", *self.letters), _failures(self.sides))

    def to_dict(self) -> dict[str, Any]:
        names = sorted({name for side in self.sides for name in side.tally.instances})
        changes = [_kinds(found) for found in self.comparisons]
        return {
            "format": FORMAT,
            "runs": [side.to_dict() for side in self.sides],
            "comparisons": [_comparison_dict(found) for found in self.comparisons],
            "instances": [
                {
                    "instance_id": name,
                    "changes": [kinds.get(name) for kinds in changes],
                    "runs": [side.instance_dict(name) for side in self.sides],
                }
                for name in names
            ],
        }

    def _changes(self, everything: bool) -> Iterator[Table]:
        found = self.comparisons[0]
        alike = [each for each in found.same if each.same_verdicts]
        groups: dict[str, Sequence[Change]] = {
            "lost": found.lost,
            "gained": found.gained,
            "same rate, other verdicts": [each for each in found.same if not each.same_verdicts],
            "same": alike if everything else [],
        }
        for title, changes in groups.items():
            took = [[side.played.get(each.instance_id, Played()) for side in self.sides] for each in changes]
            shown = [name for name in _COLUMNS if any(getattr(one, name) is not None for pair in took for one in pair)]
            rows = tuple(
                (*row, *(" | ".join(_number(one, name) for one in pair) for name in shown))
                for row, pair in zip(change_rows(changes), took, strict=True)
            )
            header = ("instance", "A", "B", "verdicts", *(f"{name} A | B" for name in shown))
            yield from _filled(f"{title}: {len(changes)}", header, rows)

    def _instances(self, everything: bool) -> Iterator[Table]:
        names = sorted({name for side in self.sides for name in side.tally.instances})
        rows = {name: (name, *(_cell(side, name) for side in self.sides)) for name in names}
        alike = {name for name in names if len({_shares(side, name) for side in self.sides}) == 1}
        other = [row for name, row in rows.items() if name not in alike]
        yield from _filled(f"not the same in all runs: {len(other)}", ("instance", *self.letters), other)
        if everything:
            same = [row for name, row in rows.items() if name in alike]
            yield from _filled(f"same: {len(same)}", ("instance", *self.letters), same)


def side_by_side(sides: Sequence[Side], *, alpha: float = ALPHA) -> SideBySide:
    """Hold each later run against the first."""
    first, *others = sides
    found = tuple(compare(first.tally, each.tally, alpha=alpha) for each in others)
    return SideBySide(sides=tuple(sides), comparisons=found)


def _filled(title: str, header: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Iterator[Table]:
    listed = tuple(rows)
    if listed:
        yield Table(title=title, header=tuple(header), rows=listed)


def _number(played: Played, name: str) -> str:
    value = getattr(played, name)
    return "-" if value is None else _COLUMNS[name](value)


def _shares(side: Side, name: str) -> frozenset[tuple[str, Fraction]] | None:
    """Each verdict's share of the attempts, as two runs are held against each other by; ``None`` without attempts."""
    found = side.tally.instances.get(name)
    if found is None:
        return None
    return frozenset((verdict, Fraction(count, found.attempts)) for verdict, count in found.verdicts.items() if count)


def _cell(side: Side, name: str) -> str:
    """How often the instance was resolved, and why it was not."""
    found = side.tally.instances.get(name)
    if found is None:
        return "-"
    failures = side.played.get(name, Played()).failures or {
        verdict: count for verdict, count in found.verdicts.items() if verdict != "resolved"
    }
    said = ", ".join(failure if count == 1 else f"{failure} {count}x" for failure, count in failures.items())
    return f"{found.resolved}/{found.graded}" + (f" {said}" if said else "")


def _totals(sides: Sequence[Side]) -> Iterator[tuple[str, ...]]:
    """A row for each thing that some run tells."""
    told: dict[str, Callable[[Side], str | None]] = {
        "cost": lambda side: _money(usage.cost if (usage := _called(side)) else None),
        "cost per attempt": lambda side: _money(side.spent.cost_per_attempt),
        "cost per resolved instance": lambda side: _money(side.spent.cost_per_resolved),
        "requests": lambda side: f"{usage.requests:,}" if (usage := _called(side)) else None,
        "tokens": lambda side: f"{usage.tokens:,}" if (usage := _called(side)) else None,
        "median steps": lambda side: f"{side.spent.steps:g}" if side.spent.steps is not None else None,
        "median seconds": lambda side: f"{side.spent.seconds:.1f}" if side.spent.seconds is not None else None,
    }
    for title, value in told.items():
        cells = [value(side) for side in sides]
        if any(cell is not None for cell in cells):
            yield title, *(cell or "-" for cell in cells)


def _called(side: Side) -> Usage | None:
    """What the run's model calls came to; ``None`` if it made none."""
    usage = side.spent.usage
    return usage if usage is not None and usage.requests else None


def _money(cost: float | None) -> str | None:
    return None if cost is None else money(cost)


def _failures(sides: Sequence[Side]) -> Iterator[tuple[str, ...]]:
    names = dict.fromkeys(name for side in sides for name in side.failures)
    for name in names:
        yield name, *(str(side.failures.get(name, 0)) for side in sides)


def _kinds(found: Comparison) -> dict[str, str]:
    """What became of each instance that was compared."""
    groups = {"lost": found.lost, "gained": found.gained, "same": found.same}
    return {each.instance_id: kind for kind, changes in groups.items() for each in changes}


def _comparison_dict(found: Comparison) -> dict[str, Any]:
    groups = {"lost": found.lost, "gained": found.gained, "same": found.same}
    return {
        "before": found.before.where,
        "after": found.after.where,
        **{kind: [each.instance_id for each in changes] for kind, changes in groups.items()},
        "only_before": list(found.only_before),
        "only_after": list(found.only_after),
        "not_graded": list(found.not_graded),
        "other_tasks": list(found.other_tasks),
        "other_grader": found.other_grader,
        "test": asdict(found.test) if found.test is not None else None,
        "alpha": found.alpha,
        "worse": found.worse,
    }
