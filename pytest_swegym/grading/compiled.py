"""What Python compiled of the hidden tests as they ran before the patch: put beside them in every grade.

All else is compiled as a repository's snapshot is made. The hidden tests come along, with the time that their compiled
form names, as far as that run has left them as they were. What code of the repository had a part in compiling is left
out: a patch may change that.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Collection

from pytest_swegym.errors import SandboxError
from pytest_swegym.grading.baseline import Baseline
from pytest_swegym.grading.integrity import UNORDERLY
from pytest_swegym.grading.protect import hidden_paths
from pytest_swegym.grading.protect import is_test_path
from pytest_swegym.sandbox.files import ENV
from pytest_swegym.sandbox.files import unpack_argv
from pytest_swegym.task import Task
from pytest_swegym.task.native import NATIVE_RUNNERS
from pytest_swegym.workspace import Workspace


log = logging.getLogger("pytest_swegym.grading")

#: Bytes of an archive; hidden tests with more of it do without.
LIMIT = 64 * 2**20
_FOLDER = "__pycache__"
_FIND = f"find . -type f ( -name *.py -o -path */{_FOLDER}/*.pyc )".split()
_PACK = ("tar", "-c", "-f", "-", "-T", "-")
_PATIENCE = 120.0
#: What stands behind a source's name: Python or pytest compiled it, and nobody who has a name of his own for that.
_TAG = re.compile(r"[\w-]+?(?P<pytest>-PYTEST|-pytest-[\w.+]+)?(\.opt-[12])?\.pyc")
#: The file of a repository that is pytest itself.
_REWRITER = "_pytest/assertion/rewrite.py"


def gather(task: Task, workspace: Workspace, baseline: Baseline) -> bytes:
    """The archive of a workspace whose ``baseline`` was just measured; empty if there can be none. Never fails."""
    brought = _untouched(task, baseline)
    if task.spec.runner in NATIVE_RUNNERS or not brought:
        return b""
    try:
        return _gathered(workspace, brought)
    except SandboxError as error:  # the tests may have left a sandbox in which nothing runs any more
        log.info("%s: nothing that is compiled is kept: %s", task.id, error)
        return b""


def _untouched(task: Task, baseline: Baseline) -> set[str]:
    """The hidden tests that the run was seen to leave as they were: those that were watched to its end."""
    if UNORDERLY in baseline.quirks:
        return set()
    hidden = hidden_paths(task.hidden)
    return {path for path in hidden if is_test_path(path) and f"edited {path}" not in baseline.quirks}


def _gathered(workspace: Workspace, brought: Collection[str]) -> bytes:
    found = workspace.sandbox.exec(_FIND, cwd=workspace.path, env=ENV, timeout=_PATIENCE)
    if found.exit_code != 0 or found.truncated or found.timed_out:
        return b""
    there = [name[2:] for name in found.stdout.decode("utf-8", "surrogateescape").split("\n") if name]
    rewritten = not any(path.endswith(_REWRITER) for path in there)
    compiled = [name for name in there if _is_usual(name, rewritten) and source_of(name) in brought]
    if not compiled:
        return b""
    kept = [*compiled, *(name for name in there if name in brought)]
    names = "".join(f"./{name}\n" for name in kept).encode("utf-8", "surrogateescape")
    packed = workspace.sandbox.exec(
        _PACK, cwd=workspace.path, env=ENV, stdin=names, timeout=_PATIENCE, output_limit=2 * LIMIT
    )
    whole = packed.exit_code == 0 and not packed.timed_out and len(packed.stdout) <= LIMIT
    return packed.stdout if whole else b""


def put(workspace: Workspace, archive: bytes) -> None:
    """Put it in place, where the hidden tests are. What does not get there is compiled as it is needed."""
    if archive:
        argv = unpack_argv(workspace.path)
        result = workspace.sandbox.exec(argv, env=ENV, stdin=archive, timeout=_PATIENCE)
        if result.exit_code != 0:
            log.info("not everything that is compiled could be put in place: %s", result.output.strip()[-500:])


def _is_usual(name: str, rewritten: bool) -> bool:
    """Whether a file is a compiled one as Python makes it, or as pytest does, if that is to count."""
    tag = _TAG.fullmatch(posixpath.basename(name).partition(".")[2])
    inside = posixpath.basename(posixpath.dirname(name)) == _FOLDER
    return inside and tag is not None and (rewritten or not tag["pytest"])


def source_of(compiled: str) -> str:
    """The file that ``x/__pycache__/y.*.pyc`` was made of. pytest's own names have more dots than the language's."""
    folder, _, name = compiled.rpartition("/")
    return posixpath.join(posixpath.dirname(folder), f"{name.partition('.')[0]}.py")
