"""Kept grades: whole, by content, and only those that another run would repeat."""

from __future__ import annotations

import threading
from dataclasses import fields
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.results.cache import GradeCache
from pytest_swegym.results.cache import grade_from_dict
from pytest_swegym.results.cache import grade_to_dict
from pytest_swegym.results.cache import grader_digest
from pytest_swegym.results.cache import grader_files
from pytest_swegym.results.cache import is_function_of_its_inputs
from pytest_swegym.results.cache import patch_digest
from pytest_swegym.task import Compat
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import TestResult
from pytest_swegym.task import Verdict


GRADE = Grade(
    verdict=Verdict.UNRESOLVED,
    fail_to_pass={"t::a": Outcome.FAILED},
    tests={"t::a": TestResult(id="t::a", outcome=Outcome.FAILED, duration=0.25, message="no\n\x00")},
    reasons=("1 of 1 do not pass",),
    exit_code=1,
    junit_xml=b"<xml/>",
    log=b"\xff\x00log",
    compat=Compat(profile="pytest", gradeable=True, resolved=False, fail_to_pass={"t::a": False}),
)
names = st.text(max_size=5)
outcomes = st.dictionaries(names, st.sampled_from(Outcome), max_size=3)
grades = st.builds(
    Grade,
    verdict=st.sampled_from(Verdict),
    fail_to_pass=outcomes,
    pass_to_pass=outcomes,
    tests=st.dictionaries(
        names,
        st.builds(
            TestResult, id=names, outcome=st.sampled_from(Outcome), duration=st.floats(0, 1e6), message=st.text()
        ),
        max_size=3,
    ),
    baseline=outcomes,
    reasons=st.lists(names, max_size=3).map(tuple),
    protected=st.lists(names, max_size=3).map(tuple),
    exit_code=st.none() | st.integers(-64, 255),
    oom=st.booleans(),
    duration=st.floats(0, 1e6),
    junit_xml=st.binary(),
    log=st.binary(),
    apply_method=names,
    compat=st.none()
    | st.builds(
        Compat,
        profile=names,
        gradeable=st.booleans(),
        resolved=st.booleans(),
        fail_to_pass=st.dictionaries(names, st.booleans(), max_size=2),
        pass_to_pass=st.dictionaries(names, st.booleans(), max_size=2),
        reason=names,
    ),
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GradeCache:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path))
    return GradeCache.default()


@given(grades)
def test_json_and_back_is_the_same_grade(grade: Grade) -> None:
    assert grade_from_dict(grade_to_dict(grade)) == grade
    assert set(grade_to_dict(grade)) == {"format", *(field.name for field in fields(Grade))}


def test_a_kept_grade_is_given_back_whole(cache: GradeCache) -> None:
    key = cache.key("prepared", "a patch\n", "strict")
    assert cache.get_or_make(key, lambda: GRADE) == (GRADE, False)
    assert cache.get_or_make(key, lambda: pytest.fail("graded again")) == (GRADE, True)
    assert cache.folder.name == "grades"


def test_every_input_has_a_key_of_its_own(cache: GradeCache) -> None:
    keys = {
        cache.key(prepared, patch, protect)
        for prepared in ("one", "another")
        for patch in ("", "a\n", "a\n\n", "a \n", "b\n")
        for protect in ("strict", "off")
    }
    assert len(keys) == 2 * 5 * 2
    manners = [{"fast_fail": fast, "shards": shards} for fast in (False, True) for shards in (1, 2)]
    assert len({cache.key("one", "", "strict", **manner) for manner in manners}) == 4
    assert cache.key("one", "", "strict", shards=0) == cache.key("one", "", "strict", shards=4)


@given(st.text(), st.text())
def test_patches_that_differ_have_other_digests(one: str, other: str) -> None:
    assert (patch_digest(one + "\n") == patch_digest(other + "\n")) is (one == other)


@given(st.text())
def test_a_missing_last_line_end_makes_no_difference(patch: str) -> None:
    assert (patch_digest(patch) == patch_digest(patch + "\n")) is not patch.endswith("\n")


def test_grader_digest_covers_all_that_grades() -> None:
    assert len(grader_digest()) == 64
    names = {path.name for path in grader_files()}
    assert {"workspace.py", "grade.py", "native.toml", "launch.py", "judge.py", "variables.py"} <= names


@pytest.mark.parametrize("verdict", [Verdict.RESOLVED, Verdict.UNRESOLVED, Verdict.TAMPERED])
@pytest.mark.parametrize("exit_code", [0, 1, 2, 5])
def test_ended_sessions_are_kept(verdict: Verdict, exit_code: int) -> None:
    assert is_function_of_its_inputs(replace(GRADE, verdict=verdict, exit_code=exit_code))


@pytest.mark.parametrize(
    "grade",
    [
        *(replace(GRADE, verdict=v) for v in (Verdict.TIMEOUT, Verdict.INFRA_ERROR, Verdict.SOLVER_ERROR)),
        *(replace(GRADE, exit_code=code) for code in (None, -9, 124, 137, 139)),
        replace(GRADE, oom=True),
        replace(GRADE, verdict=Verdict.TAMPERED, exit_code=-11),
    ],
    ids=lambda grade: f"{grade.verdict.value} {grade.exit_code} {grade.oom}",
)
def test_what_may_go_otherwise_another_day_is_not_kept(cache: GradeCache, grade: Grade) -> None:
    assert cache.get_or_make("0" * 24, lambda: grade) == (grade, False)
    assert cache.get_or_make("0" * 24, lambda: GRADE) == (GRADE, False)


@pytest.mark.parametrize("damage", [b"", b"no gzip", b"\x1f\x8b\x08\x00"])
def test_a_damaged_grade_is_made_again(cache: GradeCache, damage: bytes) -> None:
    cache.write("0" * 24, GRADE)
    (path,) = cache.folder.rglob("*.gz")
    path.write_bytes(damage)
    assert cache.get_or_make("0" * 24, lambda: GRADE) == (GRADE, False)
    assert cache.read("0" * 24) == GRADE


def test_many_threads_grade_once(cache: GradeCache) -> None:
    made: list[int] = []

    def make() -> Grade:
        made.append(1)
        return GRADE

    threads = [threading.Thread(target=cache.get_or_make, args=("0" * 24, make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
