"""What solvers print while their attempts run ahead in threads: kept apart, and shown in their own report."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_swegym._support.prints import Prints


class SolverOutput(Prints):
    """While an item runs, sends the prints of solver threads to buffers of their own.

    Pytest puts its own ``sys.stdout`` in place for each phase of each item, so this is done anew inside every phase.
    """

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self) -> Generator[None, Any, Any]:
        with self.routed():
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        with self.routed():
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self) -> Generator[None, Any, Any]:
        with self.routed():
            return (yield)
