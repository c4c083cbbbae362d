"""Players by name: ``random``, ``scripted:FILE``, ``replay:FILE``, ``human``."""

from __future__ import annotations

from pathlib import Path

from pytest_swegym._support.loading import load
from pytest_swegym.agents.base import Player
from pytest_swegym.errors import ConfigError


#: Names of players, and where each is made; those with a file take its path.
PLAYERS = {
    "random": "pytest_swegym.agents.chance:RandomPlayer",
    "scripted": "pytest_swegym.agents.scripted:ScriptedPlayer",
    "replay": "pytest_swegym.agents.replay:ReplayPlayer",
    "human": "pytest_swegym.agents.human:HumanPlayer",
}
_WITH_FILE = ("scripted", "replay")


def load_player(name: str, *, root: Path | None = None) -> Player:
    """The player called ``name``; a file is relative to ``root``. Raises :class:`ConfigError`."""
    kind, colon, rest = name.partition(":")
    if kind not in PLAYERS:
        choices = ", ".join(f"{each}:FILE" if each in _WITH_FILE else each for each in PLAYERS)
        raise ConfigError(f"unknown player {name!r}; choose from: {choices}")
    if (kind in _WITH_FILE) != bool(colon and rest.strip()):
        wanted = f"{kind}:FILE" if kind in _WITH_FILE else kind
        raise ConfigError(f"player {name!r}: write {wanted}")
    made = load(PLAYERS[kind], what="player")
    player: Player = made((root or Path.cwd()) / Path(rest).expanduser()) if colon else made()
    return player
