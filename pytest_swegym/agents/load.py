"""Players and agents by name: ``human``, ``scripted:FILE``, ``openai:MODEL``, ``best_of:N:SOLVER``, ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.loading import load
from pytest_swegym.agents.base import Player
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.config import read_config
from pytest_swegym.agents.solver import AgentSolver
from pytest_swegym.errors import ConfigError
from pytest_swegym.solvers import LoadedSolver
from pytest_swegym.solvers import load_solver


#: Names of players, and where each is made; those with a file take its path.
PLAYERS = {
    "random": "pytest_swegym.agents.chance:RandomPlayer",
    "scripted": "pytest_swegym.agents.scripted:ScriptedPlayer",
    "replay": "pytest_swegym.agents.replay:ReplayPlayer",
    "human": "pytest_swegym.agents.human:HumanPlayer",
    "openai": "pytest_swegym.agents.model.player:ModelPlayer",
}
_WITH_FILE = ("scripted", "replay")
_BEST_OF = "pytest_swegym.agents.search.best_of:BestOfSolver"
_GENETIC = "pytest_swegym.agents.search.genetic:GeneticSolver"


def load_player(name: str, *, root: Path | None = None, words: Sequence[str] = ()) -> Player:
    """The player called ``name``; a file is relative to ``root``, ``words`` are ``--swegym-agent``'s.

    Raises :class:`ConfigError`.
    """
    kind, colon, rest = name.partition(":")
    if kind not in PLAYERS:
        choices = ", ".join(f"{each}:FILE" if each in _WITH_FILE else each for each in PLAYERS)
        raise ConfigError(f"unknown player {name!r}; choose from: {choices}")
    if kind == "openai":
        config = _config(rest, words, root)
        player: Player = load(PLAYERS[kind], what="player")(config)
        return player
    if (kind in _WITH_FILE) != bool(colon and rest.strip()):
        wanted = f"{kind}:FILE" if kind in _WITH_FILE else kind
        raise ConfigError(f"player {name!r}: write {wanted}")
    made = load(PLAYERS[kind], what="player")
    return made((root or Path.cwd()) / Path(rest).expanduser()) if colon else made()  # type: ignore[no-any-return]


def load_agent(name: str, *, root: Path | None = None, words: Sequence[str] = ()) -> LoadedSolver:
    """The player, or the search over several attempts, called ``name``, as a solver. Raises as :func:`load_player`."""
    kind, _, rest = name.partition(":")
    if kind == "best_of":
        return _best_of(name, rest, root, words)
    if kind == "genetic":
        config = _config(rest, words, root)
        solver = load(_GENETIC, what="solver")(config)
        oracle = config.observe.reader == "oracle"
        identity = content_key(name, config.identity, solver.identity)
        return LoadedSolver(name=name, identity=identity, function=solver, graded=True, oracle=oracle)
    player = load_player(name, root=root, words=words)
    identity = content_key(name, player.identity)
    return LoadedSolver(
        name=name, identity=identity, function=AgentSolver(player), alone=player.alone, oracle=player.oracle
    )


def _best_of(name: str, rest: str, root: Path | None, words: Sequence[str]) -> LoadedSolver:
    """``best_of:N``, or ``best_of:N:SOLVER`` for any other solver than ``openai``."""
    count, _, inner_name = rest.partition(":")
    if not count.isdecimal() or not 1 <= int(count) <= 1000:
        raise ConfigError(f"solver {name!r}: write best_of:N or best_of:N:SOLVER, N at least 1")
    inner = load_solver(inner_name or "openai", root=root, agent=words)
    if inner.alone:
        raise ConfigError(f"solver {name!r}: {inner.name} needs the terminal for itself")
    config = read_config(words, root=root)
    return replace(
        inner,
        name=name,
        identity=content_key(name, inner.identity, config.identity),
        function=load(_BEST_OF, what="solver")(inner, int(count), config),
        graded=inner.graded or config.best_of.select == "graded",
    )


def _config(model: str, words: Sequence[str], root: Path | None) -> AgentConfig:
    config = read_config(words, root=root)
    return replace(config, model=model.strip()) if model.strip() else config
