"""One run of the hidden tests, by whatever runs them: ours for Python, the language's own for the others."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping

from pytest_swegym.grading.canary import Canaries
from pytest_swegym.grading.native_run import run_native
from pytest_swegym.grading.run import Run
from pytest_swegym.grading.run import run_tests
from pytest_swegym.task import Task
from pytest_swegym.task.native import NATIVE_RUNNERS
from pytest_swegym.workspace import Workspace


#: A quirk of a repository whose runner cannot do with files of ours: none are put there.
NO_CANARIES = "the runner takes no canaries"


def run_hidden(
    task: Task,
    workspace: Workspace,
    codes: Mapping[str, str] | None = None,
    quirks: Collection[str] = (),
    *,
    graded: bool = False,
    early: bool = False,
) -> Run:
    """Run the hidden tests, which are in place; ``graded`` if a patch is as well.

    ``codes`` and ``quirks`` are those of the run before the patch. An ``early`` run may end when it is decided.
    """
    if task.spec.runner not in NATIVE_RUNNERS:
        return run_tests(task, workspace, codes, early=early)
    return run_native(task, workspace, canaries=Canaries() if NO_CANARIES in quirks else None, graded=graded)
