"""A folder becomes one commit: the same one everywhere, with every byte as it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_swegym.sources.freeze import freeze


def fill(folder: Path) -> None:
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "crlf.py").write_bytes(b"a = 1\r\nb = 2\n")
    (folder / "pkg" / "id.txt").write_bytes(b"$Id$ and $Format:%H$")
    (folder / "pkg" / "utf16.txt").write_bytes("text\r\n".encode("utf-16"))
    (folder / "pkg" / "built.pyc").write_bytes(b"\0\1")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("pkg/crlf.py")
    (folder / "sp ace \u00e9\n.txt").write_text("x")
    (folder / ".gitignore").write_text("*.pyc\nlink\n")
    (folder / ".gitattributes").write_text(
        "* text=auto eol=crlf ident filter=lfs export-subst\nutf16.txt working-tree-encoding=UTF-16\n"
    )


def test_everything_is_committed_as_it_is(
    tmp_path: Path, git: Callable[..., str], check_sealed: Callable[..., str]
) -> None:
    fill(tmp_path / "tree")
    before = {path: path.read_bytes() for path in (tmp_path / "tree").rglob("*") if path.is_file()}
    commit = freeze(tmp_path / "tree")
    assert check_sealed(tmp_path / "tree") == commit
    assert git(tmp_path / "tree", "ls-files").count("\n") + 1 == len(before)
    for path in before:
        path.unlink()
    git(tmp_path / "tree", "checkout", "-q", "--", ".")
    assert {path: path.read_bytes() for path in before} == before
    assert os.access(tmp_path / "tree" / "run.sh", os.X_OK)
    assert os.readlink(tmp_path / "tree" / "link") == "pkg/crlf.py"


def test_the_commit_depends_on_content_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two", symlinks=True)
    os.utime(tmp_path / "two" / "run.sh", (1, 1))
    first = freeze(tmp_path / "one")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "objects"))
    assert freeze(tmp_path / "two") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_an_empty_folder_can_be_frozen(tmp_path: Path, check_sealed: Callable[..., str]) -> None:
    (tmp_path / "tree").mkdir()
    assert freeze(tmp_path / "tree") == check_sealed(tmp_path / "tree")
