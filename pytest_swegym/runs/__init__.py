"""Many attempts: at the same time, and continued after a cut."""

from __future__ import annotations

from pytest_swegym.runs.local import LocalExecutor
from pytest_swegym.runs.resume import attempt_key
from pytest_swegym.runs.resume import finished


__all__ = ["LocalExecutor", "attempt_key", "finished"]
