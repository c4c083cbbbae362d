"""The time of day as a file tells it, for a Python that starts with this folder on its path; time's pace stays."""

from __future__ import annotations

import os
import time


_path = os.environ.get("SWEGYM_SOAK_CLOCK", "")
_time, _time_ns = time.time, time.time_ns


def _ahead() -> int:
    """Seconds between the clock that is shown and the true one."""
    try:
        with open(_path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


if _path:
    time.time = lambda: _time() + _ahead()
    time.time_ns = lambda: _time_ns() + _ahead() * 10**9
