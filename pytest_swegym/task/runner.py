"""Which runner a test command starts, told from its text: for tasks that do not say."""

from __future__ import annotations

import re

from pytest_swegym.task.check import RUNNER as CHECKS
from pytest_swegym.task.native import NATIVE_RUNNERS
from pytest_swegym.task.native import native_runner


RUNNERS = ("pytest", "unittest", "django", "sympy", *NATIVE_RUNNERS, CHECKS)
_SIGNS = (
    ("django", re.compile(r"(?:^|[\s/])runtests\.py(?:\s|$)")),
    ("sympy", re.compile(r"(?:^|[\s/])bin/test(?:\s|$)")),
    ("unittest", re.compile(r"-m\s+unittest(?:\s|$)")),
)


def runner_of(command: str | None) -> str:
    """``runtests.py`` is Django's, ``bin/test`` sympy's; runners of other languages are known by their names.

    All else (``tox`` too) is taken to run pytest.
    """
    found = next((runner for runner, sign in _SIGNS if command and sign.search(command)), None)
    return found or (native_runner(command) if command else None) or "pytest"
