"""Sandboxes: where a command runs and can harm nobody. One protocol, several backends."""

from __future__ import annotations

from pytest_swegym.sandbox.base import HOME
from pytest_swegym.sandbox.base import OUTPUT_LIMIT
from pytest_swegym.sandbox.base import READ_LIMIT
from pytest_swegym.sandbox.base import VENV
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Dropper
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import Keeper
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.base import Shell
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.base import Stored
from pytest_swegym.sandbox.registry import choose
from pytest_swegym.sandbox.registry import make_backend


__all__ = [
    "HOME",
    "OUTPUT_LIMIT",
    "READ_LIMIT",
    "VENV",
    "Backend",
    "Dropper",
    "ExecResult",
    "Keeper",
    "Sandbox",
    "SandboxLimits",
    "Shell",
    "Snapshot",
    "Stored",
    "choose",
    "make_backend",
]
