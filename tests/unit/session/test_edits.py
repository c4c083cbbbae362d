"""Edits by what stands in a file: where the code is found, what it is replaced by, and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.errors import PatchError
from pytest_swegym.session import Edit
from pytest_swegym.session import Edits
from pytest_swegym.session import Invalid
from pytest_swegym.session import load_protocol
from pytest_swegym.session.edits import inside
from pytest_swegym.session.edits import make_edits
from pytest_swegym.session.matching import NoMatch
from pytest_swegym.session.matching import find


SOURCE = """import os


def area(width, height):
    # in square metres
    result = width + height
    return result


class Box:
    def volume(self, depth):
        for each in range(depth):
            self.total = self.total + each
        return self.total
"""
TEXT = st.text(alphabet="ab \n\tx(=é", max_size=30)
LINES = st.lists(st.text(alphabet="abc =():\t ", max_size=12), max_size=8).map("\n".join)


def edited(before: str | bytes, old: str, new: str, path: str = "a.py") -> str:
    data = before.encode() if isinstance(before, str) else before
    return make_edits([Edit(path=path, old=old, new=new)], {path: data}.get).after[path].decode()


def refusal(before: str | bytes | None, *edits: Edit) -> str:
    data = before.encode() if isinstance(before, str) else before
    with pytest.raises(PatchError) as caught:
        make_edits(edits, {"a.py": data}.get)
    return str(caught.value)


# -- where it is found ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "how", "lines"),
    [
        ("    result = width + height\n", "exactly", (6, 6)),
        ("width + height", "exactly", (6, 6)),
        ("result=width+height", "but for white space", (6, 6)),
        ("def area( width,\n height ):\n\n    # in square metres", "but for white space", (4, 5)),
        ("for each in range(depth):\n    self.total = self.total + each", "but for white space", (12, 13)),
        ("# in square meters\nresult = width + heigth", "nearly (95 of 100)", (5, 6)),
    ],
)
def test_code_is_found_as_it_stands_or_nearly(old: str, how: str, lines: tuple[int, int]) -> None:
    match = find(SOURCE, old)
    assert (match.how, match.lines) == (how, lines)


@pytest.mark.parametrize(
    ("text", "old", "message"),
    [
        (SOURCE, "result", r"is in it 2 times \(exactly\): at lines 6, 7; quote more"),
        ("x = 1\ny = 2\nx  =  1\n", "x=1", r"is in it 2 times \(but for white space\): at lines 1, 3"),
        ("aaa", "aa", "is in it 2 times"),
        ("n\n" * 20, "n", r"20 times \(exactly\): at lines 1, 2, 3, 4, 5, 6, 7, 8, \.\.\.; quote more"),
        (SOURCE, "completely different words that stand nowhere", "is not in it"),
        (SOURCE, "    result = width_of_it * height_of_it / 2", r"most alike \(\d\d of 100, 80 are needed\): line 6"),
        ("value_of_one = 1\nother\nvalue_of_two = 1\n", "value_of_xxx = 1", "line 1 .* and line 3 .* are both like it"),
        (SOURCE, "   \n  \n ", "is not in it"),
        ("aa = bb", "a=b", "is not in it"),
    ],
)
def test_what_is_not_one_place_is_refused(text: str, old: str, message: str) -> None:
    with pytest.raises(NoMatch, match=message):
        find(text, old)


def test_in_a_large_file_too_a_long_piece_is_found_nearly_or_refused() -> None:
    lines = [f"value_{number * 7919 % 10_007} = compute_{number * 31 % 997}({number})" for number in range(8000)]
    piece = "\n".join(line.replace("compute", "computes") for line in lines[5000:5100])
    match = find("\n".join(lines), piece)
    assert match.lines == (5001, 5100)
    assert match.how.startswith("nearly")
    with pytest.raises(NoMatch, match=r"lines 5001-5100 .* and lines 13001-13100 .* are both like it"):
        find("\n".join(lines + lines), piece)
    with pytest.raises(NoMatch, match=r"is not in it$"):
        find("x\n" * 600_000, piece)


# -- what it is replaced by ----------------------------------------------------------------------


def test_new_code_takes_the_indentation_of_its_place() -> None:
    result = edited(SOURCE, "for each in range(depth):\n    self.total = self.total + each",
                    "for each in range(depth):\n    if each:\n        self.total += each")  # fmt: skip
    assert (
        "        for each in range(depth):\n            if each:\n                self.total += each\n        ret"
        in result
    )


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        ("if a:\n\tif b:\n\t\tc()\n", "if a:\n    if b:\n        c( )\n",
         "if a:\n    if b:\n        while 1:\n            d()\n", "if a:\n\tif b:\n\t\twhile 1:\n\t\t\td()\n"),
        ("class A:\n  def b(self):\n    return 1\n", "    def b(self):\n        return  1",
         "    def b(self):\n        return 2", "class A:\n  def b(self):\n    return 2\n"),
        ("def a():\n    if b:\n        c()\n", "            c( )", "            c(1)\n        d()",
         "def a():\n    if b:\n        c(1)\n    d()\n"),
        ("a = 1\nb = 2\nc = 3\n", "b=2\n", "", "a = 1\nc = 3\n"),
        ("a = 1\nb = 2   \nc = 3", "\nb=2\n\n", "\nb = 4\n\n", "a = 1\nb = 4\nc = 3"),
        ("x = call(a,  b)\n", "call(a, b)", "call(b)", "x = call(b)\n"),
        ("a = 1\nlast = 2", "last=2\n", "last = 3\n", "a = 1\nlast = 3"),
    ],
)  # fmt: skip
def test_code_found_but_for_white_space_is_replaced_as_lines(before: str, old: str, new: str, after: str) -> None:
    assert edited(before, old, new) == after


@given(before=TEXT, piece=TEXT.filter(bool), after=TEXT, new=TEXT)
def test_an_exact_edit_of_one_place_is_str_replace(before: str, piece: str, after: str, new: str) -> None:
    text = before + piece + after
    try:
        match = find(text, piece)
    except NoMatch:
        several = text.find(piece) != text.rfind(piece)
        assert several
        return
    assert match.how == "exactly"
    if new != piece:
        assert edited(text, piece, new) == text.replace(piece, new)


@given(text=LINES, old=LINES, new=LINES)
def test_whatever_is_asked_for_what_is_around_the_place_stays(text: str, old: str, new: str) -> None:
    try:
        result = edited(text, old, new)
    except PatchError:
        return
    if not text:
        assert result == new
        return
    match = find(text, old)
    assert result.startswith(text[: match.start])
    assert result.endswith(text[match.end :].removeprefix("\n"))


# -- files as they are ---------------------------------------------------------------------------


def raw(before: bytes, old: str, new: str) -> bytes:
    return make_edits([Edit(path="a.py", old=old, new=new)], {"a.py": before}.get).after["a.py"]


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc\r\n", "b\nc", "x\ny\nc", b"a\r\nx\r\ny\r\nc\r\n"),
        (b"a\r\nb\nc\r\nd\r\n", "c\n", "x\ny\n", b"a\r\nb\nx\r\ny\r\nd\r\n"),
        (b"a\nb\r\nc\nd\n", "c\n", "x\ny\n", b"a\nb\r\nx\ny\nd\n"),
        (b"a\r\nb", "b", "c", b"a\r\nc"),
        (b"one\ntwo", "two", "three", b"one\nthree"),
        ("\ufeffa = 'é'\n".encode(), "'é'", "'è'", "\ufeffa = 'è'\n".encode()),
        (b"# coding: cp1251\na = '\xe9'\n", "'й'", "'ж'", b"# coding: cp1251\na = '\xe6'\n"),
        (b"a = '\xe9'\n", "'é'", "'è'", b"a = '\xe8'\n"),
        ("\ufeffa b\n".encode("utf-16-le"), "a b", "c", "\ufeffc\n".encode("utf-16-le")),
        (b"", "", "new\n", b"new\n"),
    ],
)
def test_line_ends_encoding_and_a_missing_last_line_end_stay(before: bytes, old: str, new: str, after: bytes) -> None:
    assert raw(before, old, new) == after


@given(before=st.lists(st.sampled_from([b"a\r\n", b"b\n", b"\xe9\n", b"\r", b"c"]), max_size=8).map(b"".join))
def test_bytes_around_the_place_are_the_same(before: bytes) -> None:
    data = before + b"PLACE" + before
    assert raw(data, "PLACE", "new") == before + b"new" + before


# -- several edits, and what is refused ----------------------------------------------------------


def test_each_edit_is_made_on_top_of_the_last_and_the_hunk_is_shown() -> None:
    one, two = Edit(path="a.py", old="a", new="b"), Edit(path="./a.py", old="b", new="c")
    made = make_edits([one, two, Edit(path="n.py", old="", new="new\n")], {"a.py": b"a\n"}.get)
    assert made.after == {"a.py": b"c\n", "n.py": b"new\n"}
    assert made.before == {"a.py": b"a\n", "n.py": None}
    assert "a.py: line 1 matched exactly.\n@@ -1,2 +1,2 @@\n-a\n+b\n" in made.said
    assert made.said.endswith("n.py: a new file.")


@pytest.mark.parametrize(
    ("before", "edit", "message"),
    [
        (None, Edit(path="a.py", old="x", new="y"), "a.py: there is no such file; leave old_code empty to make it"),
        ("x", Edit(path="a.py", old="", new="y"), "a.py: the file exists, and old_code is empty"),
        ("x", Edit(path="a.py", old="x", new="x"), "are the same"),
        ("x\n", Edit(path="a.py", old="zzzzzzzz", new="x"), "a.py: old_code is not in it"),
        (b"a\0b", Edit(path="a.py", old="a", new="y"), "it is a binary file"),
        (b"\xe9 # coding", Edit(path="a.py", old="coding", new="漢"), "encoding, latin-1, has no '漢'"),
    ],
)
def test_an_edit_that_cannot_be_made_says_why(before: str | bytes | None, edit: Edit, message: str) -> None:
    assert message in refusal(before, edit)


def test_one_bad_edit_of_several_is_named_and_none_is_made() -> None:
    message = refusal("a\n", Edit(path="a.py", old="a", new="b"), Edit(path="a.py", old="nowhere", new="b"))
    assert message.startswith("edit 2 of 2, a.py: old_code is not in it")
    assert message.endswith("No edit is made.")


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../a", "a/../../b", "..", ".", "", " ", "a/", ".git/config", "a/.GIT/hooks/x", "a\0b", "a\nb"],
)
def test_a_path_out_of_the_repository_is_refused(path: str) -> None:
    with pytest.raises(PatchError, match=r"no path of a file|not in the repository"):
        inside(path)


@given(st.text(alphabet="ab./-", max_size=12))
def test_a_path_that_is_taken_stays_inside(path: str) -> None:
    try:
        found = inside(path)
    except PatchError:
        return
    assert not found.startswith("/")
    assert ".." not in found.split("/")


# -- answers -------------------------------------------------------------------------------------

ONE = {"filename": "a.py", "old_code": "x", "new_code": "y"}
TWO = {"filename": "b.py", "old_code": "", "new_code": "z\n"}
EDITS = (Edit(path="a.py", old="x", new="y"), Edit(path="b.py", old="", new="z\n"))


@pytest.mark.parametrize(
    ("text", "edits"),
    [
        (json.dumps(ONE), EDITS[:1]),
        (json.dumps([ONE, TWO]), EDITS),
        (json.dumps({"edits": [ONE, TWO]}), EDITS),
        (f"I see.\n```json\n{json.dumps(ONE, indent=2)}\n```\nDone.", EDITS[:1]),
        (f"First {json.dumps(ONE)}, a dict {{'a': 1}} or {{\"b\": x}}, then\n```\n{json.dumps(TWO)}\n```", EDITS),
        (json.dumps({"why": "because", **ONE}), EDITS[:1]),
        ('{"filename": "a.py", "old_code": "x", "new_code": "1\n2"}', (Edit(path="a.py", old="x", new="1\n2"),)),
    ],
)
def test_answers_of_every_shape_are_read(text: str, edits: tuple[Edit, ...]) -> None:
    assert load_protocol("edits")().parse(text) == Edits(edits=edits)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no edit at all", "no edit in your answer"),
        ("[]", "no edit in your answer"),
        ('{"filename": "a.py", "old_code": "x"}', '"new_code" of an edit must be given'),
        ('{"filename": "a.py", "old_code": "x", "new_code": 3}', '"new_code" of an edit must be given, as text'),
        ('{"filename": " ", "old_code": "x", "new_code": ""}', "empty"),
        ('{"filename": "a.py", "old_code": "x", "new_code": "y"', "not valid JSON"),
        (f"[{json.dumps(ONE)}, {{broken}}]", "not valid JSON"),
        (f"[{json.dumps(ONE)}, 3]", "must hold objects only, not 3"),
        (json.dumps([ONE] * 201), "more than 200 edits"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(text: str, message: str) -> None:
    action = load_protocol("edits")().parse(text)
    assert isinstance(action, Invalid)
    assert message in action.message


def test_the_shown_hunk_is_the_change() -> None:
    made = make_edits([Edit(path="a.py", old="width + height", new="width * height")], {"a.py": SOURCE.encode()}.get)
    hunk = made.said.partition("\n")[2].split("\n")
    assert [line for line in hunk if line[:1] in "+-"] == [
        "-    result = width + height",
        "+    result = width * height",
    ]
