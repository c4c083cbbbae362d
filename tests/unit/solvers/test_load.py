"""Solvers by name, and predictions files."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import LoadError
from pytest_swegym.errors import PatchError
from pytest_swegym.solvers import load_solver
from pytest_swegym.task import TaskSpec


SPEC = TaskSpec(instance_id="a-1", repo="./r")
NOBODY: Any = SimpleNamespace()


def test_a_function_a_method_and_a_class_are_solvers(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def solve(task, workspace):\n    return task.instance_id\n"
        "class Agent:\n    def solve(self, task, workspace):\n        return 'agent'\n"
        "class Called:\n    def __call__(self, task, workspace):\n        return 'called'\n"
        "agent = Agent()\nnumber = 3\n"
    )
    answers = [
        load_solver(f"mine.py:{name}", root=tmp_path)(SPEC, NOBODY) for name in ("solve", "agent", "Agent", "Called")
    ]
    assert answers == ["a-1", "agent", "agent", "called"]
    with pytest.raises(LoadError, match="is of type int; expected solve"):
        load_solver("mine.py:number", root=tmp_path)
    (tmp_path / "short.py").write_text("def solve(task):\n    return ''\n")
    with pytest.raises(LoadError, match=r"must take two arguments, \(task, workspace\)"):
        load_solver("short.py:solve", root=tmp_path)


def test_a_changed_solver_has_another_identity(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def solve(task, workspace):\n    return 'a'\n")
    (tmp_path / "b.py").write_text("def solve(task, workspace):\n    return 'b'\n")
    first, second = load_solver("a.py:solve", root=tmp_path), load_solver("b.py:solve", root=tmp_path)
    assert first.identity != second.identity
    assert first.identity == load_solver("a.py:solve", root=tmp_path).identity


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "golden",
            "unknown solver 'golden'; choose from: gold, empty, predictions:FILE, command:PROGRAM, command:RECIPE",
        ),
        ("golden", "path/to/file.py:attr; did you mean gold?"),
        (
            "opnai:smollm2",
            "could not import 'opnai': ModuleNotFoundError: No module named 'opnai'; did you mean openai[:MODEL]?",
        ),
        ("best-of:3", "did you mean best_of:N[:SOLVER]?"),
        ("nowhere:solve", "could not import 'nowhere': ModuleNotFoundError"),
        ("gone.py:solve", "no such file"),
        ("json:nope", "'json' has no 'nope'"),
        ("command: ", "no command given"),
        ("predictions:gone.json", "cannot be read"),
    ],
)
def test_wrong_names_say_the_way_out(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_solver(name, root=tmp_path)
    assert message in str(caught.value)


def test_only_gold_is_trusted() -> None:
    assert load_solver("gold").trusted
    assert not load_solver("empty").trusted
    assert not load_solver("command:true").trusted


ROWS = [
    {"instance_id": "a-1", "model_patch": "diff", "model_name_or_path": "m"},
    {"instance_id": "b-2", "model_patch": None},
]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("p.jsonl", "\n".join(json.dumps(row) for row in ROWS) + "\n\n"),
        ("p.json", json.dumps(ROWS)),
        ("p.json", json.dumps({row["instance_id"]: row for row in ROWS})),
        ("p.json", json.dumps({row["instance_id"]: row["model_patch"] for row in ROWS})),
    ],
)
def test_every_shape_of_predictions_is_read(file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(text)
    solver = load_solver(f"predictions:{file}", root=tmp_path)
    assert solver(SPEC, NOBODY) == "diff"
    assert solver(TaskSpec(instance_id="b-2", repo="./r"), NOBODY) == ""
    with pytest.raises(PatchError, match="no prediction for c-3"):
        solver(TaskSpec(instance_id="c-3", repo="./r"), NOBODY)


def test_predictions_for_unknown_instances_are_named(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(ROWS))
    predictions: Any = load_solver("predictions:p.json", root=tmp_path).function
    predictions.check(["a-1", "b-2", "c-3"])
    with pytest.raises(ConfigError, match=r"1 predictions are for instances that are not tasks here: b-2"):
        predictions.check(["a-1"])


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("p.jsonl", '{"instance_id": "a"}\n{oops\n', "p.jsonl:2: not valid JSON"),
        ("p.json", "3", "expected a list of predictions"),
        ("p.json", '[{"model_patch": ""}]', "entry 1: a prediction needs an instance_id"),
        ("p.json", '[{"instance_id": "a", "model_patch": 3}]', "model_patch must be a string or null"),
        ("p.json", '[{"instance_id": "a"}, {"instance_id": "a"}]', "entry 2: a is predicted twice"),
    ],
)
def test_broken_predictions_name_the_line(file: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_solver(f"predictions:{file}", root=tmp_path)
    assert message in str(caught.value)
