"""A language model that acts: its server, its chat, its player."""

from __future__ import annotations

from pytest_swegym.agents.model.client import ModelClient
from pytest_swegym.agents.model.reply import Reply


__all__ = ["ModelClient", "Reply"]
