"""A patch that belongs to the base state: data sets whose bug is made by one, on top of a repository that is right."""

from __future__ import annotations

import logging

from pytest_swegym._support.keys import content_key
from pytest_swegym.environments.basegit import BASE_GIT
from pytest_swegym.environments.basegit import TRUST
from pytest_swegym.environments.basegit import commit_tree
from pytest_swegym.environments.build import VERSION
from pytest_swegym.environments.repository import precompile
from pytest_swegym.environments.steps import Build
from pytest_swegym.environments.steps import building
from pytest_swegym.environments.steps import finish
from pytest_swegym.environments.steps import made_once
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.task import TaskSpec


log = logging.getLogger("pytest_swegym.environments")

#: Compiled code is a state before as well.
_FIND_COMPILED = ("find", ".", "-name", "__pycache__", "-prune")


def with_base_patch(spec: TaskSpec, snapshot: Snapshot, patch: str, backend: Backend) -> Snapshot:
    """``snapshot`` with ``patch`` applied to its repository, and no trace in git of how it was before.

    Raises :class:`EnvironmentBuildError` if the patch does not apply, or :class:`SandboxError`.
    """
    key = content_key("base patch", VERSION, snapshot.key, spec.workdir, patch)

    def make() -> Snapshot:
        log.info("preparing %s: applying the patch that makes its base", spec.instance_id)
        # Nothing is fetched here, and the repository's code runs when its tests are collected: no network.
        with building(backend, snapshot, spec, offline=True) as build:
            build.env.update(TRUST)
            paths = _tracked(build, spec.workdir) | _apply(build, spec.workdir, patch.encode())
            for git_dir in (f"{spec.workdir}/.git", BASE_GIT):
                _anew(build, git_dir, spec.workdir, sorted(paths))
            build.run([*_FIND_COMPILED, "-exec", "rm", "-rf", "{}", "+"], "removing compiled files", cwd=spec.workdir)
            precompile(build, spec, snapshot.python)
            what = f"{spec.instance_id}: with its base patch"
            return finish(build, backend, key, env=snapshot.env, python=snapshot.python, kind="repository", title=what)

    return made_once(backend, key, make)


def _tracked(build: Build, workdir: str) -> set[bytes]:
    listed = build.run(["git", "ls-files", "-s", "-z"], "listing the tree", cwd=workdir).stdout
    entries = [entry for entry in listed.split(b"\0") if entry and not entry.startswith(b"160000")]
    return {entry.split(b"\t", 1)[1] for entry in entries}


def _apply(build: Build, workdir: str, patch: bytes) -> set[bytes]:
    """Apply the patch; the paths it touches."""
    argv = ["git", "apply", "--whitespace=nowarn"]
    stat = build.run([*argv, "--numstat", "-z", "-"], "reading the base patch", cwd=workdir, stdin=patch).stdout
    build.run([*argv, "-"], "applying the base patch", cwd=workdir, stdin=patch)
    return {entry.split(b"\t", 2)[-1] for entry in stat.split(b"\0") if entry}


def _anew(build: Build, git_dir: str, workdir: str, paths: list[bytes]) -> None:
    """Make the repository's git data again from what is on disk: a second commit would tell the first."""
    exclude = build.run(["cat", f"{git_dir}/info/exclude"], "reading what git ignores").stdout
    build.run(["rm", "-rf", git_dir], "removing the state before")
    commit_tree(build, git_dir, workdir, paths, exclude)
