from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import LoadError
from pytest_swegym.grading import REWARDS
from pytest_swegym.grading import compute_reward
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


P, F = Outcome.PASSED, Outcome.FAILED


def grade(f2p: list[Outcome], p2p: list[Outcome], verdict: Verdict = Verdict.UNRESOLVED, **more: object) -> Grade:
    lists = {f"f{n}": o for n, o in enumerate(f2p)}, {f"p{n}": o for n, o in enumerate(p2p)}
    return Grade(verdict=verdict, fail_to_pass=lists[0], pass_to_pass=lists[1], **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "resolved", "fraction", "weighted", "delta"),
    [
        (grade([P, P], [P, P], Verdict.RESOLVED), 1, 1, 1, 1),
        (grade([P, F], [P, P]), 0, 0.75, 0.5, 0.5),
        (grade([F, F], [P, P]), 0, 0.5, 0, 0),
        (grade([F, F], [F, P]), 0, 0.25, 0, -0.5),
        (grade([P, P], [F, F]), 0, 0.5, 0, 0),
        (grade([F], [F]), 0, 0, 0, -1),
        (grade([P], [], Verdict.RESOLVED), 1, 1, 1, 1),
        (grade([P], [P], Verdict.TAMPERED), 0, 0, 0, -1),
        (grade([P], [P], Verdict.TIMEOUT), 0, 0, 0, -1),
        (grade([F], [F], Verdict.INVALID_PATCH), 0, 0, 0, 0),
        (grade([Outcome.SKIPPED], [Outcome.SKIPPED]), 0, 0.5, 0, 0),
        (grade([P, P], [P], baseline={"f0": P, "p0": F}), 0, 1, 1, 0.5),
    ],
)
def test_rewards(given: Grade, resolved: float, fraction: float, weighted: float, delta: float) -> None:
    values = {"resolved": resolved, "fraction": fraction, "weighted": weighted, "delta": delta}
    assert {name: compute_reward(name, given) for name in REWARDS} == values


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"'solved'; choose from resolved, fraction, weighted, delta"):
        compute_reward("solved", grade([P], []))
    with pytest.raises(LoadError, match="nowhere"):
        compute_reward("nowhere:reward", grade([P], []))


def test_own_reward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_reward.py").write_text(
        "half = lambda grade: 0.5\ntext = lambda grade: '1'\nnan = lambda grade: float('nan')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert compute_reward("own_reward:half", grade([P], [])) == 0.5
    for name in ("text", "nan"):
        with pytest.raises(ConfigError, match="not a finite number"):
            compute_reward(f"own_reward:{name}", grade([P], []))
