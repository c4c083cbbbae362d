"""Every check of the conformance suite, against every backend."""

from __future__ import annotations

import pytest

from pytest_swegym.sandbox import Backend
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox.contract import CHECKS
from pytest_swegym.sandbox.contract import Check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Check, backend: Backend, snapshot: Snapshot) -> None:
    check(backend, snapshot)
