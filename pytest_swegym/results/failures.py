"""Why an attempt did not resolve its task, in one of a few words that can be counted."""

from __future__ import annotations

from collections import Counter
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_swegym._support.text import one_line
from pytest_swegym.results.spending import steps_of
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


#: Every reason, in the order of precedence: the first that holds is the attempt's.
FAILURES = ("infra", "tampered", "budget", "solver error", "timeout", "no edit", "does not apply", "wrong")
#: How an episode ends when one of its budgets is used up (``extra["ending"]``).
BUDGETS = frozenset({"steps", "seconds", "output", "cost", "tokens", "requests"})
_BY_VERDICT = {
    Verdict.INFRA_ERROR: "infra",
    Verdict.TAMPERED: "tampered",
    Verdict.SOLVER_ERROR: "solver error",
    Verdict.TIMEOUT: "timeout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """The attempts that failed for one reason: their names, and how often each detail was the case."""

    name: str
    attempts: tuple[str, ...]
    details: Mapping[str, int]

    @property
    def count(self) -> int:
        return len(self.attempts)

    def to_dict(self) -> dict[str, Any]:
        return {"count": self.count, "attempts": list(self.attempts), "details": dict(self.details)}

    def __str__(self) -> str:
        told = [f"{text} {count}x" if count > 1 else text for text, count in self.details.items() if text]
        return f"{self.name} {self.count}" + (
            f" ({'; '.join(told[:3])}{'; ...' if len(told) > 3 else ''})" if told else ""
        )


def failure_of(record: AttemptRecord) -> str:
    """Why the attempt failed, one of :data:`FAILURES`; empty if it resolved its task.

    Whose fault it was comes first: the machinery's, then a bent verdict. A used-up budget explains whatever else is
    wrong, an empty patch too; so is a tree that was handed in after an episode without a step. ``timeout`` is the
    solver's or the tests'; ``wrong`` was graded and does not hold.
    """
    if record.resolved:
        return ""
    by_verdict = _BY_VERDICT.get(record.verdict, "")
    if by_verdict in ("infra", "tampered"):
        return by_verdict
    if str(record.extra.get("ending")) in BUDGETS:
        return "budget"
    if by_verdict:
        return by_verdict
    if not record.patch.strip() and (not record.tree or steps_of(record) == 0):
        return "no edit"
    return "does not apply" if record.verdict is Verdict.INVALID_PATCH else "wrong"


def detail_of(record: AttemptRecord) -> str:
    """More of the same in a few words: which budget, what a wrong patch fixes and breaks, whether the episode ended for
    its invalid replies, else the first reason."""
    failure = failure_of(record)
    if failure == "budget":
        return str(record.extra["ending"])
    if failure == "timeout":
        return "the solver" if record.error_stage == "solve" else "the tests"
    invalid = "invalid replies" if record.extra.get("ending") == "invalid_replies" else ""
    if failure in ("", "no edit"):
        return invalid if failure else ""
    reason = one_line((record.reasons or ("",))[0].split("\n")[0], 200)
    return ", ".join(filter(None, (_wrong(record) or reason, invalid))) if failure == "wrong" else reason


def _wrong(record: AttemptRecord) -> str:
    f2p, p2p = (
        [outcome for outcome in listed.values() if outcome is not Outcome.NOT_RUN]
        for listed in (record.fail_to_pass, record.pass_to_pass)
    )
    fixed = sum(outcome in F2P_OK for outcome in f2p)
    said = []
    if fixed < len(f2p):
        all_ran = len(f2p) == len(record.fail_to_pass)
        said.append("fixes some" if fixed else "fixes nothing" if all_ran else "does not fix all")
    if any(outcome not in P2P_OK for outcome in p2p):
        said.append("breaks what worked")
    return ", ".join(said)


def groups(records: Iterable[AttemptRecord]) -> tuple[FailureGroup, ...]:
    """What did not resolve, by reason, the most frequent first."""
    found: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    for record in records:
        if not record.resolved:
            found[failure_of(record)].append(record)
    order = sorted(found, key=lambda name: (-len(found[name]), FAILURES.index(name)))
    return tuple(_group(name, found[name]) for name in order)


def _group(name: str, records: list[AttemptRecord]) -> FailureGroup:
    details = Counter(map(detail_of, records))
    return FailureGroup(
        name=name, attempts=tuple(record.key for record in records), details=dict(details.most_common())
    )
