"""Git sources: one commit of a repository, from a server, a mirror folder or a folder."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym._support.paths import cache_dir
from pytest_swegym.errors import SourceError
from pytest_swegym.sources import make_source


Git = Callable[..., str]
Check = Callable[[Path], str]


@pytest.fixture
def history(tmp_path: Path, git: Git) -> tuple[Path, list[str]]:
    """A repository of three commits with a tag, a branch, a note and a hook, and the shas."""
    folder = tmp_path / "owner" / "name"
    git(folder, "init", "-q", "-b", "trunk")
    commits = []
    for number in range(3):
        (folder / f"file{number}.txt").write_text(f"{number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"commit {number}")
        commits.append(git(folder, "rev-parse", "HEAD"))
    git(folder, "tag", "v1", commits[0])
    git(folder, "branch", "side", commits[1])
    return folder, commits


@pytest.fixture
def served(history: tuple[Path, list[str]], git_server: Any, git: Git) -> tuple[Any, list[str]]:
    git(history[0], "clone", "-q", "--bare", ".", str(git_server.folder / "owner" / "name.git"))
    return git_server, history[1]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".git")


def test_a_commit_of_a_folder(history: tuple[Path, list[str]], tmp_path: Path, check_sealed: Check) -> None:
    folder, commits = history
    (folder / "file0.txt").write_text("changed since")
    source = make_source(str(folder), commits[1])
    source.checkout(tmp_path / "out")
    assert check_sealed(tmp_path / "out") == commits[1]
    assert names(tmp_path / "out") == ["file0.txt", "file1.txt"]
    assert (tmp_path / "out" / "file0.txt").read_text() == "0\n"


@pytest.mark.parametrize("name", ["v1", "side", None, "short"])
def test_tags_branches_and_short_names(
    history: tuple[Path, list[str]], tmp_path: Path, check_sealed: Check, name: str | None
) -> None:
    folder, commits = history
    wanted = {"v1": commits[0], "side": commits[1], None: commits[2], "short": commits[1]}[name]
    source = make_source(str(folder / ".git"), commits[1][:10] if name == "short" else name)
    source.checkout(tmp_path / "out")
    assert check_sealed(tmp_path / "out") == wanted
    assert source.key() == make_source(str(folder), wanted).key()


def test_a_commit_that_does_not_exist_is_named_with_repo_and_place(
    history: tuple[Path, list[str]], tmp_path: Path
) -> None:
    source = make_source(str(history[0]), "f" * 40)
    with pytest.raises(SourceError, match=f"{history[0]}.*'{'f' * 40}' does not exist in {history[0]}/.git"):
        source.checkout(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_code_of_the_repository_runs(history: tuple[Path, list[str]], tmp_path: Path, git: Git) -> None:
    folder, _ = history
    proof = tmp_path / "ran"
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "pre-commit"):
        script = folder / ".git" / "hooks" / hook
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\ntouch {proof}\n")
        script.chmod(0o755)
    for setting in ("core.fsmonitor", "filter.evil.smudge", "filter.evil.clean", "core.pager", "core.sshCommand"):
        git(folder, "config", setting, f"touch {proof}; cat")
    (folder / ".gitattributes").write_text("* filter=evil\n")
    proof.unlink(missing_ok=True)
    for commit in (None, "HEAD"):
        source = make_source(str(folder), commit)
        source.key()
        source.checkout(tmp_path / f"out{commit}")
    assert not proof.exists()


def test_a_server_is_cloned_once(served: tuple[Any, list[str]], tmp_path: Path, check_sealed: Check) -> None:
    server, commits = served
    url = f"{server.url}/owner/name.git"
    make_source(url, commits[1]).checkout(tmp_path / "one")
    assert check_sealed(tmp_path / "one") == commits[1]
    asked = len(server.requests)
    make_source(url, commits[0]).checkout(tmp_path / "two")
    assert check_sealed(tmp_path / "two") == commits[0]
    assert len(server.requests) == asked


def test_a_newer_commit_is_fetched(served: tuple[Any, list[str]], tmp_path: Path, history: Any, git: Git) -> None:
    server, commits = served
    url = f"{server.url}/owner/name.git"
    make_source(url, commits[2]).key()
    (history[0] / "new.txt").write_text("new")
    git(history[0], "add", ".")
    git(history[0], "commit", "-q", "-m", "new")
    git(history[0], "push", "-q", str(server.folder / "owner" / "name.git"), "trunk")
    newest = git(history[0], "rev-parse", "HEAD")
    make_source(url, newest).checkout(tmp_path / "out")
    assert names(tmp_path / "out")[-1] == "new.txt"
    assert make_source(url).key() == make_source(url, newest).key()


def test_one_source_keeps_its_answer_while_the_branch_moves(
    served: tuple[Any, list[str]], tmp_path: Path, git: Git, check_sealed: Check
) -> None:
    server, commits = served
    source = make_source(f"{server.url}/owner/name.git", "side")
    key = source.key()
    git(server.folder / "owner" / "name.git", "update-ref", "refs/heads/side", commits[2])
    assert source.key() == key
    source.checkout(tmp_path / "out")
    assert check_sealed(tmp_path / "out") == commits[1]
    assert make_source(f"{server.url}/owner/name.git", "side").key() != key


def test_a_commit_on_no_branch_is_asked_for_by_name(
    served: tuple[Any, list[str]], tmp_path: Path, git: Git, check_sealed: Check
) -> None:
    server, commits = served
    bare = server.folder / "owner" / "name.git"
    lost = git(bare, "commit-tree", "-m", "a pull request", f"{commits[0]}^{{tree}}", "-p", commits[0])
    git(bare, "update-ref", "refs/pull/1/head", lost)
    git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
    make_source(f"{server.url}/owner/name.git", lost).checkout(tmp_path / "out")
    assert check_sealed(tmp_path / "out") == lost


def test_an_absent_commit_names_the_mirror(served: tuple[Any, list[str]]) -> None:
    with pytest.raises(SourceError, match=rf"name\.git@{'a' * 40}: commit .* does not exist in {cache_dir('mirrors')}"):
        make_source(f"{served[0].url}/owner/name.git", "a" * 40).key()


def test_an_interrupted_clone_leaves_no_half_mirror(served: tuple[Any, list[str]], tmp_path: Path) -> None:
    server, commits = served
    source = make_source(f"{server.url}/owner/name.git", commits[0])
    server.broken = True
    with pytest.raises(SourceError, match="git fetch failed"):
        source.checkout(tmp_path / "out")
    partial = [path for path in cache_dir("mirrors").iterdir() if not path.name.endswith(".partial")]
    assert partial == []
    server.broken = False
    source.checkout(tmp_path / "out")
    assert names(tmp_path / "out") == ["file0.txt"]
    assert len(list(cache_dir("mirrors").iterdir())) == 1


def test_many_at_once_clone_once(served: tuple[Any, list[str]], tmp_path: Path) -> None:
    server, commits = served
    url = f"{server.url}/owner/name.git"
    jobs = [(make_source(url, commits[n % 3]), tmp_path / f"out{n}") for n in range(6)]
    threads = [threading.Thread(target=source.checkout, args=(target,)) for source, target in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(names(target)) for _, target in jobs] == [1, 2, 3, 1, 2, 3]
    assert sum(path == "/owner/name.git/git-upload-pack" for path in server.requests) == 3  # refs, objects, HEAD


def test_offline_uses_the_mirror_and_nothing_else(served: tuple[Any, list[str]], tmp_path: Path) -> None:
    server, commits = served
    url = f"{server.url}/owner/name.git"
    with pytest.raises(SourceError, match="offline is set"):
        make_source(url, commits[0], offline=True).key()
    make_source(url, commits[0]).key()
    make_source(url, commits[0]).checkout(tmp_path / "one")
    asked = len(server.requests)
    make_source(url, offline=True).checkout(tmp_path / "two")
    with pytest.raises(SourceError, match="offline is set"):
        make_source(url, "b" * 40, offline=True).key()
    assert len(server.requests) == asked


def test_owner_name_goes_to_the_url_of_the_environment(
    served: tuple[Any, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, commits = served
    monkeypatch.setenv("SWEGYM_GIT_URL", server.url + "/{repo}.git")
    make_source("owner/name", commits[0]).checkout(tmp_path / "out")
    assert names(tmp_path / "out") == ["file0.txt"]
    monkeypatch.setenv("SWEGYM_GIT_URL", str(server.folder) + "/{repo}.git")
    assert (
        make_source("owner/name", commits[0]).key()
        == make_source(str(served[0].folder / "owner/name.git"), commits[0]).key()
    )


@pytest.mark.parametrize("form", ["owner__name", "owner__name.git", "owner/name", "owner/name.git"])
@pytest.mark.parametrize(
    "repo", ["owner/name", "https://host.invalid/owner/name.git", "git@host.invalid:owner/name.git"]
)
def test_a_mirror_folder_is_used_and_only_read(
    history: tuple[Path, list[str]], tmp_path: Path, git: Git, check_sealed: Check, form: str, repo: str
) -> None:
    folder, commits = history
    mirror = tmp_path / "mirror"
    git(folder, "clone", "-q", "--bare", ".", str(mirror / form))
    before = {path: path.stat().st_mtime_ns for path in mirror.rglob("*")}
    make_source(repo, commits[1], mirror=mirror).checkout(tmp_path / "out")
    assert check_sealed(tmp_path / "out") == commits[1]
    assert {path: path.stat().st_mtime_ns for path in mirror.rglob("*")} == before
    with pytest.raises(SourceError, match=f"does not exist in {mirror}"):
        make_source(repo, "c" * 40, mirror=mirror).key()


def test_a_repository_that_the_mirror_folder_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"owner/name: not in the mirror folder .* looked for owner__name, "):
        make_source("owner/name", mirror=tmp_path)


def test_credentials_in_a_url_are_not_shown_or_kept(served: tuple[Any, list[str]]) -> None:
    server, _ = served
    url = server.url.replace("://", "://me:s3cr3t@") + "/owner/absent.git"
    source = make_source(url, "a" * 40)
    with pytest.raises(SourceError) as caught:
        source.key()
    kept = "".join(str(path) for path in cache_dir().rglob("*"))
    assert "s3cr3t" not in str(caught.value) + source.description + repr(source) + kept


def test_line_endings_follow_the_repository(tmp_path: Path, git: Git, check_sealed: Check) -> None:
    """A git repository's attributes are part of it: its files look as after a git clone."""
    folder = tmp_path / "repo"
    git(folder, "init", "-q")
    (folder / ".gitattributes").write_text("*.bat text eol=crlf\n")
    (folder / "a.bat").write_bytes(b"echo\r\n")
    (folder / "b.txt").write_bytes(b"one\r\ntwo\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "x")
    make_source(str(folder), "HEAD").checkout(tmp_path / "out")
    check_sealed(tmp_path / "out")
    assert (tmp_path / "out" / "a.bat").read_bytes() == b"echo\r\n"
    assert (tmp_path / "out" / "b.txt").read_bytes() == b"one\r\ntwo\n"


def test_submodules_are_left_alone(
    history: tuple[Path, list[str]], tmp_path: Path, git: Git, check_sealed: Check
) -> None:
    folder, commits = history
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{commits[0]},vendored")
    (folder / ".gitmodules").write_text('[submodule "vendored"]\n\tpath = vendored\n\turl = file:///nowhere\n')
    git(folder, "add", ".gitmodules")
    git(folder, "commit", "-q", "-m", "submodule")
    make_source(str(folder), "HEAD").checkout(tmp_path / "out")
    assert list((tmp_path / "out" / "vendored").iterdir()) == []
    assert check_sealed(tmp_path / "out") == git(folder, "rev-parse", "HEAD")


def test_a_linked_working_tree_has_the_commits_of_its_repository(
    history: tuple[Path, list[str]], tmp_path: Path, git: Git, check_sealed: Check
) -> None:
    folder, commits = history
    git(folder, "worktree", "add", "-q", str(tmp_path / "linked"), "side")
    make_source(str(tmp_path / "linked"), commits[2]).checkout(tmp_path / "out")
    assert check_sealed(tmp_path / "out") == commits[2]
    make_source(str(tmp_path / "linked")).checkout(tmp_path / "stands")
    assert names(tmp_path / "stands") == ["file0.txt", "file1.txt"]


def test_git_missing_is_said(history: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "env").symlink_to(shutil.which("env") or "")
    source = make_source(str(history[0]), "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(SourceError, match="git is needed on this machine"):
        source.key()
