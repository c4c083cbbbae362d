"""What Python compiled as the tests ran before the patch: put beside the sources of every grade, so as to last.

It is what the repository's own code and the hidden tests are without the patch, as a tar archive. A file that a patch
touches is compiled anew. So is one whose time is not that which its compiled form names: the hidden tests come along,
as far as that run has left them as they were. What code of the repository had a part in compiling is left out: a patch
may change that.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Collection
from collections.abc import Iterable

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

#: Bytes of an archive; a repository with more of it does without.
LIMIT = 128 * 2**20
_FOLDER = "/__pycache__/"
_FIND = f"find . -type f ( -name *.py -o -path *{_FOLDER}*.pyc )".split()
_PACK = ("tar", "-c", "-f", "-", "-T", "-")
#: What tar takes for a pattern, and what ends a line of its list.
_SPECIAL = frozenset("*?[]\\\n")
_PATIENCE = 120.0
#: What stands behind a source's name: Python or pytest compiled it, and nobody who has a name of his own for that.
_TAG = re.compile(r"[\w-]+?(?P<pytest>-PYTEST|-pytest-[\w.+]+)?(\.opt-[12])?\.pyc")
#: The file of a repository that is pytest itself.
_REWRITER = "_pytest/assertion/rewrite.py"


def gather(task: Task, workspace: Workspace, baseline: Baseline) -> bytes:
    """The archive of a workspace whose ``baseline`` was just measured; empty if there can be none. Never fails."""
    if task.spec.runner in NATIVE_RUNNERS:
        return b""
    try:
        return _gathered(workspace, hidden_paths(task.hidden), _untouched(task, baseline))
    except SandboxError as error:  # the tests may have left a sandbox in which nothing runs any more
        log.info("%s: nothing that is compiled is kept: %s", task.id, error)
        return b""


def _untouched(task: Task, baseline: Baseline) -> set[str]:
    """The hidden tests that the run was seen to leave as they were: those that were watched to its end."""
    if UNORDERLY in baseline.quirks:
        return set()
    hidden = hidden_paths(task.hidden)
    return {path for path in hidden if is_test_path(path) and f"edited {path}" not in baseline.quirks}


def _gathered(workspace: Workspace, hidden: Collection[str], brought: Collection[str]) -> bytes:
    found = workspace.sandbox.exec(_FIND, cwd=workspace.path, env=ENV, timeout=_PATIENCE)
    if found.exit_code != 0 or found.truncated or found.timed_out:
        return b""
    there = [name[2:] for name in found.stdout.decode("utf-8", "surrogateescape").split("\n") if name]
    sources = {*hidden, *workspace.base_files()}
    rewritten = not any(path.endswith(_REWRITER) for path in sources)
    kept = [name for name in there if (_usual(name, sources, rewritten) if _FOLDER in f"/{name}" else name in brought)]
    if not any(_FOLDER in f"/{name}" for name in kept):
        return b""
    names = "".join(f"./{name}\n" for name in kept).encode("utf-8", "surrogateescape")
    packed = workspace.sandbox.exec(
        _PACK, cwd=workspace.path, env=ENV, stdin=names, timeout=_PATIENCE, output_limit=2 * LIMIT
    )
    whole = packed.exit_code == 0 and not packed.timed_out and len(packed.stdout) <= LIMIT
    return packed.stdout if whole else b""


def put(workspace: Workspace, archive: bytes, touched: Collection[str], hidden: Collection[str]) -> None:
    """Put it in place, but for the ``touched`` sources. The ``hidden`` tests are there, and unchanged, by now.

    What does not get there is compiled as it is needed.
    """
    changed = [path for path in touched if path not in hidden]
    if not archive or any(_SPECIAL & set(path) for path in changed):
        return
    argv = [*unpack_argv(workspace.path), *(f"--exclude={name}" for name in _compiled(changed))]
    result = workspace.sandbox.exec(argv, env=ENV, stdin=archive, timeout=_PATIENCE)
    if result.exit_code != 0:
        log.info("not everything that is compiled could be put in place: %s", result.output.strip()[-500:])


def _usual(compiled: str, sources: Collection[str], rewritten: bool) -> bool:
    """Whether it is one of the ``sources`` as Python compiles it, or as pytest does, if that is to count."""
    tag = _TAG.fullmatch(posixpath.basename(compiled).partition(".")[2])
    return tag is not None and (rewritten or not tag["pytest"]) and source_of(compiled) in sources


def source_of(compiled: str) -> str:
    """The file that ``x/__pycache__/y.*.pyc`` was made of. pytest's own names have more dots than the language's."""
    folder, _, name = compiled.rpartition("/")
    return posixpath.join(posixpath.dirname(folder), f"{name.partition('.')[0]}.py")


def _compiled(paths: Iterable[str]) -> list[str]:
    """What tar is to leave out: the compiled form of each of the ``paths``."""
    split = [posixpath.split(path.removesuffix(".py")) for path in paths if path.endswith(".py")]
    return sorted({posixpath.join(".", folder, "__pycache__", f"{name}.*") for folder, name in split})
