"""What a grade says in words."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping

from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict


def never_ran(task: Task, verdict: Verdict, reason: str) -> Grade:
    """The grade of an answer that nothing could be run on."""
    return Grade(
        verdict=verdict,
        fail_to_pass=dict.fromkeys(task.hidden.fail_to_pass, Outcome.MISSING),
        pass_to_pass=dict.fromkeys(task.hidden.pass_to_pass, Outcome.MISSING),
        reasons=(reason,),
    )


def ended_early(where: str | None) -> str:
    """Where a run ended before its end; empty if it did not."""
    return "" if where is None else f"at the first lost test: {where}" if where else "after the last listed test"


def not_run(listed: Mapping[str, Outcome], lost: str | None) -> dict[str, Outcome]:
    """``listed`` after a run that ended where a test was ``lost``: what then is missing was not run."""
    return {
        name: Outcome.NOT_RUN if lost and name != lost and outcome is Outcome.MISSING else outcome
        for name, outcome in listed.items()
    }


def shortfalls(f2p: Mapping[str, Outcome], p2p: Mapping[str, Outcome]) -> list[str]:
    """Which listed tests do not hold."""
    return _shortfalls("FAIL_TO_PASS", f2p, F2P_OK) + _shortfalls("PASS_TO_PASS", p2p, P2P_OK)


def _shortfalls(label: str, listed: Mapping[str, Outcome], ok: Collection[Outcome]) -> list[str]:
    missing = [name for name, outcome in listed.items() if outcome is Outcome.MISSING]
    late = sum(outcome is Outcome.NOT_RUN for outcome in listed.values())
    told = (Outcome.MISSING, Outcome.NOT_RUN)
    failed = [f"{name} ({outcome.value})" for name, outcome in listed.items() if outcome not in (*ok, *told)]
    said = []
    if failed:
        said.append(f"{label}: {len(failed)} of {len(listed)} do not pass: {_some(failed)}")
    if missing:
        said.append(f"{label}: {len(missing)} of {len(listed)} never ran: {_some(missing)}")
    if late:
        said.append(f"{label}: {late} of {len(listed)} were not run: the grade had ended at the first that is lost")
    return said


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
