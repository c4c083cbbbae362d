"""Our own copy of the base state, inside every sandbox and out of the solver's way."""

from __future__ import annotations

from pytest_swegym.sandbox.base import HOME


#: A bare repository with one commit: the tree as it was after the install commands. A patch is the difference from
#: it, whatever became of the repository's own ``.git``.
BASE_GIT = f"{HOME}/base.git"


def git_env(worktree: str) -> dict[str, str]:
    """The variables with which git works on ``BASE_GIT`` and the tree, and with nobody's configuration."""
    return {
        "GIT_DIR": BASE_GIT,
        "GIT_WORK_TREE": worktree,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }
