"""Exact outcomes on every runner version that tasks may bring, and no suspicion of the honest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


PYTEST = [
    ("3.6", "pytest==3.0.7"),
    ("3.6", "pytest==3.10.1"),
    ("3.6", "pytest==4.6.11"),
    ("3.6", "pytest==6.2.5"),
    ("3.7", "pytest==5.1.3"),
    ("3.7", "pytest==5.4.3"),
    ("3.8", "pytest==7.4.4"),
    ("3.9", "pytest==8.0.2"),
    ("3.10", "pytest==8.4.2"),
    ("3.11", "pytest>=9"),
    ("3.12", "pytest==8.2.2"),
    ("3.13", "pytest>=9"),
]
UNITTEST = ["3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
LIBRARY = {"pkg/__init__.py": "def double(x):\n    return x\n"}
FIX = {"pkg/__init__.py": "def double(x):\n    return x + x\n"}
TESTS = """
import unittest

import pytest

from pkg import double


@pytest.fixture
def broken():
    raise RuntimeError("no")


@pytest.fixture
def leaving():
    yield
    raise RuntimeError("late")


def test_double():
    assert double(2) == 4


def test_zero():
    assert double(0) == 0


def test_wrong():
    assert double(1) == 7


def test_setup(broken):
    pass


def test_teardown(leaving):
    pass


def test_skipped():
    pytest.skip("not today")


@pytest.mark.skip(reason="never")
def test_marked():
    pass


@pytest.mark.xfail(reason="known")
def test_xfail():
    assert 0


@pytest.mark.xfail(reason="gone")
def test_xpass():
    pass


@pytest.mark.xfail(reason="gone", strict=True)
def test_strict():
    pass


@pytest.mark.xfail(run=False, reason="hangs")
def test_not_run():
    pass


@pytest.mark.parametrize("text", ["a b", "a/b", "a::b", "\\u00e4", "[x]", "a\\nb", "", "p-1.py::q[z"])
def test_text(text):
    assert text * 2 == double(text)


class TestGroup(object):
    def test_inside(self):
        assert double(3) == 6

    class TestNested(object):
        def test_deep(self):
            assert double(4) == 8


class CaseTest(unittest.TestCase):
    def test_case(self):
        self.assertEqual(double(5), 10)

    def test_case_zero(self):
        self.assertEqual(double(0), 0)

    def test_case_skip(self):
        self.skipTest("no")

    @unittest.expectedFailure
    def test_case_xfail(self):
        self.assertEqual(double(1), 9)

    def test_subtests_pass(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertEqual(double(number), 2 * number)
"""
EXPECTED = {
    "test_zero": "passed", "test_double": "passed", "test_wrong": "failed", "test_setup": "error",
    "test_teardown": "error", "test_skipped": "skipped", "test_marked": "skipped", "test_xfail": "xfailed",
    "test_xpass": "xpassed", "test_strict": "failed", "test_not_run": "xfailed", "TestGroup::test_inside": "passed",
    "TestGroup::TestNested::test_deep": "passed", "CaseTest::test_case": "passed",
    "CaseTest::test_case_zero": "passed", "CaseTest::test_case_skip": "skipped", "CaseTest::test_case_xfail": "xfailed",
    "CaseTest::test_subtests_pass": "passed",
}  # fmt: skip


@pytest.mark.parametrize(("python", "package"), PYTEST)
def test_pytest_outcomes(make_bench: Any, needs_python: Any, python: str, package: str) -> None:
    needs_python(python)
    bench = make_bench(
        {**LIBRARY, "tests/test_pkg.py": "def test_old():\n    pass\n"},
        fix=FIX,
        tests={"tests/test_pkg.py": TESTS},
        python=python,
        packages=[package],
        fail_to_pass=["tests/test_pkg.py::test_double", "tests/test_pkg.py::CaseTest::test_case"],
        pass_to_pass=["tests/test_pkg.py"],
    )
    graded = bench.grade(bench.gold)
    assert graded.verdict is Verdict.RESOLVED, (graded.reasons, graded.log.decode())
    assert bench.baseline.quirks == frozenset()
    outcomes = {name.partition("::")[2]: test.outcome.value for name, test in graded.tests.items()}
    texts = {name: outcome for name, outcome in outcomes.items() if name.startswith("test_text[")}
    assert len(texts) == 8
    assert set(texts.values()) == {"passed"}
    assert {name: outcome for name, outcome in outcomes.items() if name not in texts} == EXPECTED
    assert graded.exit_code == 1
    assert graded.tests["tests/test_pkg.py::test_wrong"].message


@pytest.mark.parametrize(("python", "package"), PYTEST)
def test_pytest_empty_fix_is_unresolved(make_bench: Any, needs_python: Any, python: str, package: str) -> None:
    needs_python(python)
    bench = make_bench(
        {**LIBRARY, "README": "a\n", "tests/test_pkg.py": "def test_old():\n    pass\n"},
        fix=FIX,
        tests={"tests/test_pkg.py": TESTS},
        python=python,
        packages=[package],
        fail_to_pass=["tests/test_pkg.py::test_double"],
    )
    graded = bench.grade({"README": "b\n"})
    assert graded.verdict is Verdict.UNRESOLVED
    assert graded.fail_to_pass == {"tests/test_pkg.py::test_double": Outcome.FAILED}
    assert bench.baseline.tests["tests/test_pkg.py::test_double"] is Outcome.FAILED


CASES = """
import unittest

from pkg import double


class DoubleTest(unittest.TestCase):
    def test_double(self):
        self.assertEqual(double(2), 4)

    def test_zero(self):
        "Documented, so that unittest prints two lines."
        self.assertEqual(double(0), 0)

    def test_wrong(self):
        self.assertEqual(double(1), 7)

    def test_error(self):
        raise KeyError(1)

    def test_skip(self):
        self.skipTest("no")

    @unittest.expectedFailure
    def test_xfail(self):
        self.assertEqual(1, 2)

    @unittest.expectedFailure
    def test_xpass(self):
        pass

    def test_subtests(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertEqual(double(number), 2 * number)

    def test_subtests_fail(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertEqual(number, 1)


class BrokenTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError("no")

    def test_never(self):
        pass
"""


@pytest.mark.parametrize("python", UNITTEST)
@pytest.mark.parametrize(
    ("command", "prefix"),
    [("python -m unittest", "tests.test_pkg."), ("python -m unittest discover -s tests", "test_pkg.")],
)
def test_unittest_outcomes(make_bench: Any, needs_python: Any, python: str, command: str, prefix: str) -> None:
    needs_python(python)
    bench = make_bench(
        {**LIBRARY, "tests/__init__.py": "", "tests/test_pkg.py": ""},
        fix=FIX,
        tests={"tests/test_pkg.py": CASES},
        python=python,
        runner="unittest",
        test_command=command,
        fail_to_pass=[f"test_double ({prefix}DoubleTest)", f"{prefix}DoubleTest.test_subtests"],
        pass_to_pass=[f"test_zero ({prefix}DoubleTest.test_zero)", f"{prefix}DoubleTest.test_xfail"],
    )
    graded = bench.grade(bench.gold)
    assert graded.verdict is Verdict.RESOLVED, (graded.reasons, graded.log.decode())
    assert bench.baseline.quirks == frozenset()
    outcomes = {name.removeprefix(prefix): test.outcome.value for name, test in graded.tests.items()}
    broken = outcomes.pop(next(name for name in outcomes if name.startswith("setUpClass")))
    assert broken == "error"
    assert {name.removeprefix("DoubleTest."): outcome for name, outcome in outcomes.items()} == {
        "test_double": "passed",
        "test_zero": "passed",
        "test_wrong": "failed",
        "test_error": "error",
        "test_skip": "skipped",
        "test_xfail": "xfailed",
        "test_xpass": "failed",
        "test_subtests": "passed",
        "test_subtests_fail": "failed",
    }


def test_runner_that_is_not_there(make_bench: Any, tmp_path: Path) -> None:
    from pytest_swegym.errors import GradingError

    bench = make_bench(
        LIBRARY,
        fix=FIX,
        tests={"tests/test_pkg.py": "def test_a():\n    pass\n"},
        pre_install=["python -m pip uninstall -q -y pytest || uv pip uninstall pytest"],
        fail_to_pass=["tests/test_pkg.py::test_a"],
    )
    with pytest.raises(GradingError, match=r"pytest is not installed .* environment\.packages"):
        bench.grade(bench.gold)
