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
    counts_processes = check.__name__ in ("many_processes_are_refused", "fork_bomb_is_held")
    if counts_processes and "watchdog" in backend.describe() and os.geteuid() == 0:
        pytest.skip("root is not held to RLIMIT_NPROC, and a fork bomb would starve the tests beside this one")
    check(backend, snapshot)
