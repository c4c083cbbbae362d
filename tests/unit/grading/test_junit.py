from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.errors import GradingError
from pytest_swegym.grading.junit import read_junit
from pytest_swegym.grading.junit import read_witness
from pytest_swegym.grading.junit import split_id
from pytest_swegym.grading.junit import witness_key
from pytest_swegym.grading.junit import write_junit
from pytest_swegym.task import Outcome
from pytest_swegym.task import TestResult


ANY_TEXT = st.text(st.characters(), min_size=1)


@given(st.dictionaries(ANY_TEXT, st.tuples(st.sampled_from(Outcome), st.text(st.characters()))))
def test_ids_and_outcomes_come_back(given_tests: dict[str, tuple[Outcome, str]]) -> None:
    tests = [TestResult(id=name, outcome=outcome, message=text) for name, (outcome, text) in given_tests.items()]
    found = read_junit(write_junit(tests, properties={"runner": "x\x00"}))
    assert {name: test.outcome for name, test in found.items()} == {n: o for n, (o, _) in given_tests.items()}


def test_it_is_ordinary_junit() -> None:
    tests = [TestResult(id="t/x.py::C::a[1]", outcome=Outcome.FAILED, message="line\nassert 0", duration=0.5)]
    text = write_junit(tests, suite="demo", properties={}).decode()
    assert 'tests="1"' in text
    assert 'failures="1"' in text
    assert 'classname="t.x.C"' in text
    assert 'name="a[1]"' in text
    assert "assert 0</failure>" in text


@pytest.mark.parametrize("data", [b"", b"<", b"<testsuite><testcase name='a'/></testsuite>", b"<other/>"])
def test_other_xml_is_refused(data: bytes) -> None:
    with pytest.raises(GradingError, match=r"junit\.xml cannot be read"):
        read_junit(data)


@pytest.mark.parametrize("data", [None, b"", b"<testsuites><testsuite", b"<!DOCTYPE x><testsuites/>", b"no"])
def test_a_witness_that_cannot_be_read(data: bytes | None) -> None:
    assert read_witness(data) is None


def test_witness() -> None:
    found = read_witness(
        b'<testsuites><testsuite name="p"><testcase classname="t.x" name="a"/>'
        b'<testcase classname="t.x" name="b"><failure>x</failure></testcase>'
        b'<testcase classname="t.x.C.()" name="c"><error>x</error></testcase>'
        b'<testcase classname="t.x" name="d"><skipped>x</skipped></testcase></testsuite></testsuites>'
    )
    assert found is not None
    assert found.bad == {("t.x", "b"), ("t.x.C", "c")}
    assert found.named == {("t.x", "a"), ("t.x", "b"), ("t.x.C", "c"), ("t.x", "d")}


@pytest.mark.parametrize(
    ("test_id", "expected"),
    [
        ("a/b.py::C::t[x/y.py::z]", ("a.b.C", "t[x/y.py::z]")),
        ("a/b.py::t", ("a.b", "t")),
        ("a/b.py", ("", "a.b")),
        ("a.b.C.t", ("a.b.C", "t")),
        ("README.rst::README.rst", ("README.rst", "README.rst")),
    ],
)
def test_split(test_id: str, expected: tuple[str, str]) -> None:
    assert split_id(test_id) == expected


def test_characters_that_xml_cannot_hold() -> None:
    assert witness_key("t.py::a[\x1b]") == ("t", "a[#x1B]")


def test_thousands_of_tests() -> None:
    tests = [TestResult(id=f"t/x.py::t[{n}]", outcome=Outcome.PASSED) for n in range(5000)]
    assert len(read_junit(write_junit(tests, properties={}))) == 5000
