"""The names of SEGym, for ``import pytest_swegym.env.segym as se_gym``: an action is a patch."""

from __future__ import annotations

import pytest_swegym.env.segym.fitness as fitness
from pytest_swegym.env.segym.environment import Environment
from pytest_swegym.env.segym.environment import make
from pytest_swegym.env.segym.fitness import num_failed_tests
from pytest_swegym.env.segym.fitness import percent_successfull
from pytest_swegym.env.segym.rows import Rows
from pytest_swegym.env.segym.rows import get_ds
from pytest_swegym.env.segym.state import InvalidState
from pytest_swegym.env.segym.state import State
from pytest_swegym.errors import PatchError


#: What :meth:`pytest_swegym.workspace.Workspace.apply` raises; a step makes an :class:`InvalidState` of it.
MalformedPatchException = PatchError

__all__ = [
    "Environment",
    "InvalidState",
    "MalformedPatchException",
    "Rows",
    "State",
    "fitness",
    "get_ds",
    "make",
    "num_failed_tests",
    "percent_successfull",
]
