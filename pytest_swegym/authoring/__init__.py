"""How a new task comes about."""

from __future__ import annotations
