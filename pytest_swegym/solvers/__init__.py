"""Who makes the patch: anything that can be called with a task and a workspace."""

from __future__ import annotations

from pytest_swegym.solvers.base import Solver
from pytest_swegym.solvers.load import BUILT_IN
from pytest_swegym.solvers.load import LoadedSolver
from pytest_swegym.solvers.load import load_solver
from pytest_swegym.solvers.load import own_solver


__all__ = ["BUILT_IN", "LoadedSolver", "Solver", "load_solver", "own_solver"]
