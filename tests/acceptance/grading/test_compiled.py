"""What was compiled of the hidden tests before the patch is put beside them in a grade."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.grading import compiled
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


def test_it_is_of_the_hidden_tests_alone(bench: Any) -> None:
    found = names(bench.baseline.bytecode())
    assert {compiled.source_of(name[2:]) for name in found if name.endswith(".pyc")} == {"tests/test_calc.py"}
    assert {name for name in found if not name.endswith(".pyc")} == {"./tests/test_calc.py"}


def test_nothing_is_compiled_again_but_what_the_patch_touched(bench: Any) -> None:
    with bench.workspace() as workspace:
        workspace.apply(bench.gold + bench.task.hidden.test_patch)
        compiled.put(workspace, bench.baseline.bytecode())
        taken = workspace.sandbox.exec(("python3", "-c", _TAKEN), cwd=workspace.path, timeout=60)
    assert set(taken.stdout.decode().split()) == UNTOUCHED
    assert bench.grade(bench.gold).verdict is Verdict.RESOLVED


def test_a_hidden_test_that_the_patch_brings_itself_is_ours(bench: Any) -> None:
    """Of the same length as ours: only its text, and its time, tell them apart."""
    own = TESTS["tests/test_calc.py"].replace("== 3", "!= 9")
    wrong = {"calc.py": "def add(a, b):\n    return a * b\n", "tests/test_calc.py": own}
    assert bench.grade(wrong).verdict is Verdict.UNRESOLVED


def test_what_stands_in_its_way_is_no_matter(bench: Any, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(bench.baseline.bytecode()[:700])
    gone = tmp_path / "gone.tar"
    with bench.workspace() as workspace:
        for archive in (damaged, gone):
            compiled.put(workspace, replace(bench.baseline, compiled=archive).bytecode())
        workspace.run("rm -rf tests/__pycache__; echo > tests/__pycache__")
        compiled.put(workspace, bench.baseline.bytecode())
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
    assert b"-pytest-" not in bench.baseline.bytecode()
    with bench.workspace() as workspace:
        assert workspace.run("find . -name '*-pytest-*'").output == ""
    assert bench.grade(bench.gold).verdict is Verdict.RESOLVED
