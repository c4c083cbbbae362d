from __future__ import annotations

import pytest

from pytest_swegym.grading.match import canonical
from pytest_swegym.grading.match import match
from pytest_swegym.grading.match import stands_for
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import Outcome


PASSED, FAILED, ERROR, MISSING, SKIPPED = (
    Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.MISSING, Outcome.SKIPPED,
)  # fmt: skip


def f2p(listed: list[str], ran: dict[str, Outcome], before: dict[str, Outcome], runner: str = "pytest") -> dict:
    return match(listed, ran, before, runner=runner, ok=F2P_OK, broken_before=True)


def p2p(listed: list[str], ran: dict[str, Outcome], before: dict[str, Outcome], runner: str = "pytest") -> dict:
    return match(listed, ran, before, runner=runner, ok=P2P_OK, broken_before=False)


@pytest.mark.parametrize(
    ("given", "runner", "expected"),
    [
        ("./tests/x.py::T::()::t", "pytest", "tests/x.py::T::t"),
        ("tests/x.py::t[a b/c::d]", "pytest", "tests/x.py::t[a b/c::d]"),
        ("test_m (pkg.mod.Case)", "unittest", "pkg.mod.Case.test_m"),
        ("test_m (pkg.mod.Case.test_m)", "unittest", "pkg.mod.Case.test_m"),
        ("pkg.mod.Case.test_m", "unittest", "pkg.mod.Case.test_m"),
        ("test_m (app.tests.Case)", "django", "app.tests.Case.test_m"),
        ("test_m (app.tests.Case.test_m)", "django", "app.tests.Case.test_m"),
        ("What it does, in words.", "django", "What it does, in words."),
        ("test_m", "sympy", "test_m"),
    ],
)
def test_one_spelling(given: str, runner: str, expected: str) -> None:
    assert canonical(given, runner) == expected


def test_exact_ids_keep_their_spelling() -> None:
    ran = {"t/x.py::a": PASSED}
    assert f2p(["./t/x.py::a", "t/x.py::b"], ran, {}) == {"./t/x.py::a": PASSED, "t/x.py::b": MISSING}


def test_selectors_expand_against_the_baseline() -> None:
    before = {"t/x.py::a": FAILED, "t/x.py::b": PASSED, "t/x.py::s": SKIPPED, "t/xy.py::c": FAILED}
    ran = {"t/x.py::a": PASSED, "t/x.py::b": FAILED, "t/x.py::s": SKIPPED, "t/xy.py::c": PASSED}
    assert f2p(["t/x.py"], ran, before) == {"t/x.py::a": PASSED, "t/x.py::s": SKIPPED}
    assert p2p(["t/x.py"], ran, before) == {"t/x.py::b": FAILED, "t/x.py::s": SKIPPED}
    assert set(f2p(["t"], ran, before)) == {"t/x.py::a", "t/x.py::s", "t/xy.py::c"}
    assert set(p2p(["."], ran, before)) == {"t/x.py::b", "t/x.py::s"}


def test_tests_that_vanish_are_missing() -> None:
    assert p2p(["t/x.py"], {}, {"t/x.py::a": PASSED}) == {"t/x.py::a": MISSING}


def test_a_file_that_could_not_be_collected_before() -> None:
    before = {"t/x.py": ERROR}
    assert f2p(["t/x.py"], {"t/x.py::a": PASSED, "t/x.py::b": FAILED}, before) == {
        "t/x.py::a": PASSED,
        "t/x.py::b": FAILED,
    }
    assert f2p(["t/x.py"], {"t/x.py": ERROR}, before) == {"t/x.py": ERROR}
    assert f2p(["t/x.py"], {}, before) == {"t/x.py": MISSING}


def test_unittest_modules_and_classes() -> None:
    before = {"t.x.C.a": FAILED, "t.x.D.b": PASSED}
    ran = {"t.x.C.a": PASSED, "t.x.D.b": PASSED}
    assert f2p(["t.x"], ran, before, "unittest") == {"t.x.C.a": PASSED}
    assert p2p(["t.x.D"], ran, before, "unittest") == {"t.x.D.b": PASSED}
    assert f2p(["t/x.py"], ran, before, "unittest") == {"t.x.C.a": PASSED}
    assert f2p(["t.y"], ran, before, "unittest") == {"t.y": MISSING}


def test_an_id_cut_at_white_space_stands_for_the_tests_that_begin_with_it() -> None:
    ran = {"t.py::a[x y]": PASSED, "t.py::a[x z]": PASSED, "t.py::b[x y]": PASSED, "t.py::b[x z]": FAILED}
    assert p2p(["t.py::a[x", "t.py::b[x", "t.py::c[x"], ran, {}) == {
        "t.py::a[x": PASSED, "t.py::b[x": FAILED, "t.py::c[x": MISSING,
    }  # fmt: skip
    assert f2p(["t.py::a[x"], {"t.py::a[x y]": SKIPPED, "t.py::a[x z]": PASSED}, {}) == {"t.py::a[x": SKIPPED}


def test_a_whole_id_is_never_a_prefix() -> None:
    assert p2p(["t.py::a", "t.py::a[1]"], {"t.py::a[1] b]": PASSED, "t.py::ab": PASSED}, {}) == {
        "t.py::a": MISSING, "t.py::a[1]": MISSING,
    }  # fmt: skip


def test_a_cut_id_that_ran_as_it_stands_is_that_test() -> None:
    assert p2p(["t.py::a[[x]"], {"t.py::a[[x]": PASSED, "t.py::a[[x] y]": FAILED}, {}) == {"t.py::a[[x]": PASSED}


@pytest.mark.parametrize("entry", ["[100%]", "[ 50%]", "[  7%", "["])
def test_a_piece_of_the_progress_column_is_no_test(entry: str) -> None:
    assert p2p([entry, "t.py::a"], {"t.py::a": PASSED}, {}) == {"t.py::a": PASSED}


def test_a_path_of_which_the_list_holds_the_last_part() -> None:
    ran = {"t.py::a[/r/x.py-m-/r/x.py]": PASSED, "t.py::a[x.py-m-x.py]": FAILED, "t.py::a[//h/x.py]": FAILED}
    assert p2p(["t.py::a[/x.py]", "t.py::a[/y.py]"], ran, {}) == {"t.py::a[/x.py]": PASSED, "t.py::a[/y.py]": MISSING}
    assert p2p(["t.py::a[/x.py]"], ran | {"t.py::a[/x.py]": FAILED}, {}) == {"t.py::a[/x.py]": FAILED}


def test_a_line_break_in_a_listed_id_is_written_as_pytest_does() -> None:
    assert f2p(['t.py::a[\n  "x"\n]'], {r't.py::a[\n  "x"\n]': PASSED}, {}) == {'t.py::a[\n  "x"\n]': PASSED}


def test_a_docstring_stands_for_its_tests_and_none_hides_another() -> None:
    aliases = {"In words.": ["app.tests.A.test_x"], "Twice.": ["app.tests.A.test_y", "app.tests.B.test_y"]}
    listed = ["In words.", "Twice.", "Never said.", "test_x (app.tests.A)"]

    def outcomes(**ran: Outcome) -> list[Outcome]:
        tests = {f"app.tests.{name.replace('_test', '.test')}": outcome for name, outcome in ran.items()}
        found = match(listed, tests, {}, runner="django", ok=F2P_OK, broken_before=True, aliases=aliases)
        assert list(found) == listed
        return list(found.values())

    assert outcomes(A_test_x=PASSED, A_test_y=PASSED, B_test_y=PASSED) == [PASSED, PASSED, MISSING, PASSED]
    assert outcomes(A_test_x=FAILED, A_test_y=PASSED, B_test_y=ERROR) == [FAILED, ERROR, MISSING, FAILED]
    assert outcomes(A_test_y=SKIPPED, B_test_y=PASSED) == [MISSING, PASSED, MISSING, MISSING]


def test_a_bare_name_of_several_files_holds_only_if_it_holds_in_each() -> None:
    here, there = "sympy/a/tests/test_a.py::test_x", "sympy/b/tests/test_b.py::test_x"
    ran = {here: PASSED, there: PASSED, "sympy/b/tests/test_b.py::test_xx": FAILED}
    assert f2p(["test_x"], ran, {}, "sympy") == {"test_x": PASSED}
    assert f2p(["test_x"], {**ran, there: FAILED}, {}, "sympy") == {"test_x": FAILED}
    assert f2p(["test_x"], {here: PASSED}, {there: PASSED}, "sympy") == {"test_x": MISSING}  # its file broke
    assert f2p(["test_x", here], {**ran, there: SKIPPED}, {}, "sympy") == {"test_x": PASSED, here: PASSED}
    assert f2p(["test_no"], ran, {}, "sympy") == {"test_no": MISSING}


def test_selectors_of_django_and_sympy() -> None:
    ran = {"app.tests.A.test_x": PASSED, "other.tests.A.test_x": FAILED}
    assert p2p(["tests/app/tests.py"], ran, {"app.tests.A.test_x": PASSED}, "django") == {"app.tests.A.test_x": PASSED}
    test = "sympy/a/tests/test_a.py::test_x"
    assert p2p(["sympy/a/tests/test_a.py"], {test: PASSED}, {test: PASSED}, "sympy") == {test: PASSED}


@pytest.mark.parametrize(
    ("entry", "runner", "begins"),
    [
        ("t.py::a", "pytest", None),
        ("t.py::C::a[x y]", "pytest", None),
        ("t.py::a[x", "pytest", ("t.py::a[x",)),
        ("t.py::a[/name]", "pytest", ("t.py::a[/",)),
        ("tests/", "pytest", ("tests::", "tests/")),
        (".", "pytest", ("",)),
        ("a.b.C.t", "unittest", None),
        ("tests/x.py", "django", ("",)),
        ("What it does, in words.", "django", ("",)),
        ("test_x", "sympy", ("",)),
    ],
)
def test_what_an_entry_stands_for_before_anything_ran(entry: str, runner: str, begins: tuple[str, ...] | None) -> None:
    assert stands_for(entry, runner) == begins
