"""A file that decides goes back however its name is written, though the patch makes git ignore it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swegym.task import Verdict


#: What a patch takes out of a text, in which it then looks like headers.
NOTES = "-- a/tests/../setup.cfg\n-- a/tests\n-- a//etc/tests/x\n"
BASE = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "setup.cfg": "[tool:pytest]\naddopts = -W error\n",
    "notes.txt": NOTES,
    "tests/test_old.py": (
        "import os\n\n\ndef test_old():\n    here = os.path.dirname(__file__)\n"
        "    assert os.path.exists(here + '/more/data.txt')\n    assert os.path.exists(here + '/../setup.cfg')\n"
    ),
    "tests/more/data.txt": "x\n",
}
FIX = {"calc.py": "def add(a, b):\n    return a + b\n"}
TESTS = {"tests/test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"}
LISTS = {"fail_to_pass": ["tests/test_calc.py::test_add"], "pass_to_pass": ["tests/test_old.py::test_old"]}
IGNORED = "--- /dev/null\n+++ b/.gitignore\n@@ -0,0 +1 @@\n+*\n"
CHEAT = "@@ -0,0 +1 @@\n+import calc; calc.add = lambda a, b: 3\n"
QUOTED = 'diff --git "a/conftest.py\\000x" "b/conftest.py\\000x"\nnew file mode 100644\n'


@pytest.mark.parametrize(
    "header",
    [
        '--- /dev/null\n+++ "b/conftest.py\\000x"\n',
        f'{QUOTED}--- /dev/null\n+++ "b/conftest.py\\000x"\n',
        "--- /dev/null\n+++ b/conftest.py 2020-01-01 00:00:00.000000000 +0000\n",
        "--- /dev/null\n+++ b/conftest.py 72-02-05\n",
    ],
)
def test_a_name_that_git_reads_in_its_own_way(make_bench: Any, header: str) -> None:
    graded = make_bench(BASE, fix=FIX, tests=TESTS, **LISTS).grade(IGNORED + header + CHEAT)
    assert (graded.verdict, graded.apply_method) == (Verdict.UNRESOLVED, "git apply")
    assert graded.protected == ("conftest.py",)


def test_a_name_that_patch_reads_in_its_own_way(make_bench: Any) -> None:
    text = f"{IGNORED}--- /dev/null\n+++ b/conftest.py of mine\n{CHEAT}"
    wide = "".join(f"  {line}\n" for line in text.splitlines())
    graded = make_bench(BASE, fix=FIX, tests=TESTS, **LISTS).grade(wide)
    assert (graded.verdict, graded.apply_method) == (Verdict.UNRESOLVED, "patch --fuzz=5")
    assert graded.protected == ("conftest.py",)


def test_a_name_that_only_looks_like_one_deletes_nothing(make_bench: Any) -> None:
    bench = make_bench(BASE, fix=FIX, tests=TESTS, **LISTS)
    assert bench.grade({**FIX, "notes.txt": "none\n"}).verdict is Verdict.RESOLVED
