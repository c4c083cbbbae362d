"""What a solver hands in: a patch, or the whole tree that it left."""

from __future__ import annotations

import hashlib
import logging

from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SandboxError
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


log = logging.getLogger("pytest_swegym.solvers")


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


def tree_digest(tree: bytes | None) -> str:
    """Names a tree that was handed in; empty if none was."""
    return hashlib.sha256(tree).hexdigest() if tree is not None else ""
