"""What attempts took: model calls, money, steps and time, for each and for every instance that was resolved."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from pytest_swegym.errors import ConfigError
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Usage
from pytest_swegym.task.usage import USAGE
from pytest_swegym.task.usage import read_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What ``attempts`` attempts took together; infra errors have taken it as well.

    ``usage`` is their sum, ``None`` if no attempt told one. ``cost_per_attempt`` is the mean over the attempts whose
    cost is known. ``cost_per_resolved`` is the whole cost over the instances that were resolved at least once: ``None``
    if none was, or if the cost of an attempt that called a model is not known. ``seconds`` and ``steps`` are medians
    over the attempts that tell them.
    """

    attempts: int = 0
    resolved: int = 0
    usage: Usage | None = None
    cost_per_attempt: float | None = None
    cost_per_resolved: float | None = None
    seconds: float | None = None
    steps: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "usage": self.usage.to_dict() if self.usage is not None else None,
            "cost_per_attempt": self.cost_per_attempt,
            "cost_per_resolved": self.cost_per_resolved,
            "median_seconds": self.seconds,
            "median_steps": self.steps,
        }

    @classmethod
    def from_dict(cls, data: Any) -> Spending:
        """What a summary tells, as far as it does. Raises :class:`ConfigError` for another form."""
        if not isinstance(data, Mapping):
            return cls()
        names = {"cost_per_attempt", "cost_per_resolved", "median_seconds", "median_steps"}
        numbers: dict[str, Any] = {name.removeprefix("median_"): data.get(name) for name in names}
        wrong = [name for name, value in numbers.items() if value is not None and not _is_number(value)]
        if wrong:
            raise ConfigError(f"spending: {sorted(wrong)[0]} is no number")
        usage = data.get("usage")
        return cls(usage=Usage.from_dict(usage) if isinstance(usage, Mapping) else None, **numbers)


def usage_of(record: AttemptRecord) -> Usage | None:
    """What the attempt's model calls came to; ``None`` if it tells nothing, or nothing that can be read."""
    return read_usage(record.extra.get(USAGE))


def steps_of(record: AttemptRecord) -> int | None:
    """The steps of the attempt's episode; ``None`` if its solver does not work step by step."""
    told = record.extra.get("steps")
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def spending(records: Collection[AttemptRecord]) -> Spending:
    """Sum up what was taken."""
    told = [usage for record in records if (usage := usage_of(record)) is not None]
    costs = [usage.cost for usage in told if usage.cost is not None]
    resolved = len({record.instance_id for record in records if record.resolved})
    whole = costs and all(usage.cost is not None or not usage.requests for usage in told)
    seconds = [sum(record.stages.values()) for record in records if record.stages]
    steps = [found for record in records if (found := steps_of(record)) is not None]
    return Spending(
        attempts=len(records),
        resolved=resolved,
        usage=sum(told, Usage()) if told else None,
        cost_per_attempt=sum(costs) / len(costs) if costs else None,
        cost_per_resolved=sum(costs) / resolved if whole and resolved else None,
        seconds=round(median(seconds), 3) if seconds else None,
        steps=float(median(steps)) if steps else None,
    )


def spending_lines(found: Spending) -> Iterator[str]:
    """The same in words, a line for each thing that is known."""
    usage = found.usage
    # What called no model has no tokens, rather than none.
    if usage is not None and usage.requests:
        cached = f" ({usage.cached_tokens:,} of them cached)" if usage.cached_tokens else ""
        yield (
            f"model: {usage.requests:,} requests, {usage.prompt_tokens:,} tokens sent{cached},"
            f" {usage.completion_tokens:,} received, {usage.seconds:.1f} s"
        )
    if usage is not None and usage.requests and usage.cost is not None:
        parts = [f"cost: {money(usage.cost)}"]
        parts += [f"{money(found.cost_per_attempt)} per attempt"] if found.cost_per_attempt is not None else []
        per = found.cost_per_resolved
        parts += [f"{money(per)} per resolved instance"] if per is not None else []
        yield ", ".join(parts)
    median_of = [f"{found.steps:g} steps"] if found.steps is not None else []
    median_of += [f"{found.seconds:.1f} s"] if found.seconds is not None else []
    if found.steps is not None:
        yield f"median per attempt: {', '.join(median_of)}"


def money(cost: float) -> str:
    """A cost to be shown: two digits that tell something, whatever its size."""
    return f"{cost:,.2f}" if cost >= 0.1 or not cost else f"{cost:.2g}" if cost >= 0.0001 else f"{cost:.1e}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
