"""Which waiting shells of a container serve another command: over socket pairs in the daemon's place."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from pytest_swegym.sandbox.docker_agents import KEPT
from pytest_swegym.sandbox.docker_agents import Agents
from pytest_swegym.sandbox.docker_exec import Agent
from pytest_swegym.sandbox.docker_stream import Stream


class Ends:
    """Starts agents, and keeps the far end of each."""

    def __init__(self) -> None:
        self.far: list[socket.socket] = []
        self.agents: list[Agent] = []

    def start(self) -> Agent:
        near, far = socket.socketpair()
        self.far.append(far)
        self.agents.append(Agent(Stream(near), lambda: None))
        return self.agents[-1]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    for agent in ends.agents:
        agent.close()
    for far in ends.far:
        far.close()


def test_one_that_was_given_back_is_taken_again(ends: Ends) -> None:
    agents = Agents(ends.start)
    first, second = agents.take(), agents.take()
    agents.give(first)
    assert agents.take() is first
    agents.give(second)
    assert agents.take() is second
    assert len(ends.agents) == 2


def test_one_that_was_killed_meanwhile_is_not(ends: Ends) -> None:
    agents = Agents(ends.start)
    first = agents.take()
    agents.give(first)
    ends.far[0].close()
    assert agents.take() is ends.agents[1]


def test_one_on_whose_output_somebody_wrote_is_not(ends: Ends) -> None:
    agents = Agents(ends.start)
    agents.give(agents.take())
    ends.far[0].sendall(b"\1\0\0\0\0\0\0\5noise")
    assert agents.take() is ends.agents[1]


def test_no_more_are_kept_than_are_worth_it(ends: Ends) -> None:
    agents = Agents(ends.start)
    for agent in [agents.take() for _ in range(KEPT + 2)]:
        agents.give(agent)
    assert sum(agent.waits for agent in ends.agents) == KEPT


def test_those_that_are_to_wait_are_started_once(ends: Ends) -> None:
    agents = Agents(ends.start)
    agents.provide(2)
    agents.provide(2)
    assert len(ends.agents) == 2


def test_how_many_are_held_at_the_same_time_is_known(ends: Ends) -> None:
    agents = Agents(ends.start)
    for _ in range(3):
        agents.give(agents.take())
        agents.drop(agents.take())
    assert agents.most == 1
    held = agents.take()
    agents.give(agents.take())
    agents.provide(3)
    agents.give(held)
    assert agents.most == 2
    assert sum(agent.waits for agent in ends.agents) == KEPT


def test_after_the_end_none_waits(ends: Ends) -> None:
    agents = Agents(ends.start)
    taken = agents.take()
    agents.provide(1)
    agents.close()
    agents.give(taken)
    assert not any(agent.waits for agent in ends.agents)


def test_none_starts_while_the_container_is_frozen(ends: Ends) -> None:
    agents = Agents(ends.start)
    thread = threading.Thread(target=agents.take)
    with agents.quiet():
        thread.start()
        thread.join(0.05)
        assert not ends.agents
    thread.join()
    assert len(ends.agents) == 1
