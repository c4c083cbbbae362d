"""Other people's agents: installed into the sandbox by a recipe, their model asked through a relay."""

from __future__ import annotations

from pytest_swegym.agents.recipes.load import load_command
from pytest_swegym.agents.recipes.recipe import Recipe
from pytest_swegym.agents.recipes.recipe import find_recipe
from pytest_swegym.agents.recipes.recipe import shipped
from pytest_swegym.agents.recipes.solver import RecipeSolver


__all__ = ["Recipe", "RecipeSolver", "find_recipe", "load_command", "shipped"]
