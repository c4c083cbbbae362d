"""Our own copy of the base state, inside every sandbox and out of the solver's way."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_swegym.environments.steps import Build
from pytest_swegym.sandbox.base import HOME


#: A bare repository with one commit: the tree as it was after the install commands. A patch is the difference from
#: it, whatever became of the repository's own ``.git``.
BASE_GIT = f"{HOME}/base.git"
#: What tests and tools leave behind. sdists come without a .gitignore, and a patch must not carry these.
EXCLUDE = (
    "__pycache__/", "*.py[co]", "*.egg-info/", ".eggs/", ".pytest_cache/", ".hypothesis/", ".tox/", ".nox/", ".venv/",
    ".coverage", ".coverage.*", ".mypy_cache/", ".ruff_cache/", "node_modules/", ".DS_Store",
)  # fmt: skip
#: An image's repository belongs to whom it belongs to: git must not refuse to read it.
TRUST = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
#: What is on disk is what counts: no attribute of the repository may change bytes on their way into git.
_ATTRIBUTES = "* -text !eol !ident !filter !working-tree-encoding\n"
_COMMIT_SCRIPT = """
set -e
base=$GIT_DIR
(unset GIT_DIR GIT_WORK_TREE; git init -q --bare "$base")
git config core.bare false
git config core.autocrlf false
git config core.hooksPath /dev/null
git config core.logAllRefUpdates false
git config gc.auto 0
git config advice.addEmbeddedRepo false
cat "$1" > "$GIT_DIR/info/exclude"
cat "$2" > "$GIT_DIR/info/attributes"
git update-index -z --add --remove --stdin
tree=$(git write-tree)
commit=$(git commit-tree -m base "$tree" < /dev/null)
git symbolic-ref HEAD refs/heads/main
git update-ref refs/heads/main "$commit"
"""
#: Where what git is to exclude, and the attributes of files, are handed to it: not in the workdir, which may be /tmp.
_NOTES = (f"{HOME}/base.exclude", f"{HOME}/base.attributes")
_FIND = ["find", ".", "(", "-name", ".git", "-prune", ")", "-o", "(", "-type", "f", "-o", "-type", "l", ")", "-print0"]
_IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "base"), ("EMAIL", "base@localhost"), ("DATE", "2000-01-01T00:00:00Z"))
}


def git_env(worktree: str) -> dict[str, str]:
    """The variables with which git works on ``BASE_GIT`` and the tree, and with nobody's configuration."""
    return {
        "GIT_DIR": BASE_GIT,
        "GIT_WORK_TREE": worktree,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }


def commit_tree(build: Build, git_dir: str, worktree: str, paths: Sequence[bytes], exclude: bytes) -> None:
    """Make ``git_dir`` a repository of one commit, of ``paths`` as they are on disk; ``exclude`` is what it ignores."""
    build.sandbox.write(_NOTES[0], exclude)
    build.sandbox.write(_NOTES[1], _ATTRIBUTES.encode())
    argv = ["sh", "-c", _COMMIT_SCRIPT, "sh", *_NOTES]
    env = {**git_env(worktree), "GIT_DIR": git_dir, **_IDENTITY}
    build.run(argv, "recording the base", cwd=worktree, env=env, stdin=b"".join(path + b"\0" for path in paths))


def record_base(build: Build, workdir: str) -> None:
    """Copy the state after the install commands into our own git folder, as one commit.

    Files that the install commands made are excluded from patches, files of the repository that they changed are not
    part of any patch, because the difference is taken from this state. Without a repository there all files count.
    """
    if build.sandbox.exec(["test", "-e", f"{workdir}/.git"]).exit_code != 0:
        found = build.run(_FIND, "listing the files", cwd=workdir).stdout
        commit_tree(build, BASE_GIT, workdir, _listed(found), _lines(EXCLUDE))
        build.run(["rm", "-f", *_NOTES], "tidying")
        return
    listed = build.run(["git", "ls-files", "-s", "-z"], "listing the tree", cwd=workdir).stdout
    tracked = [entry.split(b"\t", 1)[1] for entry in listed.split(b"\0") if entry and not entry.startswith(b"160000")]
    others = build.run(
        ["git", "ls-files", "-o", "-z", "--exclude-standard", "--directory"], "listing", cwd=workdir
    ).stdout
    made = [_pattern(path) for path in others.split(b"\0") if path]
    exclude = _lines(EXCLUDE) + b"".join(pattern + b"\n" for pattern in made)
    commit_tree(build, BASE_GIT, workdir, tracked, exclude)
    hide = 'mkdir -p .git/info; cat "$1" >> .git/info/exclude; rm -f "$@"'
    build.run(["sh", "-c", hide, "sh", *_NOTES], "excluding", cwd=workdir)


def record_again(build: Build, workdir: str) -> None:
    """Make our copy anew from what is on disk now; whatever git repositories are in the workdir stay as they are."""
    exclude = build.run(["cat", f"{BASE_GIT}/info/exclude"], "reading what git ignores").stdout
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = build.run(argv, "listing the tree", cwd=workdir, env=git_env(workdir)).stdout
    build.run(["rm", "-rf", BASE_GIT], "removing the state before")
    paths = [path for path in _listed(listed) if not path.endswith(b"/")]  # that would be a repository in it
    commit_tree(build, BASE_GIT, workdir, paths, exclude)
    build.run(["rm", "-f", *_NOTES], "tidying")


def _listed(output: bytes) -> list[bytes]:
    return sorted({path.removeprefix(b"./") for path in output.split(b"\0") if path})


def _lines(patterns: Sequence[str]) -> bytes:
    return "".join(f"{pattern}\n" for pattern in patterns).encode()


def _pattern(path: bytes) -> bytes:
    """A gitignore line that matches exactly this path."""
    escaped = b"".join(b"\\" + bytes([c]) if c in b"\\*?[ !#" else bytes([c]) for c in path)
    return b"/" + escaped
