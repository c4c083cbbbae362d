"""What git tells of a repository's files, read with care: it comes out of a sandbox."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.observers.asking import _names
from pytest_swegym.agents.observers.files import _contents
from pytest_swegym.agents.observers.files import _file
from pytest_swegym.errors import SandboxError


BLOB = "a" * 40


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (f"100644 blob {BLOB}      12\ta/b.py", "a/b.py"),
        (f"100755 blob {BLOB}      12\trun me.sh", "run me.sh"),
        (f"120000 blob {BLOB}      12\tlink.py", None),
        (f"160000 commit {BLOB}       -\tmodule", None),
        (f"100644 blob {BLOB}       0\tempty.py", None),
        (f"100644 blob {BLOB}  600000\thuge.py", None),
        (f"100644 blob {BLOB}      12\tnode_modules/a.js", None),
        (f"100644 blob {BLOB}      12\ta.min.js", None),
        (f"100644 blob {BLOB}      12\tPIC.PNG", None),
        (f"100644 blob {BLOB}      12\ta\x1b[1m.py", None),
        (f"100644 blob {BLOB}      12\ta\n==> b.py", None),
        ("", None),
    ],
)
def test_files_that_are_no_text_of_the_project_are_left_out(line: str, path: str | None) -> None:
    file = _file(line.encode())
    assert (file.path if file else None) == path


@given(st.binary(max_size=80))
def test_no_line_of_a_listing_raises(line: bytes) -> None:
    assert _file(line) is None or b"\t" in line


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_contents_are_told_apart_whatever_is_in_them(contents: list[bytes]) -> None:
    blobs = [f"{number:040x}" for number in range(len(contents))]
    data = b"".join(
        f"{blob} blob {len(text)}\n".encode() + text + b"\n" for blob, text in zip(blobs, contents, strict=True)
    )
    expected = ["" if b"\0" in text else text.decode("utf-8", "replace") for text in contents]
    assert [text for _, text in _contents(data, blobs)] == expected


@pytest.mark.parametrize(
    "data", [b"", f"{BLOB} missing\n".encode(), f"{'b' * 40} blob 1\nx\n".encode(), b"no line end"]
)
def test_an_answer_that_does_not_fit_is_the_sandbox_s_failure(data: bytes) -> None:
    with pytest.raises(SandboxError, match="git cat-file did not tell of"):
        dict(_contents(data, [BLOB]))


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ('["b.py", "a.py", "b.py", "none"]', ["b.py", "a.py"]),
        ('First ["x"], then:\n```json\n["a.py"]\n```', ["a.py"]),
        ("- `a.py`\n2. b.py\n* 'dir/'", ["a.py", "b.py", "dir/"]),
        ("I would look at a.py", []),
        ('["a.py"', []),
        ("[1, 2] [broken] []", []),
        ("", []),
    ],
)
def test_names_in_an_answer_are_those_of_the_list(answer: str, names: list[str]) -> None:
    assert _names(answer, {"a.py": "", "b.py": "", "dir/": ""}) == names
