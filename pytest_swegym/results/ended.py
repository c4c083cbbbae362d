"""How an attempt's episode ended, in words."""

from __future__ import annotations

from pytest_swegym._support.text import one_line
from pytest_swegym.results.spending import money
from pytest_swegym.results.spending import steps_of
from pytest_swegym.results.spending import usage_of
from pytest_swegym.task import AttemptRecord


def ended(record: AttemptRecord) -> str:
    """``the episode ended: steps (5 steps, 1234 tokens)``; empty for a solver that tells no ending."""
    ending = record.extra.get("ending")
    if not isinstance(ending, str) or not ending:
        return ""
    steps, usage = steps_of(record), usage_of(record)
    facts = [f"{steps} step{'s' * (steps != 1)}"] if steps is not None else []
    facts += [f"{usage.tokens} tokens"] if usage is not None else []
    facts += [f"cost {money(usage.cost)}"] if usage is not None and usage.cost is not None else []
    return f"the episode ended: {one_line(ending, 80)}" + (f" ({', '.join(facts)})" if facts else "")
