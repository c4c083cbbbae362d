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
from pytest_swegym.sandbox.contract.commands import CHECKS as COMMANDS
from pytest_swegym.sandbox.contract.expect import Check
from pytest_swegym.sandbox.contract.expect import ContractError
from pytest_swegym.sandbox.contract.filesystem import CHECKS as FILESYSTEM
from pytest_swegym.sandbox.contract.isolation import CHECKS as ISOLATION
from pytest_swegym.sandbox.contract.limits import CHECKS as LIMITS
from pytest_swegym.sandbox.contract.shells import CHECKS as SHELLS
from pytest_swegym.sandbox.contract.snapshots import CHECKS as SNAPSHOTS


#: Every check, in the order of the parts of the contract.
CHECKS: tuple[Check, ...] = (
    *COMMANDS,
    *FILESYSTEM,
    *SHELLS,
    *SNAPSHOTS,
    *ISOLATION,
    *LIMITS,
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
