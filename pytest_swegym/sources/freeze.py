"""A folder becomes a repository of one commit, the same commit for the same content everywhere."""

from __future__ import annotations

from pathlib import Path

from pytest_swegym.sources.plumbing import GitDir
from pytest_swegym.sources.plumbing import init


#: In force over every .gitattributes of the tree: git stores and writes each file byte for byte.
NEUTRAL_ATTRIBUTES = "* -text !eol !filter !ident !working-tree-encoding !diff !merge !export-subst !export-ignore\n"


def freeze(folder: Path) -> str:
    """Commit everything in ``folder`` (ignored files too) as its one commit, on ``main``, and return its sha.

    ``folder`` holds no ``.git`` yet, at any depth.
    """
    repository = init(folder / ".git", work_tree=folder)
    info = folder / ".git" / "info"
    info.mkdir(exist_ok=True)
    (info / "attributes").write_text(NEUTRAL_ATTRIBUTES)
    repository.run("add", "--all", "--force", "--", ".")
    tree = repository.text("write-tree")
    commit = repository.text("commit-tree", "-m", "base", tree)
    repository.run("update-ref", "refs/heads/main", commit)
    repository.run("repack", "-a", "-d", "-q", "--window=0")  # one file instead of thousands, to be copied around
    return commit


def graft(store: GitDir, commit: str, folder: Path) -> None:
    """Check ``commit`` of ``store`` out into ``folder``, with that commit (same sha) as its whole history.

    ``store`` is only read.
    """
    repository = init(folder / ".git", work_tree=folder, sha256=len(commit) == 64)
    listed = store.run("rev-list", "--objects", "--no-walk", commit)
    wanted = b"".join(line[: len(commit)] + b"\n" for line in listed.splitlines())
    packs = folder / ".git" / "objects" / "pack"
    packs.mkdir(parents=True, exist_ok=True)
    # Run in the new repository, which borrows the store's objects for this one command: git makes a temporary file
    # in the repository it runs in, and the store may be read-only.
    borrowed = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": store.text("rev-parse", "--git-path", "objects")}
    repository.run("pack-objects", "-q", str(packs / "pack"), stdin=wanted, env=borrowed)
    (folder / ".git" / "shallow").write_text(commit + "\n")
    repository.run("update-ref", "refs/heads/main", commit)
    repository.run("read-tree", "--reset", "-u", commit)
