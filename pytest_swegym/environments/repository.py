"""The repository layer: the checkout, its install commands, and our own copy of the base state."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.locks import key_lock
from pytest_swegym.environments.basegit import git_env
from pytest_swegym.environments.build import VERSION
from pytest_swegym.environments.steps import Build
from pytest_swegym.environments.steps import building
from pytest_swegym.environments.steps import finish
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sources import Source
from pytest_swegym.task import TaskSpec


log = logging.getLogger("pytest_swegym.environments")

#: What tests and tools leave behind. sdists come without a .gitignore, and a patch must not carry these.
_EXCLUDE = (
    "__pycache__/", "*.py[co]", "*.egg-info/", ".eggs/", ".pytest_cache/", ".hypothesis/", ".tox/", ".nox/", ".venv/",
    ".coverage", ".coverage.*", ".mypy_cache/", ".ruff_cache/", "node_modules/", ".DS_Store",
)  # fmt: skip
#: What is on disk is what counts: no attribute of the repository may change bytes on their way into git.
_ATTRIBUTES = "* -text !eol !ident !filter !working-tree-encoding\n"
_BASE_SCRIPT = """
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
_IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "base"), ("EMAIL", "base@localhost"), ("DATE", "2000-01-01T00:00:00Z"))
}


def prepare_repository(spec: TaskSpec, source: Source, backend: Backend, environment: Snapshot) -> Snapshot:
    """The snapshot that attempts fork: the tree at its base commit, installed. Built once per content.

    Raises :class:`SourceError`, :class:`EnvironmentBuildError` or :class:`SandboxError`.
    """
    install = list(spec.environment.install)
    key = content_key(
        "repository", VERSION, environment.key, source.key(), spec.workdir, spec.runner, install, _EXCLUDE
    )
    found = backend.find(key)
    if found is not None:
        return found
    with key_lock(f"build-{backend.name}-{key}"):
        found = backend.find(key)
        if found is not None:
            return found
        log.info("preparing %s (%s)", spec.instance_id, source.description)
        with (
            building(backend, environment, spec) as build,
            tempfile.TemporaryDirectory(prefix="swegym-") as folder,
        ):
            tree = Path(folder) / "tree"
            source.checkout(tree)
            build.sandbox.upload(tree, spec.workdir)
            for command in install:
                build.shell(command, f"install: {command}", cwd=spec.workdir)
            _precompile(build, spec, environment.python)
            _record_base(build, spec.workdir)
            return finish(build, backend, key, env=environment.env, python=environment.python)


def _record_base(build: Build, workdir: str) -> None:
    """Copy the state after the install commands into our own git folder, as one commit.

    Files that the install commands made are excluded from patches, files of the repository that they changed are not
    part of any patch, because the difference is taken from this state.
    """
    listed = build.run(["git", "ls-files", "-s", "-z"], "listing the tree", cwd=workdir).stdout
    tracked = [entry.split(b"\t", 1)[1] for entry in listed.split(b"\0") if entry and not entry.startswith(b"160000")]
    others = build.run(
        ["git", "ls-files", "-o", "-z", "--exclude-standard", "--directory"], "listing", cwd=workdir
    ).stdout
    made = [_pattern(path) for path in others.split(b"\0") if path]
    exclude = b"\n".join([*(pattern.encode() for pattern in _EXCLUDE), *made]) + b"\n"
    sandbox = build.sandbox
    sandbox.write("/tmp/swegym.exclude", exclude)
    sandbox.write("/tmp/swegym.attributes", _ATTRIBUTES.encode())
    build.env.update({**git_env(workdir), **_IDENTITY})
    argv = ["sh", "-c", _BASE_SCRIPT, "sh", "/tmp/swegym.exclude", "/tmp/swegym.attributes"]
    build.run(argv, "recording the base", cwd=workdir, stdin=b"".join(path + b"\0" for path in tracked))
    hide = 'cat "$1" >> .git/info/exclude; rm -f /tmp/swegym.exclude /tmp/swegym.attributes'
    build.run(["sh", "-c", f"mkdir -p .git/info; {hide}", "sh", "/tmp/swegym.exclude"], "excluding", cwd=workdir)


def _pattern(path: bytes) -> bytes:
    """A gitignore line that matches exactly this path."""
    escaped = b"".join(b"\\" + bytes([c]) if c in b"\\*?[ !#" else bytes([c]) for c in path)
    return b"/" + escaped


def _precompile(build: Build, spec: TaskSpec, python: str) -> None:
    """Byte-compile the tree once, the tests as pytest rewrites them, so that no fork does it again.

    What does not compile or collect is the tests' business, not the build's.
    """
    if not python:
        return
    build.sandbox.exec([python, "-m", "compileall", "-q", spec.workdir], timeout=build.timeout)
    if spec.runner == "pytest":
        argv = [python, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        build.sandbox.exec(argv, cwd=spec.workdir, env=spec.environment.env, timeout=min(build.timeout, 120))
