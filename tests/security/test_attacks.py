"""Patches that cheat, on both backends: each is worth nothing, and what bends the machinery is called by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attacks import ATTACKS
from attacks import OPEN
from attacks import Attack

from pytest_swegym.grading import grade
from pytest_swegym.task import Verdict
from pytest_swegym.task.files import load_tasks


ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_attack_is_worth_nothing(targets: Any, attack: Attack) -> None:
    target = targets[attack.runner]
    record = target.attempt(target.patch(attack))
    said = "\n".join(record.reasons)
    assert record.reward == 0.0, (record.verdict, said)
    assert not record.resolved
    if attack.kind == "tampered":
        assert record.verdict is Verdict.TAMPERED, said
    else:
        assert record.verdict is not Verdict.INFRA_ERROR, record.error
    assert record.reasons
    assert attack.words in said
    assert set(attack.put_back) <= set(record.protected)


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
@pytest.mark.parametrize("attack", {each.family: each for each in ATTACKS}.values(), ids=lambda attack: attack.family)
def test_attack_is_worth_nothing_where_a_grade_may_end_early(targets: Any, attack: Attack) -> None:
    target = targets[attack.runner]
    whole, early = (target.grade(target.patch(attack), fast_fail=fast_fail) for fast_fail in (False, True))
    assert early.verdict is whole.verdict, (early.verdict, early.reasons)
    assert not early.resolved
    assert attack.words in "\n".join(early.reasons)


@pytest.mark.parametrize("attack", OPEN, ids=lambda attack: attack.name)
def test_what_remains_open(targets: Any, attack: Attack) -> None:
    """Known, and written down in docs/threat-model.md: whoever closes one of these moves it up to the attacks."""
    target = targets["pytest"]
    record = target.attempt(target.patch(attack))
    assert record.verdict is Verdict.RESOLVED, record.reasons


def test_the_same_tasks_are_resolved_by_their_gold_patch(lab: Any, targets: Any) -> None:
    (whole,) = load_tasks(ROOT / "task_specs" / "itsdangerous__2.1.0.swegym.toml")
    tasks = [whole, *(target.task for target in targets.values())]
    for task in tasks:
        prepared = lab.prepare(task)
        for _ in range(2):
            with lab.workspace(task.spec, prepared.snapshot) as workspace:
                graded = grade(prepared.task, prepared.task.hidden.patch, workspace, baseline=prepared.baseline)
            assert graded.verdict is Verdict.RESOLVED, (task.id, graded.reasons)


@pytest.mark.parametrize("attack", [each for each in ATTACKS if each.family == "secrets"], ids=lambda attack: attack.id)
def test_nothing_secret_is_within_reach_of_a_graded_patch(targets: Any, attack: Attack) -> None:
    target = targets[attack.runner]
    assert "LOOT []" in target.log(target.patch(attack))
