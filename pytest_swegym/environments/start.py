"""The state that a task's solver starts from, where it is more than a repository: files, and a script that makes it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.trees import text_mode
from pytest_swegym.environments.basegit import record_again
from pytest_swegym.environments.build import VERSION
from pytest_swegym.environments.steps import Build
from pytest_swegym.environments.steps import building
from pytest_swegym.environments.steps import finish
from pytest_swegym.environments.steps import made_once
from pytest_swegym.environments.variables import variables
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.base import shell_argv
from pytest_swegym.task import TaskSpec


log = logging.getLogger("pytest_swegym.environments")

_LOOK = 'for name; do command -v "$name" > /dev/null || printf "%s\\n" "$name"; done'


def place_files(tree: Path, files: Mapping[str, str]) -> None:
    """Write a task's own files into a host folder; those that begin with ``#!`` can be run."""
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        path.chmod(text_mode(text))


def require_programs(build: Build, spec: TaskSpec) -> None:
    """Raises :class:`EnvironmentBuildError` that names the programs of ``environment.needs`` that are not there."""
    if not spec.environment.needs:
        return
    missing = build.run(["sh", "-c", _LOOK, "sh", *spec.environment.needs], "looking for programs").output.split()
    if missing:
        raise EnvironmentBuildError(
            f"{spec.instance_id} needs {', '.join(missing)}, which its environment does not have: install it on this"
            " machine, or run in a sandbox whose image has it"
        )


def with_setup(spec: TaskSpec, snapshot: Snapshot, script: str, backend: Backend) -> Snapshot:
    """``snapshot`` after ``script`` ran in the workdir, by the task's shell and without network.

    Raises :class:`EnvironmentBuildError` with the script's output if it fails, or :class:`SandboxError`.
    """
    key = content_key("setup", VERSION, snapshot.key, spec.workdir, spec.shell, dict(spec.environment.env), script)

    def make() -> Snapshot:
        log.info("preparing %s: making its start state", spec.instance_id)
        with building(backend, snapshot, spec, network=False) as build:
            argv = shell_argv(script, spec.shell)
            env = {**variables(spec), **spec.environment.env}
            build.run(argv, f"{spec.instance_id}: setup", cwd=spec.workdir, env=env)
            record_again(build, spec.workdir)
            what = f"{spec.instance_id}: its start state"
            return finish(build, backend, key, env=snapshot.env, python=snapshot.python, kind="repository", title=what)

    return made_once(backend, key, make)
