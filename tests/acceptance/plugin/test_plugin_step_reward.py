"""``--swegym-step-reward`` and its hook: what steps are worth, beside the graded reward."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_swegym.results import ResultStore


ACTIONS = [
    {"action": "command", "command": "sed -i 's/a - b/a + b/' calc.py"},
    {"action": "command", "command": "cat calc.py"},
    {"action": "submit"},
]
HOOK = """
def pytest_swegym_step_reward(item, task, action, observation):
    return 0.5 if "cat" in getattr(action, "command", "") else None
"""


@pytest.mark.parametrize(
    ("options", "hook", "total"),
    [(["--swegym-step-reward=tests"], "", 1.0), (["--swegym-step-reward=tests"], HOOK, 1.5), ([], HOOK, 0.5)],
    ids=["name", "both", "hook"],
)
def test_steps_of_a_solver_are_worth_something(
    project: pytest.Pytester, rows: Callable[..., Path], options: list[str], hook: str, total: float
) -> None:
    (project.path / "actions.jsonl").write_text("".join(json.dumps(action) + "\n" for action in ACTIONS))
    (project.path / "conftest.py").write_text(hook)
    rows("calc-1")
    args = ["--swegym-tasks=rows.jsonl", "--swegym-solver=scripted:actions.jsonl", "--swegym-output=out", *options]
    project.runpytest_inprocess(*args)
    (record,) = ResultStore(root=project.path / "out").records()
    assert (record.extra["step_reward"], record.reward) == (total, 1.0)


def test_an_unknown_step_reward_is_wrong_use(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--swegym-step-reward=nonsense", "--swegym-tasks=rows.jsonl")
    result.stderr.fnmatch_lines(["*--swegym-step-reward: 'nonsense' is not known; choose from: none, tests*"])
