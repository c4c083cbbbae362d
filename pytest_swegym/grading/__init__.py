"""Is the patch right, and is the answer honest."""

from __future__ import annotations

from pytest_swegym.grading.baseline import Baseline
from pytest_swegym.grading.baseline import check_task
from pytest_swegym.grading.baseline import measure
from pytest_swegym.grading.baseline import measure_baseline
from pytest_swegym.grading.grade import GRADER_VERSION
from pytest_swegym.grading.grade import grade
from pytest_swegym.grading.judge import Judge
from pytest_swegym.grading.judge import TeacherSession
from pytest_swegym.grading.reward import REWARDS
from pytest_swegym.grading.reward import compute_reward


__all__ = [
    "GRADER_VERSION",
    "REWARDS",
    "Baseline",
    "Judge",
    "TeacherSession",
    "check_task",
    "compute_reward",
    "grade",
    "measure",
    "measure_baseline",
]
