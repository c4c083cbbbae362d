"""Pure values: what a task is, what a test, a grade and an attempt came to."""

from __future__ import annotations

from pytest_swegym.task.check import Check
from pytest_swegym.task.outcome import F2P_OK
from pytest_swegym.task.outcome import P2P_OK
from pytest_swegym.task.outcome import Compat
from pytest_swegym.task.outcome import Grade
from pytest_swegym.task.outcome import Outcome
from pytest_swegym.task.outcome import TestResult
from pytest_swegym.task.outcome import Verdict
from pytest_swegym.task.record import AttemptRecord
from pytest_swegym.task.spec import EnvironmentSpec
from pytest_swegym.task.spec import Hidden
from pytest_swegym.task.spec import Limits
from pytest_swegym.task.spec import Task
from pytest_swegym.task.spec import TaskSpec
from pytest_swegym.task.usage import Usage


__all__ = [
    "F2P_OK",
    "P2P_OK",
    "AttemptRecord",
    "Check",
    "Compat",
    "EnvironmentSpec",
    "Grade",
    "Hidden",
    "Limits",
    "Outcome",
    "Task",
    "TaskSpec",
    "TestResult",
    "Usage",
    "Verdict",
]
