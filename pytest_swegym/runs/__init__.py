"""Many attempts: at the same time, here or on other machines, and continued after a cut."""

from __future__ import annotations

from pytest_swegym.rows import RowOptions
from pytest_swegym.rows import row_options
from pytest_swegym.runs.executor import Executor
from pytest_swegym.runs.executor import Terms
from pytest_swegym.runs.job import Conditions
from pytest_swegym.runs.job import Done
from pytest_swegym.runs.job import Job
from pytest_swegym.runs.library import run
from pytest_swegym.runs.library import tasks_of
from pytest_swegym.runs.local import LocalExecutor
from pytest_swegym.runs.resume import attempt_key
from pytest_swegym.runs.resume import finished
from pytest_swegym.runs.rollouts import Rollouts
from pytest_swegym.runs.threads import Call
from pytest_swegym.runs.threads import Threads


__all__ = [
    "Call",
    "Conditions",
    "Done",
    "Executor",
    "Job",
    "LocalExecutor",
    "Rollouts",
    "RowOptions",
    "Terms",
    "Threads",
    "attempt_key",
    "finished",
    "row_options",
    "run",
    "tasks_of",
]
