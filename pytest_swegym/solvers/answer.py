"""What a solver hands in: a patch, or the whole tree that it left."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

from pytest_swegym.errors import InfraError
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.errors import SolverError
from pytest_swegym.errors import SwegymError
from pytest_swegym.sandbox.base import HOME
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


log = logging.getLogger("pytest_swegym.solvers")


def checked(answer: object) -> str | None:
    """What a solver returned. Raises :class:`SolverError` if it is neither a diff nor ``None``."""
    if answer is None or isinstance(answer, str):
        return answer
    kind = type(answer).__name__
    raise SolverError(f"the solver returned {kind}; expected a unified diff (str), or None for its edits")


def handed_in(spec: TaskSpec, workspace: Workspace, patch: str | None) -> tuple[str, bytes | None]:
    """The solver's patch, or what it left in its workspace; of a tree the patch is for reading.

    Raises :class:`PatchError` or :class:`SandboxError`.
    """
    if patch is not None:
        return patch, None
    if spec.submission == "patch":
        return workspace.diff(), None
    tree = workspace.pack()
    try:
        return workspace.diff(), tree
    except (PatchError, SandboxError) as error:
        log.warning("%s: what was handed in cannot be shown as a diff: %s", spec.instance_id, error)
        return "", tree


def salvaged(spec: TaskSpec, workspace: Workspace, fresh: Workspace) -> tuple[str, bytes | None]:
    """What was left in a sandbox that no longer works, as a ``fresh`` one of the same snapshot sees it.

    Raises :class:`PatchError` if it cannot be taken out, :class:`SandboxError` if the fresh one does not work either.
    """
    check_works(spec, fresh)
    try:
        fresh.unpack(workspace.pack())
        return handed_in(spec, fresh, None)
    except SandboxClosed:
        raise
    except SandboxError as error:
        raise PatchError(f"what was left cannot be read: {error}") from error


def blamed(error: SandboxError, spec: TaskSpec, start: Callable[[], Workspace]) -> SwegymError:
    """Whoever breaks its own sandbox has lost: the machinery is at fault if one that ``start`` makes fails as well."""
    if isinstance(error, SandboxClosed):
        return SolverError(f"everything in the sandbox was ended from inside: {error}")
    try:
        with start() as fresh:
            check_works(spec, fresh)
    except (InfraError, PatchError, OSError):
        return error
    return SolverError(f"the solver's sandbox no longer works, as a fresh one does: {error}")


def check_works(spec: TaskSpec, workspace: Workspace) -> None:
    """Do once what every attempt does. Raises :class:`SandboxError`, :class:`PatchError` or :class:`OSError`."""
    workspace.write(f"{HOME}/works", "yes")
    workspace.shell().run("true")
    handed_in(spec, workspace, None)
    workspace.diff()


def tree_digest(tree: bytes | None) -> str:
    """Names a tree that was handed in; empty if none was."""
    return hashlib.sha256(tree).hexdigest() if tree is not None else ""
