"""Which files fit a text, and in which order they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.observers.ranking import by_words
from pytest_swegym.agents.observers.ranking import fused
from pytest_swegym.agents.observers.ranking import is_source
from pytest_swegym.agents.observers.ranking import source_first
from pytest_swegym.agents.observers.ranking import words
from pytest_swegym.agents.observers.showing import shown


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("getHTTPResponse", ["gethttpresponse", "get", "http", "response"]),
        ("parse_date2(self)", ["parse_date2", "parse", "date"]),
        ("The validators of URLs", ["validator", "url"]),
        ("class x = 404", ["class", "404"]),
        ("Größe straße", ["größe", "straße"]),
        ("__init__ _private", ["init", "private"]),
        ("", []),
    ],
)
def test_names_are_words_and_so_are_their_parts(text: str, found: list[str]) -> None:
    assert [word for word in words(text) if not word.isdigit() or word in found] == found


def test_the_file_whose_words_are_asked_for_comes_first() -> None:
    texts = {"a.py": "def unrelated(): pass", "b.py": "def parse_date(text): ...", "c.py": "date date other words here"}
    assert by_words("parseDate fails", texts)[0] == "b.py"
    assert by_words("something in unrelated", texts)[0] == "a.py"
    assert by_words("nothing like it", {"dates/parse.py": "", "z.py": ""}) == ["dates/parse.py", "z.py"]
    assert by_words("the dates", {"z.py": "x y", "lib/date.py": "x y", "q.py": "x y"})[0] == "lib/date.py"


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=5), st.text(max_size=30))
def test_every_file_has_a_place_whatever_is_in_it(texts: dict[str, str], query: str) -> None:
    assert sorted(by_words(query, texts)) == sorted(texts)


def test_what_several_rankings_agree_on_comes_first() -> None:
    assert fused([["a", "b", "c"], ["b", "a", "d"], ["b"]]) == ["b", "a", "c", "d"]
    assert fused([["x", "y"], ["y", "x"]]) == ["x", "y"]
    assert fused([]) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("src/a.py", True), ("tests/a.py", False), ("pkg/testing/x.py", False), ("a/test_b.py", False),
        ("a/b_test.go", False), ("a.spec.ts", False), ("docs/conf.py", False), ("README.md", False),
        ("conftest.py", False), ("attest.py", True), ("contest/latest.py", True), ("setup.cfg", False),
    ],
)  # fmt: skip
def test_source_is_code_that_is_not_beside_the_matter(path: str, source: bool) -> None:
    assert is_source(path) is source


def test_source_goes_first_and_so_does_what_the_task_names() -> None:
    paths = ["tests/test_a.py", "README.md", "b.py", "docs/usage.rst", "a.py"]
    assert source_first("see usage.rst", paths) == ["b.py", "docs/usage.rst", "a.py", "tests/test_a.py", "README.md"]


# -- as one text ---------------------------------------------------------------------------------


def test_what_fits_is_shown_whole_under_its_name() -> None:
    text, cut, left_out = shown({"a.py": "one\n", "b.py": "two"}, form="whole", most=1000)
    assert text == "==> a.py (whole) <==\none\n\n==> b.py (whole) <==\ntwo\n"
    assert (cut, left_out) == ([], [])


def test_a_long_file_leaves_room_for_the_others() -> None:
    texts = {"long.py": "line\n" * 1000, "short.py": "short\n" * 10, "tail.py": "line\n" * 1000}
    text, cut, left_out = shown(texts, form="whole", most=2000)
    assert texts["short.py"] in text
    assert (cut, left_out) == (["long.py", "tail.py"], [])
    assert abs(len(text.split("==> tail.py")[0]) - 1050) < 60


@given(
    texts=st.dictionaries(st.text("ab/", min_size=1, max_size=9), st.text("ab \n", max_size=900), max_size=6),
    most=st.integers(100, 3000),
)
def test_never_more_than_fits_and_every_file_is_accounted_for(texts: dict[str, str], most: int) -> None:
    text, cut, left_out = shown(texts, form="whole", most=most)
    assert len(text) <= most or len(left_out) == len(texts) - 1
    there = [path for path in texts if path not in left_out]
    assert text.count("==> ") == len(there)
    assert set(cut) <= set(there)
