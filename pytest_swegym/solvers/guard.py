"""A solver's code run in its time, and what it raises told apart from what the machinery does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from pytest_swegym.errors import InfraError
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SolverError
from pytest_swegym.errors import SolverTimeout
from pytest_swegym.sandbox.scope import Scope
from pytest_swegym.workspace import Workspace


def in_time(call: Callable[[], Any], limit: float, workspace: Workspace, scope: Scope | None = None) -> Any:
    """Run the solver's code with a time limit; raise what it raises as :class:`SolverError`, its own traceback kept.

    It runs in a thread of its own. When the time is up its sandbox is closed, so that whatever it does next in there
    raises, and nobody waits for it. So it is when ``scope`` is closed, with :class:`SandboxClosed`.
    """
    box: list[tuple[Any, BaseException | None]] = []
    over = threading.Event()

    def run() -> None:
        try:
            box.append((call(), None))
        except BaseException as error:
            box.append((None, error))
        finally:
            over.set()

    threading.Thread(target=run, name="swegym-solver", daemon=True).start()
    with scope.calling(over.set) if scope is not None else nullcontext():
        over.wait(limit)
    if scope is not None:
        scope.check()
    if not box:
        workspace.close()
        raise SolverTimeout(f"the solver ran out of its {limit:g} s")
    answer, error = box[0]
    if error is not None:
        raise _sorted(error)
    return answer


def _sorted(error: BaseException) -> BaseException:
    """The machinery's own failures stay what they are; all else that a solver raises is the solver's."""
    # A sandbox that is gone was killed from inside: a solver must not turn its failure into an infra error.
    gone = isinstance(error, SandboxClosed)
    if isinstance(error, (SolverError, PatchError, KeyboardInterrupt)) or (isinstance(error, InfraError) and not gone):
        return error
    wrapped = SolverError(f"the solver raised {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped
