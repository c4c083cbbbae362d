"""Files that decide the verdict go back to the base before grading; what a patch tried there is reported."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from pathlib import PurePosixPath

from pytest_swegym.errors import ConfigError
from pytest_swegym.grading.headers import likely_paths
from pytest_swegym.grading.headers import patch_paths
from pytest_swegym.grading.native import native
from pytest_swegym.grading.tables import with_tables_of
from pytest_swegym.task import Hidden
from pytest_swegym.workspace import Workspace


#: ``strict``: everything below. ``tests``: test files. ``off``: only the files of the hidden tests themselves.
LEVELS = ("strict", "tests", "off")
_SETTINGS = frozenset(
    ("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg", ".coveragerc")
)
#: Names that the runner imports, which a new file in the repository must not take.
_RUNNER_MODULES = frozenset(
    ("pytest", "pluggy", "iniconfig", "packaging", "attr", "attrs", "py", "exceptiongroup", "tomli", "pygments",
     "colorama", "coverage", "xdist", "execnet", "junitparser")
)  # fmt: skip
#: Library code that runs a library's own tests.
_RUNNER_FILES = {
    "django": ("tests/runtests.py", "django/test/runner.py", "django/test/testcases.py"),
    "sympy": tuple(f"sympy/{part}/{name}.py" for part in ("testing", "utilities") for name in ("pytest", "runtests")),
}
_TEST_FILE = re.compile(r"(?:test_.*|.*_test|tests)\.py")
#: Folders from which modules are imported by their bare name.
_IMPORT_ROOTS = ("", "src", "lib")


def touched_paths(workspace: Workspace, patch: str) -> set[str]:
    """What ``patch``, which is applied, did anything to."""
    # Both views: git does not list ignored files as changed, and headers do not show what a fuzzy apply did.
    return set(workspace.changed()) | likely_paths(patch)


def protect_files(
    workspace: Workspace,
    hidden: Hidden,
    changed: Collection[str],
    level: str = "strict",
    *,
    runner: str = "pytest",
) -> list[str]:
    """Put the protected files among the ``changed`` ones back; returns their paths."""
    if level not in LEVELS:
        raise ConfigError(f"unknown protection {level!r}; choose from {', '.join(LEVELS)}")
    if not changed:
        return []
    base = set(workspace.base_files())
    paths = protected_paths(changed, base, hidden, level, runner)
    if level == "strict":
        paths = sorted({*paths, *(path for path in changed if path in base and _keeps_tables(path, hidden))})
    tables = [path for path in paths if PurePosixPath(path).name == "pyproject.toml" and path in base]
    kept = {path: _read(workspace, path) for path in tables}
    workspace.restore(paths)
    for path, patched in kept.items():
        merged = with_tables_of(_read(workspace, path) or "", patched)
        if merged is not None:
            workspace.write(path, merged)
            if merged == patched:
                paths.remove(path)
    return paths


def protected_paths(
    changed: Collection[str], base: Collection[str], hidden: Hidden, level: str, runner: str = "pytest"
) -> list[str]:
    """Which of the ``changed`` paths go back, sorted; those that the gold patch touches stay."""
    own = hidden_paths(hidden)
    gold = patch_paths(hidden.patch)
    holders = test_folders(base)
    table = native(runner)

    def tests(path: str) -> bool:
        return is_test_path(path, holders) or (table is not None and table.is_test(path))

    def decides(path: str) -> bool:
        return table.decides(path) if table is not None else _decides(path) or _shadows(path, base)

    back = {path for path in changed if path in own}
    if level != "off":
        back |= {path for path in changed if path not in gold and tests(path)}
    if level == "strict":
        back |= {path for path in changed if path not in gold and decides(path)}
        back |= {path for path in runner_files(runner) if path in changed and path not in gold}
    # A symlink or a file where the folder of a protected file was would lead it astray.
    needed = own | {path for path in base if tests(path)}
    back |= {path for path in changed if path not in base and any(n.startswith(path + "/") for n in needed)}
    # A folder where a hidden test file comes goes whole.
    back |= {path for path in own if any(other.startswith(path + "/") for other in changed)}
    return sorted(back)


def _keeps_tables(path: str, hidden: Hidden) -> bool:
    """Whether the gold patch touches this ``pyproject.toml`` with no word of the tests' settings in it."""
    if PurePosixPath(path).name != "pyproject.toml" or path not in patch_paths(hidden.patch):
        return False
    whole = re.split(r"^(?=diff --git )", hidden.patch, flags=re.MULTILINE)
    parts = [part for part in whole if path in patch_paths(part)]
    return not any(re.search(r"^[-+ @].*(pytest|coverage)", part, re.MULTILINE) for part in parts)


def hidden_paths(hidden: Hidden) -> set[str]:
    """The files that the hidden tests bring or change."""
    return patch_paths(hidden.test_patch) | set(hidden.test_files)


def runner_files(runner: str) -> tuple[str, ...]:
    """Files of the repository that are part of the ``runner`` itself."""
    return _RUNNER_FILES.get(runner, ())


def is_test_file(path: str) -> bool:
    """Whether a file is called like one that holds tests."""
    return _TEST_FILE.fullmatch(path.rpartition("/")[2]) is not None


def test_folders(base: Collection[str]) -> set[str]:
    """Folders called ``test`` or ``testing`` that hold test files in the base; others are library code."""
    found = set()
    for path in base:
        *folders, name = path.split("/")
        if folders and folders[-1] in ("test", "testing") and _TEST_FILE.fullmatch(name):
            found.add("/".join(folders))
    return found


test_folders.__test__ = False  # type: ignore[attr-defined]  # not a test of pytest's


def edited_tests(patch: str) -> list[str]:
    """The files of the tests that ``patch`` touches, as far as their paths tell, sorted."""
    return sorted(path for path in patch_paths(patch) if is_test_path(path))


def is_test_path(path: str, holders: Collection[str] = ()) -> bool:
    """Whether a file belongs to the tests: by its name, or by its folder.

    ``tests`` counts at any depth; ``test`` and ``testing`` at the top, or where they hold test files (``holders``, see
    :func:`test_folders`): packages such as ``django.test`` are library code.
    """
    *folders, name = path.split("/")
    if _TEST_FILE.fullmatch(name) or "tests" in folders or folders[:1] in (["test"], ["testing"]):
        return True
    return any("/".join(folders[: depth + 1]) in holders for depth in range(len(folders)))


def _decides(path: str) -> bool:
    """Settings of the runner, and files that Python runs by itself."""
    *folders, name = path.split("/")
    stems = {part.split(".")[0] for part in (*folders, name)}
    return (
        name in _SETTINGS
        or name == "pyproject.toml"
        or name.endswith((".pth", ".pyc"))
        or "__pycache__" in (*folders, name)
        or bool(stems & {"sitecustomize", "usercustomize"})
        or any(folder.endswith((".egg-info", ".dist-info")) for folder in folders)
    )


def _shadows(path: str, base: Collection[str]) -> bool:
    """Whether a new file would be imported instead of the runner or the standard library."""
    parts = path.split("/")
    for root in _IMPORT_ROOTS:
        rest = parts[1:] if root and parts[0] == root else parts
        if (root and parts[0] != root) or not rest:
            continue
        top = rest[0]
        stem = top.split(".")[0]
        taken = stem in _RUNNER_MODULES or stem in sys.stdlib_module_names or stem.startswith(("_pytest", "pytest_"))
        importable = len(rest) > 1 or top.endswith((".py", ".pyc", ".so", ".pyd"))
        prefix = f"{root}/{top}" if root else top
        if taken and importable and not any(p == prefix or p.startswith(prefix + "/") for p in base):
            return True
    return False


def _read(workspace: Workspace, path: str) -> str | None:
    try:
        return workspace.read_bytes(path, limit=4 * 2**20).decode("utf-8")
    except (OSError, ValueError):
        return None
