from __future__ import annotations

import pytest

from pytest_swegym.grading.protect import is_test_path
from pytest_swegym.grading.protect import protected_paths
from pytest_swegym.grading.protect import test_folders as folders_of_tests
from pytest_swegym.task import Hidden


BASE = ["src/pkg/__init__.py", "src/pkg/test/client.py", "tests/test_a.py", "tests/data.json", "setup.cfg", "json.py",
        "lib/deep/test/test_x.py", "lib/deep/test/helper.py"]  # fmt: skip


def back(*changed: str, level: str = "strict", patch: str = "", test_patch: str = "") -> list[str]:
    return protected_paths(changed, set(BASE), Hidden(patch=patch, test_patch=test_patch), level)


@pytest.mark.parametrize(
    "path",
    [
        "conftest.py", "src/pkg/conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", "tox.ini", "setup.cfg",
        "pyproject.toml", "docs/pyproject.toml", "sitecustomize.py", "src/sitecustomize/__init__.py",
        "usercustomize.cpython-311-x86_64-linux-gnu.so", "evil.pth", ".coveragerc", "x.egg-info/entry_points.txt",
        "x-1.dist-info/METADATA", "src/pkg/__pycache__/a.cpython-311.pyc", "old.pyc", "tests/test_a.py",
        "tests/new_helper.py", "tests/data.json", "src/pkg/test_new.py", "a_test.py", "pytest.py", "_pytest/runner.py",
        "src/pluggy/__init__.py", "unittest/case.py", "lib/hmac.py", "pytest_evil.py", "lib/deep/test/helper.py",
        "tests", "src/pkg/__pycache__",
    ],
)  # fmt: skip
def test_goes_back(path: str) -> None:
    assert back(path, "src/pkg/__init__.py") == [path]


@pytest.mark.parametrize(
    "path",
    ["src/pkg/__init__.py", "src/pkg/test/client.py", "json.py", "docs/json/index.rst", "src/pkg/json.py", "README.md",
     "contest.py", "src/pkg/testing.py", "json/notes.txt.d"],
)  # fmt: skip
def test_stays(path: str) -> None:
    assert back(path) == ([] if not path.startswith("json/") else [path])


def test_what_gold_touches_stays() -> None:
    gold = "--- a/setup.cfg\n+++ b/setup.cfg\n--- a/tests/data.json\n+++ b/tests/data.json\n"
    assert back("setup.cfg", "tests/data.json", "conftest.py", patch=gold) == ["conftest.py"]


def test_hidden_test_files_always_go_back() -> None:
    header = "--- a/src/pkg/checks.py\n+++ b/src/pkg/checks.py\n"
    assert back("src/pkg/checks.py", level="off", patch=header, test_patch=header) == ["src/pkg/checks.py"]


def test_a_folder_where_a_hidden_test_comes_goes_whole() -> None:
    header = "--- /dev/null\n+++ b/src/pkg/checks.py\n"
    assert back("src/pkg/checks.py/x", level="off", test_patch=header) == ["src/pkg/checks.py"]


def test_levels() -> None:
    changed = ("conftest.py", "tests/test_a.py", "src/pkg/__init__.py")
    assert back(*changed, level="strict") == ["conftest.py", "tests/test_a.py"]
    assert back(*changed, level="tests") == ["tests/test_a.py"]
    assert back(*changed, level="off") == []


def test_folders_called_test_may_be_library_code() -> None:
    holders = folders_of_tests(BASE)
    assert holders == {"lib/deep/test"}
    assert is_test_path("lib/deep/test/data/x.txt", holders)
    assert not is_test_path("src/pkg/test/client.py", holders)
