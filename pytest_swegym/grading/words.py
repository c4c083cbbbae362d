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


def shortfalls(f2p: Mapping[str, Outcome], p2p: Mapping[str, Outcome]) -> list[str]:
    """Which listed tests do not hold."""
    return _shortfalls("FAIL_TO_PASS", f2p, F2P_OK) + _shortfalls("PASS_TO_PASS", p2p, P2P_OK)


def _shortfalls(label: str, listed: Mapping[str, Outcome], ok: Collection[Outcome]) -> list[str]:
    missing = [name for name, outcome in listed.items() if outcome is Outcome.MISSING]
    failed = [f"{name} ({outcome.value})" for name, outcome in listed.items() if outcome not in ok]
    failed = [text for text in failed if not text.endswith("(missing)")]
    said = []
    if failed:
        said.append(f"{label}: {len(failed)} of {len(listed)} do not pass: {_some(failed)}")
    if missing:
        said.append(f"{label}: {len(missing)} of {len(listed)} never ran: {_some(missing)}")
    return said


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
