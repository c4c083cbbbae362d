from __future__ import annotations

import posixpath
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import assume
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.grading.headers import likely_paths
from pytest_swegym.grading.headers import patch_paths


NAMES = ["plain.py", "with space.py", "tab\there.py", 'quote".py', "back\\slash.py", "\u00e4\u00f6.py", "new\nline.py",
         "deep/er/file.py", "b/b.py", "a b c/d e.py", "[x].py", "trailing "]  # fmt: skip


def git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(
        ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments),
        cwd=root, capture_output=True, check=True,
    ).stdout  # fmt: skip


def test_names_as_git_writes_them(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    for name in [*NAMES, "moved.py", "mode.sh", "gone.py", "binary.bin"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one\ntwo\nthree\n" + name)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "base")
    for name in NAMES:
        (tmp_path / name).write_text("one\ntwo\nthree\nchanged")
    (tmp_path / "moved.py").rename(tmp_path / "new name.py")
    (tmp_path / "mode.sh").chmod(0o755)
    (tmp_path / "gone.py").unlink()
    (tmp_path / "binary.bin").write_bytes(b"\0\1")
    (tmp_path / "empty new.py").write_text("")
    git(tmp_path, "add", "-A")
    patch = git(tmp_path, "diff", "--cached", "--binary", "-M").decode("utf-8", "surrogateescape")
    expected = {*NAMES, "moved.py", "new name.py", "mode.sh", "gone.py", "binary.bin", "empty new.py"}
    assert patch_paths(patch) == expected


def test_plain_diffs() -> None:
    patch = "--- old/x.py\t2020-01-01 00:00:00\n+++ new/x.py\t2020-01-02\r\n@@ -1 +1 @@\n-a\n+b\nIndex: svn/y.py\n"
    assert patch_paths(patch) == {"x.py", "y.py"}


def test_new_and_deleted_files_have_one_name() -> None:
    assert patch_paths("--- /dev/null\n+++ b/n.py\n") == {"n.py"}
    assert patch_paths("--- a/d.py\n+++ /dev/null\n") == {"d.py"}


@given(st.text())
def test_anything_is_read(text: str) -> None:
    assert all(isinstance(path, str) and path for path in patch_paths("diff --git " + text + "\n+++ " + text))


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1))
def test_quoted_names_come_back(name: str) -> None:
    assume(posixpath.normpath(name).lstrip("/") == name and name != "." and name.split("/")[0] != "..")
    raw = name.encode()
    quoted = "".join(chr(byte) if 48 <= byte < 123 and byte != 92 else f"\\{byte:03o}" for byte in raw)
    assert patch_paths(f'+++ "b/{quoted}"\n') == {name}


@pytest.mark.parametrize(
    "line",
    [
        '+++ "b/dir/x.py\\000y"',
        "+++ b/dir/x.py\0y",
        "+++ b/dir/x.py 72-02-05",
        "+++ b/dir/x.py  2020-01-01 00:00:00.0000000000000000000000000000000000000000000000000001 +00:00",
        "+++ b/dir//x.py",
        "+++ b//dir/x.py",
        "+++ b/dir/tests/../x.py",
        "diff --git a/dir/x.py\tb/dir/x.py",
        "diff --git a/dir/x.py   longer/dir/x.py",
        'diff --git "a/dir/x.py"   "b/dir/x.py"',
    ],
)
def test_names_as_git_reads_them(line: str) -> None:
    assert patch_paths(f"{line}\n") == {"dir/x.py"}


@pytest.mark.parametrize("path", ["..", "../x", "x/../../y", ".", "/", "x/..", "//.."])
def test_nothing_outside_is_named(path: str) -> None:
    assert patch_paths(f"--- a/{path}\nrename from {path}\n") <= {"x"}


@pytest.mark.parametrize("begin", ["", "  ", "\tX", "- ", "- - "])
def test_names_as_patch_reads_them(begin: str) -> None:
    assert "x.py" in likely_paths(f"{begin}--- /dev/null\r\n{begin}+++ b/x.py and more\r\n")


@pytest.mark.parametrize(
    "line", ["+++ b/" + " " * 10**6, "+++ b/" + " 2020-01-01" * 10**5 + "x", "diff --git " + " " * 10**6,
             "diff --git a/" + " /" * 10**5, "diff --git " + " " * 300_000 + "/" * 300_000, "- " * 10**6]
)  # fmt: skip
def test_no_line_takes_long(line: str) -> None:
    began = time.process_time()
    likely_paths(line)
    assert time.process_time() - began < 5
