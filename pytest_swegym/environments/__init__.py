"""How a tree gets what it needs to run: environment and repository snapshots, built once per content key."""

from __future__ import annotations

from pytest_swegym.environments.build import prepare_environment
from pytest_swegym.environments.repository import prepare_repository


__all__ = ["prepare_environment", "prepare_repository"]
