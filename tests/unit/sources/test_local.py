"""A folder as it stands becomes a tree; what git or good sense leaves out stays out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_swegym.errors import SourceError
from pytest_swegym.errors import SpecError
from pytest_swegym.sources import make_source


Git = Callable[..., str]
Check = Callable[[Path], str]


def files(folder: Path) -> list[str]:
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    return sorted(str(path) for path in found if ".git" not in path.parts)


@pytest.fixture
def repository(tmp_path: Path, git: Git) -> Path:
    folder = tmp_path / "repo"
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("*.log\nbuild/\n")
    (folder / "a.py").write_text("a = 1\n")
    (folder / "gone.py").write_text("")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_uncommitted_changes_count_and_ignored_files_do_not(
    repository: Path, tmp_path: Path, check_sealed: Check
) -> None:
    (repository / "a.py").write_text("a = 2\n")
    (repository / "new file \u00e9.py").write_text("")
    (repository / "gone.py").unlink()
    (repository / "x.log").write_text("")
    (repository / "build").mkdir()
    (repository / "build" / "out").write_text("")
    (repository / "link").symlink_to("a.py")
    (repository / "tool").write_text("")
    (repository / "tool").chmod(0o755)
    make_source(str(repository)).checkout(tmp_path / "out")
    check_sealed(tmp_path / "out")
    assert files(tmp_path / "out") == [".gitignore", "a.py", "link", "new file \u00e9.py", "tool"]
    assert (tmp_path / "out" / "a.py").read_text() == "a = 2\n"
    assert os.access(tmp_path / "out" / "tool", os.X_OK)
    assert os.readlink(tmp_path / "out" / "link") == "a.py"


def test_the_key_follows_content_mode_and_name_alone(repository: Path) -> None:
    source = make_source(str(repository))
    seen = [source.key()]
    os.utime(repository / "a.py", (1, 1))
    (repository / "ignored.log").write_text("x")
    assert source.key() == seen[0]
    for change in (
        lambda: (repository / "a.py").write_text("a = 3\n"),
        lambda: (repository / "a.py").chmod(0o755),
        lambda: (repository / "a.py").rename(repository / "b.py"),
        lambda: (repository / "link").symlink_to("b.py"),
    ):
        change()
        seen.append(source.key())
    assert len(set(seen)) == len(seen)


def test_a_subfolder_of_a_repository_is_a_tree_of_its_own(
    repository: Path, tmp_path: Path, check_sealed: Check
) -> None:
    (repository / "sub[1]").mkdir()
    (repository / "sub[1]" / "in.py").write_text("")
    (repository / "sub[1]" / "in.log").write_text("")
    make_source("./sub[1]", root=repository).checkout(tmp_path / "out")
    check_sealed(tmp_path / "out")
    assert files(tmp_path / "out") == ["in.py"]


def test_a_folder_that_its_repository_ignores_is_a_plain_folder(repository: Path, tmp_path: Path) -> None:
    (repository / "build" / "case").mkdir(parents=True)
    (repository / "build" / "case" / "a.py").write_text("")
    make_source(str(repository / "build" / "case")).checkout(tmp_path / "out")
    assert files(tmp_path / "out") == ["a.py"]


def test_a_plain_folder_leaves_out_what_is_made(tmp_path: Path, check_sealed: Check) -> None:
    for name in ("a.py", "pkg/b.py", "pkg/__pycache__/b.pyc", ".venv/x", "venv/x", "node_modules/x", "pkg/data.log"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text("")
    os.mkfifo(tmp_path / "in" / "pipe")
    make_source(str(tmp_path / "in")).checkout(tmp_path / "out")
    check_sealed(tmp_path / "out")
    assert files(tmp_path / "out") == ["a.py", "pkg/b.py", "pkg/data.log"]


def test_a_repository_inside_comes_along_without_its_git(
    repository: Path, tmp_path: Path, git: Git, check_sealed: Check
) -> None:
    git(repository / "inner", "init", "-q")
    (repository / "inner" / "in.py").write_text("")
    make_source(str(repository)).checkout(tmp_path / "out")
    check_sealed(tmp_path / "out")
    assert files(tmp_path / "out") == [".gitignore", "a.py", "gone.py", "inner/in.py"]
    assert not (tmp_path / "out" / "inner" / ".git").exists()


def test_the_users_own_ignore_file_does_not_count(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / ".config" / "git").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "git" / "ignore").write_text("*.py\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    (repository / "new.py").write_text("")
    make_source(str(repository)).checkout(tmp_path / "out")
    assert "new.py" in files(tmp_path / "out")


def test_a_commit_needs_a_repository(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(SpecError, match=r"base_commit: .* is not a git repository"):
        make_source(str(tmp_path / "plain"), "abc")


def test_a_folder_that_vanished_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = make_source(str(tmp_path / "in"))
    (tmp_path / "in").rmdir()
    with pytest.raises(SourceError, match=f"{tmp_path}/in: no such folder"):
        source.key()


def test_the_target_must_be_empty(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep")
    with pytest.raises(SourceError, match="is not empty"):
        make_source(str(repository)).checkout(tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "keep"
