"""Which attempts may be made on another machine."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from pytest_swegym.errors import SolverError
from pytest_swegym.plugin.remote import ConftestSolver
from pytest_swegym.plugin.remote import stays
from pytest_swegym.solvers import own_solver
from pytest_swegym.task import TaskSpec


TASK = '@pytest.mark.swegym(repo="./x", fail_to_pass=["t"])\n'
CONFTEST = "def pytest_swegym_solve(task, workspace):\n    return ''\n"


def reasons(pytester: pytest.Pytester, *tests: str, conftest: str = CONFTEST, words: tuple[str, ...] = ()) -> list[str]:
    pytester.makeconftest(conftest)
    module = "import pytest\n\n\n" + "\n\n".join(TASK + test for test in tests)
    items, _ = pytester.inline_genitems(pytester.makepyfile(module), *words)
    return [stays(item) for item in items]


def test_what_comes_back_is_enough_for_most_tests(pytester: pytest.Pytester) -> None:
    found = reasons(
        pytester,
        "def test_a(swegym_result):\n    pass\n",
        "def test_b(swegym_reward, swegym_grade, swegym_patch):\n    pass\n",
        "def test_c(swegym_result, swegym_workspace):\n    pass\n",
        "def test_d(swegym_result, through):\n    pass\n",
        conftest=f"import pytest\n\n\n@pytest.fixture\ndef through(swegym_sandbox):\n    return 1\n\n\n{CONFTEST}",
    )
    assert [bool(each) for each in found] == [False, False, True, True]


@pytest.mark.parametrize(
    ("conftest", "words", "why"),
    [
        ("def pytest_swegym_solve(item, task, workspace):\n    return ''\n", (), "takes the item"),
        (CONFTEST + "def pytest_swegym_step_reward(session):\n    return 1\n", (), "steps are rewarded"),
        (CONFTEST + "def pytest_swegym_make_sandbox(name):\n    return None\n", ("--swegym-sandbox=mine",), "mine"),
        (
            CONFTEST + "pytest_swegym_solve.graded = True\ndef pytest_swegym_compute_reward(grade):\n    return 1\n",
            (),
            "searches by a conftest's reward",
        ),
        (CONFTEST + "def pytest_swegym_compute_reward(grade):\n    return 1\n", (), ""),
    ],
)
def test_what_a_conftest_does_itself_stays(
    pytester: pytest.Pytester, conftest: str, words: tuple[str, ...], why: str
) -> None:
    (found,) = reasons(pytester, "def test_a(swegym_result):\n    pass\n", conftest=conftest, words=words)
    assert why in found if why else not found


def first(task: TaskSpec) -> str | None:
    return "" if task.instance_id == "one" else None


def second(workspace: str) -> object:
    return workspace or None


def test_conftest_solvers_are_asked_in_turn() -> None:
    solver: Any = ConftestSolver(functions=((first, ("task",)), (second, ("workspace",))))
    one, other = (TaskSpec(instance_id=name, repo="x") for name in ("one", "other"))
    assert pickle.loads(pickle.dumps(solver)) == solver
    assert own_solver("conftest", solver).function is solver
    assert solver(one, "w") is None
    assert solver(other, "w") == "w"
    with pytest.raises(SolverError, match="no solver took other"):
        solver(other, "")
