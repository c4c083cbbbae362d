"""The calls of a model as a trajectory: each step with what it led to, whoever asks in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.agents.recipes.forward import Answered
from pytest_swegym.agents.recipes.forward import responded
from pytest_swegym.agents.recipes.steps import Steps
from pytest_swegym.agents.replay import ReplayPlayer
from pytest_swegym.errors import SolverError
from pytest_swegym.task import TaskSpec
from pytest_swegym.task.usage import Usage
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import read_trajectory
from pytest_swegym.workspace import Occasion


class Tree:
    """A workspace of which only the changes are asked for."""

    def __init__(self, folder: Path | None) -> None:
        self.occasion = Occasion(folder=folder, named={"instance_id": "calc-1"})
        self.changes = ""

    def tree(self) -> str:
        return f"tree of {self.changes}"

    def diff(self) -> str:
        return self.changes


def message(role: str, text: Any) -> dict[str, Any]:
    return {"role": role, "content": text}


def reply(text: str, *calls: str) -> Answered:
    called = [{"function": {"name": name, "arguments": "{}"}} for name in calls]
    said = {"role": "assistant", "content": text, "tool_calls": called}
    return Answered(answer={}, message=said, text=text, usage=Usage(requests=1), seconds=0.5, model="m")


START = [message("system", "act"), message("user", [{"type": "text", "text": "solve"}])]


def test_steps_and_what_they_led_to(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    steps = Steps(tree, {"recipe": "r", "version": "1"})  # type: ignore[arg-type]
    steps.begin(START)
    steps.seen(START)
    steps.answered(reply("look", "bash"))
    tree.changes = "+ one"
    aside = [message("user", "a title?")]
    then = [*START, message("assistant", "look"), message("tool", "a file")]
    steps.seen(aside)
    steps.answered(reply("a title"))
    steps.seen(then)
    steps.answered(reply("done"))
    steps.end("bye", exit_code=0, ending="submit")

    told = read_trajectory(tmp_path / TRAJECTORY)
    assert told.header["agent"] == {"recipe": "r", "version": "1"}
    assert told.first is not None
    assert told.first["text"] == "act\n\nsolve"
    assert [step["action"] for step in told.steps] == ["look\nbash {}", "a title", "done"]
    seen = [step["observation"] for step in told.steps]
    assert [each["output"] for each in seen] == ["a title?", "a file", "bye"]
    assert [each["diff"] for each in seen] == ["+ one"] * 3
    assert [each["step"] for each in seen] == [1, 2, 3]
    assert [(step["ending"], step["terminated"], step["exit_code"]) for step in told.steps] == [
        ("", False, None), ("", False, None), ("submit", True, 0),
    ]  # fmt: skip
    assert steps.count == 3

    task = TaskSpec(instance_id="calc-1", repo=".", problem_statement="solve")
    with pytest.raises(SolverError, match="cannot be replayed"):
        ReplayPlayer(tmp_path / TRAJECTORY).make(task)


def test_without_a_folder_they_are_counted() -> None:
    steps = Steps(Tree(None), {})  # type: ignore[arg-type]
    steps.begin(START)
    steps.seen(START)
    steps.answered(reply("one"))
    steps.end("", exit_code=1, ending="exit")
    assert steps.count == 1


def test_an_answer_of_the_responses_api_is_a_message() -> None:
    output = [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "hi"}]},
        {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": "{}"},
    ]
    usage = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5}
    answered = responded({"output": output, "usage": usage, "model": "m-1"}, {"model": "m"})
    call = {"id": "c1", "type": "function", "function": {"name": "shell", "arguments": "{}"}}
    assert answered.message == {"role": "assistant", "content": "hi", "tool_calls": [call]}
    assert answered.usage == Usage(requests=1, prompt_tokens=10, cached_tokens=4, completion_tokens=5)
    assert (answered.text, answered.model) == ("hi", "m-1")
