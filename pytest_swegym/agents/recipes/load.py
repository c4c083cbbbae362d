"""``command:TEXT``: a recipe's agent, or a program of the sandbox's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym.agents.config import read_config
from pytest_swegym.agents.recipes.recipe import DESCRIPTION
from pytest_swegym.agents.recipes.recipe import RUNTIME
from pytest_swegym.agents.recipes.recipe import find_recipe
from pytest_swegym.agents.recipes.solver import RecipeSolver
from pytest_swegym.solvers import LoadedSolver
from pytest_swegym.solvers.builtin import Command
from pytest_swegym.tools.folder import read_folder


def load_command(name: str, *, root: Path | None = None, words: Sequence[str] = ()) -> LoadedSolver:
    """The solver called ``command:TEXT``; a recipe's folder is relative to ``root``, ``words`` as ``--swegym-agent``.

    Raises :class:`ConfigError`.
    """
    text = name.partition(":")[2]
    recipe = find_recipe(text, root=root)
    if recipe is None:
        return LoadedSolver(name=name, identity=name, function=Command(text, missing=_missing(text, root)))
    config = read_config(words, root=root)
    identity = content_key("recipe", recipe.folder.key, read_folder(RUNTIME).key, config.identity)
    tools = (RUNTIME, recipe.folder.path)
    return LoadedSolver(name=name, identity=identity, function=RecipeSolver(recipe, config), tools=tools)


def _missing(text: str, root: Path | None) -> str:
    """What to say of a program that looks like a recipe's folder and is none; one of the image may be meant as well."""
    name = text.strip()
    if not name.startswith(("./", "../", "/")) or len(name.split()) != 1:
        return ""
    path = (root or Path.cwd()) / name
    if path.is_dir():
        return f"nor is it a recipe: {path} has no {DESCRIPTION}"
    return "" if path.exists() else f"nor is there a recipe's folder {path}"
