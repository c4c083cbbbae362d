"""Published images with the repository inside: used as they are, but for the repository's history."""

from __future__ import annotations

import logging

from pytest_swegym._support.keys import content_key
from pytest_swegym.environments.activation import activation
from pytest_swegym.environments.basegit import EXCLUDE
from pytest_swegym.environments.basegit import TRUST
from pytest_swegym.environments.basegit import commit_tree
from pytest_swegym.environments.basegit import record_base
from pytest_swegym.environments.build import VERSION
from pytest_swegym.environments.programs import ensure_programs
from pytest_swegym.environments.repository import precompile
from pytest_swegym.environments.steps import Build
from pytest_swegym.environments.steps import building
from pytest_swegym.environments.steps import finish
from pytest_swegym.environments.steps import made_once
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.task import EnvironmentSpec
from pytest_swegym.task import TaskSpec


log = logging.getLogger("pytest_swegym.environments")

#: Raised whenever the way of preparing an image changes.
_VERSION = 2
# Prints what tells this project's history from others': its present and first commits, and the task's base.
_COMMITS = """
cd "$1" && git rev-parse -q --verify 'HEAD^{commit}' || exit 1
git rev-list --max-parents=0 HEAD 2>/dev/null | head -n 20
printf '%s\\n' "$2"
"""
# What images of R2E-Gym hold of their tasks' hidden part: its tests, the script that runs them, the fix as JSON. A
# tracked file of that name is the repository's own.
_TOLD = """
for name in r2e_tests run_tests.sh syn_issue.json expected_test_output.json execution_result.json parsed_commit.json \\
  modified_files.json modified_entities.json; do
  git ls-files --error-unmatch -- "$name" >/dev/null 2>&1 || rm -rf -- "./$name"
done
rm -rf /r2e_tests /root/r2e_tests /root/run_tests.sh
"""
# Removes the repository's own git data wherever it is, the stores that it borrows objects from, the git data of
# repositories inside it, and every other one of the image that has one of the commits on stdin.
_FORGET = """
set -e
cd "$1"
doomed() { case "$1" in "" | / | "$PWD") ;; *) printf '%s\\n' "$1" ;; esac; }
store() { if [ -f "$1/../HEAD" ]; then doomed "$(cd "$1/.." && pwd)"; else doomed "$1"; fi; }
commits=$(cat)
{
  doomed "$(git rev-parse --absolute-git-dir)"
  doomed "$(cd "$(git rev-parse --git-common-dir)" && pwd)"
  git count-objects -v | sed -n 's/^alternate: //p' | sed 's/^"\\(.*\\)"$/\\1/' | while IFS= read -r path; do
    if [ -d "$path" ]; then store "$path"; fi
  done
  find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /.swegym \\) -prune \
    -o -type d -name objects -print |
    while IFS= read -r path; do
      if [ -f "$path/../HEAD" ] && printf '%s\\n' "$commits" |
        git --git-dir="$path/.." cat-file --batch-check 2>/dev/null | grep -q ' commit '; then store "$path"; fi
    done
} > /tmp/swegym.doomed
while IFS= read -r path; do rm -rf -- "$path"; done < /tmp/swegym.doomed
rm -f /tmp/swegym.doomed
find . -name .git -prune -exec rm -rf {} +
"""


def prepare_prebuilt(spec: TaskSpec, backend: Backend) -> Snapshot:
    """The snapshot that attempts fork: the tree of the image ``environment.prebuilt`` as it stands at ``workdir``.

    Raises :class:`EnvironmentBuildError` if the image cannot be had or holds no such repository,
    :class:`SandboxError` if the backend failed.
    """
    base = backend.base(EnvironmentSpec(image=spec.environment.prebuilt))
    env = dict(spec.environment.env)
    key = content_key(
        "prebuilt", VERSION, _VERSION, base.key, spec.workdir, spec.base_commit, spec.runner, env, EXCLUDE
    )

    def make() -> Snapshot:
        log.info("preparing %s from image %s", spec.instance_id, spec.environment.prebuilt)
        # Nothing is fetched here, and the repository's code runs when its tests are collected: no network.
        with building(backend, base, spec, offline=True) as build:
            ensure_programs(build)
            active = activation(build, spec.workdir)
            build.env.update({**active, **env, **TRUST})
            _one_commit(build, spec)
            python = _python(build) or base.python
            precompile(build, spec, python)
            record_base(build, spec.workdir)
            what = f"{spec.instance_id}: {spec.environment.prebuilt}"
            every = {**base.env, **active, **env}
            return finish(build, backend, key, env=every, python=python, kind="repository", title=what)

    return made_once(backend, key, make)


def _one_commit(build: Build, spec: TaskSpec) -> None:
    """Replace the repository's git data by one commit of what it tracks, as it is on disk."""
    workdir = spec.workdir
    argv = ["sh", "-c", _COMMITS, "sh", workdir, spec.base_commit or ""]
    known = build.sandbox.exec(argv, env=build.env, timeout=build.timeout)
    top = build.sandbox.exec(["git", "rev-parse", "--show-prefix"], cwd=workdir, env=build.env)
    if known.exit_code != 0 or top.exit_code != 0 or top.output.strip():
        raise EnvironmentBuildError(
            f"the image {spec.environment.prebuilt!r} holds no git repository at {workdir}; set the task's workdir",
            output=f"{known.output}\n{top.output}".strip()[-2000:],
        )
    listed = build.run(["git", "ls-tree", "-r", "-z", "--full-tree", "HEAD"], "listing the tree", cwd=workdir).stdout
    entries = [entry.split(b"\t", 1) for entry in listed.split(b"\0") if entry]
    paths = [path for about, path in entries if not about.startswith(b"160000")]
    own = build.sandbox.exec(["sh", "-c", 'cat "$(git rev-parse --git-path info/exclude)"'], cwd=workdir, env=build.env)
    build.run(["sh", "-c", _TOLD], "removing the hidden tests", cwd=workdir)
    argv = ["sh", "-c", _FORGET, "sh", workdir]
    build.run(argv, "removing the repository's history", cwd=workdir, stdin=known.stdout)
    commit_tree(build, f"{workdir}/.git", workdir, paths, own.stdout if own.exit_code == 0 else b"")


def _python(build: Build) -> str:
    """The interpreter that the task's commands get."""
    argv = ["sh", "-c", "command -v python || command -v python3"]
    return build.sandbox.exec(argv, env=build.env).output.strip()
