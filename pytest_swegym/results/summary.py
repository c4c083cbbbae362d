"""The numbers of a run."""

from __future__ import annotations

from collections import Counter
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from pytest_swegym.grading.protect import edited_tests
from pytest_swegym.results.failures import FailureGroup
from pytest_swegym.results.failures import groups
from pytest_swegym.results.spending import Spending
from pytest_swegym.results.spending import spending
from pytest_swegym.results.statistics import Interval
from pytest_swegym.results.statistics import bootstrap_rate
from pytest_swegym.results.statistics import pass_at_k
from pytest_swegym.results.statistics import wilson
from pytest_swegym.results.tally import FORMAT
from pytest_swegym.results.tally import RunTally
from pytest_swegym.results.tally import tally
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Compat
from pytest_swegym.task import Verdict


#: Graded attempts from which on the rate is given with its interval: that of fewer is as wide as no answer.
ENOUGH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """An attempt whose ``verdict`` is not what the SWE-bench ``harness`` would have said."""

    attempt: str
    verdict: str
    harness: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the attempts of a run came to.

    ``graded`` counts the attempts that say something of the solver: all but infra errors, which are neither right nor
    wrong. ``unrunnable`` names the tasks among the infra errors that nobody could have attempted.
    ``rate`` is resolved over graded. ``pass_at`` maps k to the chance that one of k attempts resolves a task.
    ``seconds`` sums each stage; ``reasons`` counts why attempts did not resolve, the most frequent first. ``cached``
    counts attempts whose patch had been graded before. ``interval`` is that of the rate at 95%, by :func:`interval_of`.
    ``tally`` counts each instance's attempts: a later run can be held against this one. ``judged`` attempts have the
    SWE-bench harness's verdict as well, by which ``harness_resolved`` of them are resolved; ``disagreements`` lists
    where it is not ours. ``test_edits`` names the attempts whose patch edits tests. ``failures`` groups attempts by why
    they did not resolve, ``spent`` is what all of them took.
    """

    attempts: int = 0
    tasks: int = 0
    graded: int = 0
    resolved: int = 0
    mean_reward: float | None = None
    verdicts: Mapping[str, int] = field(default_factory=dict)
    infra_errors: Sequence[str] = ()
    unrunnable: Sequence[str] = ()
    pass_at: Mapping[int, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    reasons: Sequence[tuple[str, int]] = ()
    cached: int = 0
    interval: Interval | None = None
    tally: RunTally = field(default_factory=RunTally)
    judged: int = 0
    harness_resolved: int = 0
    disagreements: Sequence[Disagreement] = ()
    test_edits: Sequence[str] = ()
    failures: Sequence[FailureGroup] = ()
    spent: Spending = field(default_factory=Spending)

    @property
    def rate(self) -> float | None:
        return self.resolved / self.graded if self.graded else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the name and version of the format."""
        return {
            "format": FORMAT,
            "attempts": self.attempts,
            "tasks": self.tasks,
            "graded": self.graded,
            "resolved": self.resolved,
            "rate": self.rate,
            "interval": list(self.interval) if self.interval else None,
            "mean_reward": self.mean_reward,
            "verdicts": dict(self.verdicts),
            "infra_errors": list(self.infra_errors),
            "unrunnable": list(self.unrunnable),
            "pass_at": {str(k): value for k, value in self.pass_at.items()},
            "seconds": dict(self.seconds),
            "reasons": [list(reason) for reason in self.reasons],
            "cached": self.cached,
            "test_edits": list(self.test_edits),
            "harness": {
                "judged": self.judged,
                "resolved": self.harness_resolved,
                "disagreements": [asdict(each) for each in self.disagreements],
            },
            "failures": {group.name: group.to_dict() for group in self.failures},
            "spent": self.spent.to_dict(),
            **self.tally.to_dict(),
        }


def summarize(records: Iterable[AttemptRecord], *, enough: int = ENOUGH) -> Summary:
    """Count the records up; the rate gets its interval from ``enough`` graded attempts on."""
    found = list(records)
    counted = tally(found)
    graded = [record for record in found if record.verdict is not Verdict.INFRA_ERROR]
    rewards = [record.reward for record in graded if record.reward is not None]
    seconds: defaultdict[str, float] = defaultdict(float)
    for record in found:
        for stage, duration in record.stages.items():
            seconds[stage] += duration
    counts = Counter(record.verdict for record in found)
    return Summary(
        attempts=len(found),
        tasks=len({record.instance_id for record in found}),
        graded=len(graded),
        resolved=counts[Verdict.RESOLVED],
        mean_reward=sum(rewards) / len(rewards) if rewards else None,
        verdicts={verdict.value: counts[verdict] for verdict in Verdict if counts[verdict]},
        infra_errors=sorted(record.key for record in found if record.verdict is Verdict.INFRA_ERROR),
        unrunnable=sorted({record.instance_id for record in found if record.unrunnable}),
        pass_at=_pass_at(graded),
        seconds={stage: round(total, 3) for stage, total in seconds.items()},
        reasons=_reasons(graded),
        cached=sum(record.cached for record in found),
        test_edits=sorted(record.key for record in found if edited_tests(record.patch)),
        interval=interval_of(counted) if len(graded) >= max(1, enough) else None,
        tally=counted,
        judged=sum(record.compat is not None for record in found),
        harness_resolved=sum(record.compat is not None and record.compat.resolved for record in found),
        disagreements=tuple(
            _disagreement(record, record.compat) for record in found if record.compat and record.disagrees
        ),
        failures=groups(found),
        spent=spending(found),
    )


def _disagreement(record: AttemptRecord, compat: Compat) -> Disagreement:
    said = "resolved" if compat.resolved else "unresolved" if compat.gradeable else f"not gradeable: {compat.reason}"
    return Disagreement(attempt=record.key, verdict=record.verdict.value, harness=said)


def interval_of(found: RunTally) -> Interval | None:
    """The interval of a run's rate: Wilson's, or by a bootstrap over instances.

    Attempts at one task are alike: only where each was attempted once do they count as independent. Where all came to
    the same there is nothing to resample, and each task counts as one attempt.
    """
    counts = [(each.resolved, each.graded) for each in found.instances.values() if each.graded]
    if not counts:
        return None
    if all(graded == 1 for _, graded in counts):
        return wilson(found.resolved, found.graded)
    if found.resolved in (0, found.graded):
        return wilson(len(counts) if found.resolved else 0, len(counts))
    return bootstrap_rate(counts)


def _pass_at(graded: Sequence[AttemptRecord]) -> dict[int, float]:
    """pass@k for every k that some task was attempted often enough for, as the mean over those tasks."""
    tries: defaultdict[str, list[bool]] = defaultdict(list)
    for record in graded:
        tries[record.instance_id].append(record.resolved)
    most = max(map(len, tries.values()), default=0)
    found = {}
    for k in range(1, most + 1):
        each = [pass_at_k(len(tried), sum(tried), k) for tried in tries.values() if len(tried) >= k]
        found[k] = sum(each) / len(each)
    return found


def _reasons(records: Sequence[AttemptRecord]) -> tuple[tuple[str, int], ...]:
    """The first reason of each attempt that did not resolve, the most frequent first."""
    first = (record.reasons[0].split("\n")[0] for record in records if record.reasons and not record.resolved)
    return tuple(Counter(reason[:200] for reason in first).most_common(5))
