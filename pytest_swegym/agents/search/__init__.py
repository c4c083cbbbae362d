"""Searches: several attempts in branches of one workspace, of which the best becomes the answer."""

from __future__ import annotations

from pytest_swegym.agents.search.best_of import BestOfSolver
from pytest_swegym.agents.search.breeder import Breeder
from pytest_swegym.agents.search.breeder import ModelBreeder
from pytest_swegym.agents.search.genetic import GeneticSolver
from pytest_swegym.agents.search.genetic import prompted
from pytest_swegym.agents.search.population import Individual
from pytest_swegym.agents.search.population import Population


__all__ = ["BestOfSolver", "Breeder", "GeneticSolver", "Individual", "ModelBreeder", "Population", "prompted"]
