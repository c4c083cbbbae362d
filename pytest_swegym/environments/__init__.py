"""How a tree gets what it needs to run: environment and repository snapshots, built once per content key."""

from __future__ import annotations

from pytest_swegym.environments.base_patch import with_base_patch
from pytest_swegym.environments.build import prepare_environment
from pytest_swegym.environments.disk import Disk
from pytest_swegym.environments.prepare import Ready
from pytest_swegym.environments.prepare import prepare
from pytest_swegym.environments.repository import prepare_repository
from pytest_swegym.environments.start import with_setup
from pytest_swegym.environments.steps import BUILD_SLOT
from pytest_swegym.environments.variables import variables
from pytest_swegym.environments.variables import with_variables


__all__ = [
    "BUILD_SLOT",
    "Disk",
    "Ready",
    "prepare",
    "prepare_environment",
    "prepare_repository",
    "variables",
    "with_base_patch",
    "with_setup",
    "with_variables",
]
