"""The same attacks on a Python that was up before the patch came: what starts reads nothing of a patch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attacks import ATTACKS
from attacks import Attack
from conftest import TARGETS
from conftest import Target

from pytest_swegym.grading import grade
from pytest_swegym.grading.run import begin_tests
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import Verdict


#: One or two of each way in; ``SWEGYM_PREFORK=on`` has the whole suite attack such a Python.
NAMES = ("sitecustomize that git ignores", ".pth file", "pytest.py in the root", "a standard module in the root")
FAMILIES = ("channel", "bent", "exit", "unittest")
CHOSEN = [each for each in ATTACKS if each.name in NAMES] + [
    next(each for each in ATTACKS if each.family == family) for family in FAMILIES
]


@pytest.fixture(scope="module")
def preforked() -> Iterator[Lab]:
    backend = make_backend("bubblewrap")
    reason = backend.available()
    if reason is not None:
        (pytest.fail if required("bubblewrap") else pytest.skip)(reason)
    lab = Lab(backend)
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def prepared(preforked: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return {runner: Target(preforked, runner, tmp_path_factory.mktemp(runner)) for runner in TARGETS}


@pytest.mark.parametrize("attack", CHOSEN, ids=lambda attack: attack.id)
def test_a_python_that_waits_is_bent_no_sooner(prepared: dict[str, Target], attack: Attack) -> None:
    target = prepared[attack.runner]
    task, baseline = target.prepared.task, target.prepared.baseline
    with target.workspace() as workspace:
        assert begin_tests(task, workspace.sandbox)
        found = grade(task, target.patch(attack), workspace, baseline=baseline)
    assert found.verdict is not Verdict.RESOLVED
    if attack.kind == "tampered":
        assert found.verdict is Verdict.TAMPERED, found.reasons
    assert attack.words in "\n".join(found.reasons)


def test_the_gold_patch_resolves_there(prepared: dict[str, Target]) -> None:
    for target in prepared.values():
        with target.workspace() as workspace:
            assert begin_tests(target.task, workspace.sandbox)
            graded = grade(target.prepared.task, target.gold, workspace, baseline=target.prepared.baseline)
        assert graded.verdict is Verdict.RESOLVED, graded.reasons
