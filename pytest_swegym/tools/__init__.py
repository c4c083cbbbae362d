"""Tool folders in SWE-agent's format: read, installed into a sandbox, described and called."""

from __future__ import annotations

from pytest_swegym.tools.install import ENDED
from pytest_swegym.tools.install import HOME
from pytest_swegym.tools.spec import Argument
from pytest_swegym.tools.spec import Tool
from pytest_swegym.tools.toolset import Toolset
from pytest_swegym.tools.toolset import shipped
from pytest_swegym.tools.toolset import with_folders


__all__ = ["ENDED", "HOME", "Argument", "Tool", "Toolset", "shipped", "with_folders"]
