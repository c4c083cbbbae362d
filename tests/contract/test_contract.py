"""Every check of the conformance suite, against every backend."""

from __future__ import annotations

import os

import pytest

from pytest_swegym.sandbox import Backend
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox.contract import CHECKS
from pytest_swegym.sandbox.contract import Check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Check, backend: Backend, snapshot: Snapshot) -> None:
    if check.__name__ == "many_processes_are_refused" and "watchdog" in backend.describe() and os.geteuid() == 0:
        pytest.skip("root is not held to RLIMIT_NPROC; the watchdog ends such a sandbox's commands a moment later")
    check(backend, snapshot)
