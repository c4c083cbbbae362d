"""An agent's own requests, passed on to a real server that answers by a script."""

from __future__ import annotations

from typing import Any

import pytest
from fake_model import FakeModel
from fake_model import Status

from pytest_swegym.agents.config import read_config
from pytest_swegym.agents.recipes.asking import CHAT
from pytest_swegym.agents.recipes.asking import read_request
from pytest_swegym.agents.recipes.forward import Forwarder
from pytest_swegym.errors import ModelUnavailable


HELLO = '{"messages": [{"role": "user", "content": "hello \\udc80"}]}'


def forwarder(fake: FakeModel, **keys: Any) -> Forwarder:
    return Forwarder(read_config(fake.words(**keys)))


def test_half_a_character_is_no_reason_not_to_ask() -> None:
    with FakeModel() as fake:
        fake.replies = ["hello"]
        client = forwarder(fake, retries=0)
        assert client.forward(read_request(1, CHAT, HELLO, client.config)).text == "hello"
        assert fake.requests[0]["messages"][0]["content"] == "hello ?"
        client.close()


@pytest.mark.parametrize(
    ("keys", "answers"), [({"max_requests": 1}, True), ({"max_requests": 2}, False)], ids=["nothing left", "asked"]
)
def test_who_has_spent_its_budget_does_not_find_the_server_away(keys: dict[str, int], answers: bool) -> None:
    with FakeModel() as fake:
        fake.replies = ["hello", Status(500)]
        client = forwarder(fake, retries=0, **keys)
        client.forward(read_request(1, CHAT, HELLO, client.config))
        assert client.answers() is answers
        client.close()


def test_a_server_that_fails_is_away() -> None:
    with FakeModel() as fake:
        fake.replies, fake.after = [], Status(500)
        client = forwarder(fake, retries=0)
        with pytest.raises(ModelUnavailable, match="500"):
            client.forward(read_request(1, CHAT, HELLO, client.config))
        assert not client.answers()
        client.close()
