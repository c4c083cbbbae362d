"""What a test gets to look at, and how it reads when the task is not resolved."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_swegym.results.ended import ended
from pytest_swegym.results.text import explain
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Verdict


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SwegymResult:
    """An attempt that ended: ``record`` is all that is kept of it, ``grade`` what the hidden tests said."""

    record: AttemptRecord
    grade: Grade

    @property
    def resolved(self) -> bool:
        return self.record.resolved

    @property
    def verdict(self) -> Verdict:
        return self.record.verdict

    @property
    def reward(self) -> float | None:
        return self.record.reward

    @property
    def patch(self) -> str:
        return self.record.patch

    def explain(self) -> str:
        """The verdict in a sentence or two, and how the episode ended, if there was one."""
        return "; ".join(filter(None, (explain(self.record), ended(self.record))))

    def __repr__(self) -> str:
        return f"<{self.explain()}>"
