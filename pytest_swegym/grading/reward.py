"""A grade as a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence

from pytest_swegym._support.loading import load
from pytest_swegym._support.loading import looks_like_name
from pytest_swegym.errors import ConfigError
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


def resolved(grade: Grade) -> float:
    """1 if every listed test holds and nothing was bent, else 0."""
    return 1.0 if grade.resolved else 0.0


def fraction(grade: Grade) -> float:
    """The share of all listed tests that hold, or a judge's score; 0 unless the run is to be believed."""
    if not _believed(grade):
        return 0.0
    if grade.score is not None:
        return grade.score
    listed = len(grade.fail_to_pass) + len(grade.pass_to_pass)
    return (grade.f2p_passed + grade.p2p_passed) / listed if listed else 1.0


def weighted(grade: Grade) -> float:
    """The share of FAIL_TO_PASS times the share of PASS_TO_PASS: nothing is gained by breaking what worked."""
    if not _believed(grade):
        return 0.0
    return _share(grade.f2p_passed, grade.fail_to_pass) * _share(grade.p2p_passed, grade.pass_to_pass)


def delta(grade: Grade) -> float:
    """What the patch changed: the share of FAIL_TO_PASS gained less the share of PASS_TO_PASS lost, from -1 to 1.

    Without a measured baseline FAIL_TO_PASS counts as failing and PASS_TO_PASS as passing before. A patch that does
    not apply changes nothing (0); one that bends the tests or never ends is worth the least (-1).
    """
    if grade.verdict in (Verdict.TAMPERED, Verdict.TIMEOUT):
        return -1.0
    if not _believed(grade):
        return 0.0
    gained = _steps(grade.fail_to_pass, grade.baseline, F2P_OK, otherwise=Outcome.FAILED)
    lost = [min(step, 0) for step in _steps(grade.pass_to_pass, grade.baseline, P2P_OK, otherwise=Outcome.PASSED)]
    return _mean(gained) + _mean(lost)


REWARDS: Mapping[str, Callable[[Grade], float]] = {
    "resolved": resolved,
    "fraction": fraction,
    "weighted": weighted,
    "delta": delta,
}


def compute_reward(name: str, grade: Grade) -> float:
    """The reward called ``name``: one of ``REWARDS``, or a function of the user's as ``module:attr``.

    Raises :class:`ConfigError` for an unknown name or a result that is no finite number.
    """
    check_reward(name)
    if name in REWARDS:
        return REWARDS[name](grade)
    value = load(name, what="reward")(grade)
    if isinstance(value, (str, bytes)) or not _is_finite(value):
        raise ConfigError(f"reward {name!r} returned {value!r:.80}, not a finite number")
    return float(value)


def check_reward(name: str) -> None:
    """Raise :class:`ConfigError` for what is neither one of ``REWARDS`` nor ``module:attr``."""
    if name not in REWARDS and not looks_like_name(name):
        raise ConfigError(f"unknown reward {name!r}; choose from {', '.join(REWARDS)}, or give 'module:attr'")


def _is_finite(value: object) -> bool:
    try:
        return math.isfinite(value)  # type: ignore[arg-type]
    except TypeError:
        return False


def _believed(grade: Grade) -> bool:
    return grade.verdict in (Verdict.RESOLVED, Verdict.UNRESOLVED)


def _share(passed: int, listed: Collection[str]) -> float:
    return passed / len(listed) if listed else 1.0


def _steps(
    listed: Mapping[str, Outcome], before: Mapping[str, Outcome], ok: Collection[Outcome], *, otherwise: Outcome
) -> list[int]:
    """For each test 1 if it holds now and did not before, -1 the other way round, else 0."""
    return [(outcome in ok) - (before.get(name, otherwise) in ok) for name, outcome in listed.items()]


def _mean(steps: Sequence[int]) -> float:
    return sum(steps) / len(steps) if steps else 0.0
