"""What an agent is shown of the repository before it acts."""

from __future__ import annotations

from pytest_swegym.agents.observers.observe import Observed
from pytest_swegym.agents.observers.observe import observe


__all__ = ["Observed", "observe"]
