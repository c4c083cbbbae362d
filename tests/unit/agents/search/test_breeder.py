"""A model breeds prompts; what it says that is none makes no child."""

from __future__ import annotations

from typing import Any

import pytest
from fake_model import FakeModel

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.config import read_config
from pytest_swegym.agents.model import ModelClient
from pytest_swegym.agents.search import ModelBreeder


def bred(model: FakeModel, **keys: object) -> ModelBreeder:
    config: AgentConfig = read_config(model.words(**keys))
    return ModelBreeder(ModelClient(config))


def test_a_model_is_shown_the_parents_and_its_answer_is_the_child() -> None:
    with FakeModel(["  Look twice.\n", "Look, then leap."]) as model:
        breeder = bred(model, reply_tokens=50)
        assert breeder.mutate("Look.", seed=3) == "Look twice."
        assert breeder.cross("Look.", "Leap.", seed=4) == "Look, then leap."
        assert "Look." in model.texts(0)
        assert all(text in model.texts(1) for text in ("Look.", "Leap."))
        first, second = model.requests
    assert (first["seed"], first["max_tokens"]) == (3, 1000)
    assert second["temperature"] == 1.0


@pytest.mark.parametrize("reply", ["", " \n", "x" * 5000, {"content": "Look at th", "finish_reason": "length"}])
def test_what_is_no_prompt_makes_no_child(reply: Any) -> None:
    with FakeModel([reply]) as model:
        assert bred(model).mutate("Look.", seed=1) is None
