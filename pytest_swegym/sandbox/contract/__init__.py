"""The conformance suite of sandbox backends, ours and third parties': ``check_backend(backend, snapshot)``.

Each check is a plain function of a backend and a snapshot with a POSIX shell, coreutils and tar; it raises
:class:`ContractError` with what was expected and what was found. Run them one by one in any test runner::

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(backend, snapshot)
"""

from __future__ import annotations

from pytest_swegym.errors import SwegymError
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.contract import commands
from pytest_swegym.sandbox.contract import filesystem
from pytest_swegym.sandbox.contract import isolation
from pytest_swegym.sandbox.contract import limits
from pytest_swegym.sandbox.contract import shells
from pytest_swegym.sandbox.contract import snapshots
from pytest_swegym.sandbox.contract.expect import Check
from pytest_swegym.sandbox.contract.expect import ContractError


#: Every check, in the order of the parts of the contract.
CHECKS: tuple[Check, ...] = (
    *commands.CHECKS,
    *filesystem.CHECKS,
    *shells.CHECKS,
    *snapshots.CHECKS,
    *isolation.CHECKS,
    *limits.CHECKS,
)


def check_backend(backend: Backend, snapshot: Snapshot) -> list[str]:
    """Run every check; the names of those that failed, with what they found."""
    failed = []
    for check in CHECKS:
        try:
            check(backend, snapshot)
        except (ContractError, SwegymError, OSError, ValueError) as error:
            failed.append(f"{check.__name__}: {type(error).__name__}: {error}")
    return failed


__all__ = ["CHECKS", "Check", "ContractError", "check_backend"]
