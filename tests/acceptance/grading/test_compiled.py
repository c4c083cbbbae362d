"""What was compiled before the patch is put beside the sources of a grade, and never beside what the patch touched."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.grading import compiled
from pytest_swegym.grading.protect import hidden_paths
from pytest_swegym.task import Verdict


BASE = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "other.py": "def one():\n    return 1\n",
    "old/__init__.py": "",
    "old/part.py": "X = 1\n",
    "tests/test_kept.py": "import old.part, other\n\ndef test_one():\n    assert other.one() == old.part.X\n",
}
FIX = {"calc.py": "def add(a, b):\n    return a + b\n"}
TESTS = {"tests/test_calc.py": "from calc import add\n\ndef test_add():\n    assert add(1, 2) == 3\n"}
LISTS = {"FAIL_TO_PASS": ["tests/test_calc.py::test_add"], "PASS_TO_PASS": ["tests/test_kept.py::test_one"]}
UNTOUCHED = {"other.py", "old/__init__.py", "old/part.py", "tests/test_calc.py", "tests/test_kept.py"}
#: Takes away what the build has compiled.
_BARE = "find . -name __pycache__ -prune -exec rm -rf {} +"
#: Prints the compiled files whose source is as old and as long, or holds, what they say: Python and pytest take those.
_TAKEN = """
import importlib.util, os, pathlib
for each in sorted(pathlib.Path().rglob('__pycache__/*.pyc')):
    head = each.read_bytes()[:16]
    source = each.parent.parent / (each.name.split('.')[0] + '.py')
    if source.exists():
        told = int.from_bytes(head[8:12], 'little'), int.from_bytes(head[12:16], 'little')
        found = os.stat(source)
        hashed = head[4] & 1 and head[8:16] == importlib.util.source_hash(source.read_bytes())
        if hashed or told == (int(found.st_mtime), found.st_size):
            print(source)
"""


@pytest.fixture
def bench(make_bench: Callable[..., Any]) -> Any:
    return make_bench(BASE, fix=FIX, tests=TESTS, **LISTS)


def names(archive: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name for member in tar}


def test_it_is_of_the_repository_and_the_hidden_tests_alone(bench: Any) -> None:
    found = {compiled.source_of(name[2:]) for name in names(bench.baseline.bytecode()) if name.endswith(".pyc")}
    assert found == {
        "calc.py",
        "other.py",
        "old/__init__.py",
        "old/part.py",
        "tests/test_calc.py",
        "tests/test_kept.py",
    }


def test_nothing_is_compiled_again_but_what_the_patch_touched(bench: Any) -> None:
    hidden = hidden_paths(bench.task.hidden)
    with bench.workspace() as workspace:
        workspace.run(_BARE)
        workspace.apply(bench.gold + bench.task.hidden.test_patch)
        compiled.put(workspace, bench.baseline.bytecode(), {"calc.py"}, hidden)
        taken = workspace.sandbox.exec(("python3", "-c", _TAKEN), cwd=workspace.path, timeout=60)
    assert set(taken.stdout.decode().split()) == UNTOUCHED
    assert bench.grade(bench.gold).verdict is Verdict.RESOLVED


def test_a_change_of_the_same_length_at_the_same_time_is_seen(bench: Any) -> None:
    """Python itself would take what was compiled for what was there before."""
    look = ("python3", "-c", "import calc; print(calc.add(3, 1))")
    hidden = hidden_paths(bench.task.hidden)
    said = {}
    for touched in ("calc.py", "nothing.py"):
        with bench.workspace() as workspace:
            workspace.run(f"{_BARE}; touch -r calc.py /tmp/then")
            workspace.apply(bench.gold)
            workspace.run("touch -r /tmp/then calc.py")
            compiled.put(workspace, bench.baseline.bytecode(), {touched}, hidden)
            said[touched] = workspace.sandbox.exec(look, cwd=workspace.path, timeout=60).stdout
    assert said == {"calc.py": b"4\n", "nothing.py": b"2\n"}


def test_a_package_that_the_patch_removes_stays_away(bench: Any) -> None:
    patch = bench.diff({**FIX, "old/__init__.py": None, "old/part.py": None, "tests/test_kept.py": None})
    with bench.workspace() as workspace:
        workspace.run(_BARE)
        workspace.apply(patch)
        changed = {"old/__init__.py", "old/part.py", "calc.py"}
        compiled.put(workspace, bench.baseline.bytecode(), changed, hidden_paths(bench.task.hidden))
        assert workspace.sandbox.exec(("test", "-e", "old"), cwd=workspace.path, timeout=60).exit_code == 1


def test_what_stands_in_its_way_is_no_matter(bench: Any, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(bench.baseline.bytecode()[:700])
    gone = tmp_path / "gone.tar"
    with bench.workspace() as workspace:
        for archive in (damaged, gone):
            compiled.put(workspace, replace(bench.baseline, compiled=archive).bytecode(), set(), set())
        workspace.run("rm -rf tests/__pycache__; echo > tests/__pycache__")
        compiled.put(workspace, bench.baseline.bytecode(), set(), set())
        assert workspace.run("python3 -c 'import other; print(other.one())'").output == "1\n"


def test_a_hidden_file_that_the_run_before_the_patch_edited_is_as_it_was(make_bench: Callable[..., Any]) -> None:
    test = (
        "import pathlib\nfrom calc import add\n\nSAMPLE = pathlib.Path(__file__).with_name('sample.py')\n\n"
        "def test_add():\n    if add(1, 2) != 3:\n        SAMPLE.write_text('X = 2\\n')\n    assert add(1, 2) == 3\n"
        "    assert SAMPLE.read_text() == 'X = 1\\n'\n"
    )
    bench = make_bench(BASE, fix=FIX, tests={"tests/test_calc.py": test, "tests/sample.py": "X = 1\n"}, **LISTS)
    found = names(bench.baseline.bytecode())
    assert ("./tests/test_calc.py" in found, "./tests/sample.py" in found) == (True, False)
    assert bench.grade(bench.gold).verdict is Verdict.RESOLVED


def test_a_sandbox_that_the_tests_left_broken_costs_nothing_but_time(bench: Any) -> None:
    with bench.workspace() as workspace:
        workspace.close()
        assert compiled.gather(bench.task, workspace, bench.baseline) == b""


def test_a_pytest_that_is_under_test_finds_no_test_rewritten(make_bench: Callable[..., Any]) -> None:
    bench = make_bench({**BASE, "src/_pytest/assertion/rewrite.py": "X = 1\n"}, fix=FIX, tests=TESTS, **LISTS)
    assert [name for name in names(bench.baseline.bytecode()) if "-pytest-" in name] == []
    with bench.workspace() as workspace:
        assert workspace.run("find . -name '*-pytest-*'").output == ""
    assert bench.grade(bench.gold).verdict is Verdict.RESOLVED
