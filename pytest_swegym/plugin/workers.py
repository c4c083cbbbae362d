"""pytest-xdist: workers belong to the controller's run, and write their own attempts only."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    from pytest_swegym.plugin.run import WORKER_KEY
    from pytest_swegym.plugin.run import run_of

    node.workerinput[WORKER_KEY] = run_of(node.config).workerinput()
