"""Who acts, step by step: chance, a script, a recorded trajectory, a person, a language model."""

from __future__ import annotations

from pytest_swegym.agents.base import EndEpisode
from pytest_swegym.agents.base import Played
from pytest_swegym.agents.base import Player
from pytest_swegym.agents.base import Policy
from pytest_swegym.agents.base import play
from pytest_swegym.agents.base import play_env
from pytest_swegym.agents.load import PLAYERS
from pytest_swegym.agents.load import load_agent
from pytest_swegym.agents.load import load_player
from pytest_swegym.agents.solver import AgentSolver


__all__ = [
    "PLAYERS",
    "AgentSolver",
    "EndEpisode",
    "Played",
    "Player",
    "Policy",
    "load_agent",
    "load_player",
    "play",
    "play_env",
]
