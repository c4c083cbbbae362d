"""A grade that ends as soon as it is decided, and one in several processes: the same verdicts, and less that runs."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swegym.grading.shards import divide
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict
from pytest_swegym.workspace import Workspace


LIBRARY = {
    "pkg/__init__.py": "def double(x):\n    return x\n\n\ndef half(x):\n    return x / 2\n\n\nSEEN = []\n",
    "tests/test_z.py": "def test_old():\n    pass\n",
}
FIX = {"pkg/__init__.py": LIBRARY["pkg/__init__.py"].replace("return x\n", "return x + x\n")}
BREAKS = {"pkg/__init__.py": FIX["pkg/__init__.py"].replace("x / 2", "x / 3")}
FIRST = """
import pytest

from pkg import SEEN, half


@pytest.fixture(scope="module")
def lent():
    SEEN.append(1)
    yield SEEN
    SEEN.remove(1)


def test_lent(lent):
    assert lent


@pytest.mark.parametrize("x", [2, 4])
def test_half(lent, x):
    assert half(x) * 2 == x


class TestGroup(object):
    def test_half(self):
        assert half(8) == 4

    def test_skipped(self):
        pytest.skip("not here")


def test_unlisted():
    assert False
"""
LATER = "from pkg import half\n\n\ndef test_later():\n    assert half(6) == 3\n\n\ndef test_unlisted():\n    pass\n"
LAST = """
import pytest

from pkg import SEEN, double


@pytest.fixture(scope="session")
def kept():
    yield SEEN


def test_old(kept):
    assert kept == []


def test_double(kept):
    assert double(2) == 4


def test_unlisted(kept):
    pass
"""
FILES = {"tests/test_a.py": FIRST, "tests/test_b.py": LATER, "tests/test_z.py": LAST}
F2P = ["tests/test_z.py::test_double"]
P2P = [
    "tests/test_a.py::test_lent",
    "tests/test_a.py::test_half[2]",
    "tests/test_a.py::test_half[4]",
    "tests/test_a.py::TestGroup::test_half",
    "tests/test_a.py::TestGroup::test_skipped",
    "tests/test_b.py::test_later",
    "tests/test_z.py::test_old",
]
LISTS = {"fail_to_pass": F2P, "pass_to_pass": P2P}
NOT_FIXED = {"README": "b\n"}
CASES = """
import unittest

from pkg import double, half


def setUpModule():
    pass


class First(unittest.TestCase):
    def test_half(self):
        self.assertEqual(half(4), 2)

    def test_unlisted(self):
        self.fail()


class Last(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.value = double(2)

    def test_double(self):
        self.assertEqual(self.value, 4)

    def test_very_unlisted(self):
        pass
"""
MORE = "import unittest\n\n\nclass More(unittest.TestCase):\n    def test_more(self):\n        pass\n"
METHODS = {"fail_to_pass": ["tests.test_z.Last.test_double"], "pass_to_pass": ["tests.test_a.More.test_more"]}


@pytest.mark.parametrize(
    ("python", "package"),
    [("3.6", "pytest==3.0.7"), ("3.7", "pytest==5.4.3"), ("3.8", "pytest==7.4.4"), ("3.11", "pytest>=9")],
)
def test_pytest_ends_when_it_is_decided(make_bench: Any, needs_python: Any, python: str, package: str) -> None:
    needs_python(python)
    bench = make_bench(LIBRARY, fix=FIX, tests=FILES, python=python, packages=[package], **LISTS)
    gold = bench.grade(bench.gold, fast_fail=True)
    assert gold.verdict is Verdict.RESOLVED, (gold.reasons, gold.log.decode())
    assert gold.early == "after the last listed test"
    assert set(P2P + F2P) <= set(gold.tests)
    assert "tests/test_b.py::test_unlisted" not in gold.tests

    lost = bench.grade(NOT_FIXED, fast_fail=True)
    assert lost.verdict is Verdict.UNRESOLVED, lost.reasons
    assert lost.early == f"at the first lost test: {F2P[0]}"
    assert set(lost.tests) == {"tests/test_z.py::test_old", F2P[0]}
    assert lost.pass_to_pass == {
        **dict.fromkeys(P2P, Outcome.NOT_RUN),
        "tests/test_z.py::test_old": Outcome.PASSED,
    }
    assert lost.reasons[1].startswith("PASS_TO_PASS: 6 of 7 were not run")

    breaks = bench.grade(BREAKS, fast_fail=True)
    assert breaks.verdict is Verdict.UNRESOLVED, breaks.reasons
    assert breaks.early.endswith("::test_half[2]")
    assert breaks.pass_to_pass["tests/test_b.py::test_later"] is Outcome.NOT_RUN
    assert breaks.fail_to_pass == {F2P[0]: Outcome.PASSED}


def test_a_file_that_cannot_be_collected_ends_it_at_once(make_bench: Any) -> None:
    tests = {**FILES, "tests/test_z.py": LAST.replace("double", "triple")}
    fix = {"pkg/__init__.py": LIBRARY["pkg/__init__.py"].replace("def double(x):\n    return x\n", "def triple(x):\n"
           "    return x + x\n")}  # fmt: skip
    lists = {"fail_to_pass": ["tests/test_z.py::test_triple"], "pass_to_pass": P2P[:6]}
    bench = make_bench(LIBRARY, fix=fix, tests=tests, packages=["pytest>=9"], **lists)
    lost = bench.grade(NOT_FIXED, fast_fail=True)
    assert lost.verdict is Verdict.UNRESOLVED, lost.reasons
    assert lost.fail_to_pass == {"tests/test_z.py::test_triple": Outcome.MISSING}
    assert set(lost.pass_to_pass.values()) == {Outcome.NOT_RUN}
    assert bench.grade(bench.gold, fast_fail=True).verdict is Verdict.RESOLVED


def test_entries_that_stand_for_several_tests_are_waited_for(make_bench: Any) -> None:
    lists = {"fail_to_pass": F2P, "pass_to_pass": ["tests/test_b.py", "tests/test_a.py::test_half[2"]}
    bench = make_bench(LIBRARY, fix=FIX, tests=FILES, packages=["pytest>=9"], **lists)
    gold = bench.grade(bench.gold, fast_fail=True)
    assert gold.verdict is Verdict.RESOLVED, gold.reasons
    assert gold.pass_to_pass["tests/test_b.py::test_unlisted"] is Outcome.PASSED
    assert bench.grade(BREAKS, fast_fail=True).verdict is Verdict.UNRESOLVED


def test_what_ends_early_and_tells_no_loss_is_decided_by_a_whole_run(make_bench: Any) -> None:
    bench = make_bench(LIBRARY, fix=FIX, tests=FILES, packages=["pytest>=9"], **LISTS)
    leaving = "return x / 2 if x != 6 else __import__('os')._exit(1)"
    patch = {"pkg/__init__.py": FIX["pkg/__init__.py"].replace("return x / 2", leaving)}
    graded, whole = bench.grade(patch, fast_fail=True), bench.grade(patch)
    assert graded.verdict is Verdict.UNRESOLVED
    assert (graded.early, graded.reasons) == ("", whole.reasons)
    assert "the test process ended before its tests did" in graded.reasons[0]


@pytest.mark.parametrize(
    ("python", "command"), [("3.6", "python -m unittest discover -s tests -t ."), ("3.13", "python -m unittest")]
)
def test_unittest_ends_when_it_is_decided(make_bench: Any, needs_python: Any, python: str, command: str) -> None:
    needs_python(python)
    base = {"pkg/__init__.py": LIBRARY["pkg/__init__.py"], "tests/__init__.py": "", "tests/test_a.py": MORE}
    tests = {"tests/test_z.py": CASES}
    bench = make_bench(base, fix=FIX, tests=tests, python=python, runner="unittest", test_command=command, **METHODS)
    gold = bench.grade(bench.gold, fast_fail=True)
    assert gold.verdict is Verdict.RESOLVED, (gold.reasons, gold.log.decode())
    lost = bench.grade(NOT_FIXED, fast_fail=True)
    assert lost.verdict is Verdict.UNRESOLVED, lost.reasons
    assert lost.pass_to_pass == {"tests.test_a.More.test_more": Outcome.NOT_RUN}
    assert "tests.test_z.Last.test_very_unlisted" not in lost.tests
    assert b"unlisted" in lost.log


def test_shards_resolve_what_a_whole_run_does_and_lose_nothing_else(make_bench: Any) -> None:
    bench = make_bench(LIBRARY, fix=FIX, tests=FILES, packages=["pytest>=9"], **LISTS)
    assert set(bench.baseline.seconds) == set(FILES)
    whole, parts = bench.grade(bench.gold), bench.grade(bench.gold, shards=3)
    assert parts.verdict is Verdict.RESOLVED, parts.reasons
    assert {name: test.outcome for name, test in parts.tests.items()} == {
        name: test.outcome for name, test in whole.tests.items()
    }
    assert (parts.fail_to_pass, parts.pass_to_pass) == (whole.fail_to_pass, whole.pass_to_pass)
    assert parts.log.count(b"test session starts") == 3
    lost = bench.grade(BREAKS, shards=2)
    assert lost.log.count(b"test session starts") == 1
    assert (lost.verdict, lost.reasons) == (Verdict.UNRESOLVED, bench.grade(BREAKS).reasons)
    with bench.workspace() as workspace:
        assert divide(bench.task, workspace, bench.baseline, 2) is not None
        assert divide(bench.task, Workspace(workspace.sandbox, workspace.path), bench.baseline, 2) is None


def test_a_test_that_leans_on_another_file_is_decided_by_a_whole_run(make_bench: Any) -> None:
    leans = "from pkg import SEEN\n\n\ndef test_later():\n    assert SEEN == [7]\n"
    leads = "from pkg import SEEN, double\n\n\ndef test_double():\n    SEEN.append(7)\n    assert double(2) == 4\n"
    lists = {"fail_to_pass": ["tests/test_a.py::test_double"], "pass_to_pass": ["tests/test_b.py::test_later"]}
    tests = {"tests/test_a.py": leads, "tests/test_b.py": leans}
    bench = make_bench(LIBRARY, fix=FIX, tests=tests, packages=["pytest>=9"], **lists)
    graded = bench.grade(bench.gold, shards=2)
    assert graded.verdict is Verdict.RESOLVED, graded.reasons
    assert graded.log.count(b"test session starts") == 1
