"""The repository layer: the checkout, its install commands, and our own copy of the base state."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym.environments.basegit import EXCLUDE
from pytest_swegym.environments.basegit import record_base
from pytest_swegym.environments.build import VERSION
from pytest_swegym.environments.start import place_files
from pytest_swegym.environments.start import require_programs
from pytest_swegym.environments.steps import Build
from pytest_swegym.environments.steps import building
from pytest_swegym.environments.steps import finish
from pytest_swegym.environments.steps import made_once
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sources import Source
from pytest_swegym.task import TaskSpec
from pytest_swegym.task.check import RUNNER as CHECKS


log = logging.getLogger("pytest_swegym.environments")


def prepare_repository(
    spec: TaskSpec, source: Source, backend: Backend, environment: Snapshot, *, offline: bool = False
) -> Snapshot:
    """The snapshot that attempts fork: the tree at its base commit, installed. Built once per content.

    Raises :class:`SourceError`, :class:`EnvironmentBuildError` or :class:`SandboxError`.
    """
    install = list(spec.environment.install)
    own = [dict(spec.files), list(spec.environment.needs)]
    parts = [environment.key, source.key(), spec.workdir, spec.runner, install, EXCLUDE, *(own if any(own) else ())]
    key = content_key("repository", VERSION, *parts)

    def make() -> Snapshot:
        log.info("preparing %s (%s)", spec.instance_id, source.description)
        with (
            building(backend, environment, spec, offline=offline, network=bool(install)) as build,
            tempfile.TemporaryDirectory(prefix="swegym-") as folder,
        ):
            tree = Path(folder) / "tree"
            require_programs(build, spec)
            source.checkout(tree)
            place_files(tree, spec.files)
            build.sandbox.upload(tree, spec.workdir)
            for command in install:
                build.shell(command, f"install: {command}", cwd=spec.workdir)
            precompile(build, spec, environment.python)
            record_base(build, spec.workdir)
            what = f"{spec.instance_id}: {source.description}"
            return finish(
                build, backend, key, env=environment.env, python=environment.python, kind="repository", title=what
            )

    return made_once(backend, key, make)


def precompile(build: Build, spec: TaskSpec, python: str) -> None:
    """Byte-compile the tree once, the tests as pytest rewrites them, so that no fork does it again.

    What does not compile or collect is the tests' business, not the build's.
    """
    if not python or spec.runner == CHECKS:
        return
    # Python tells compiled code by its source's second and size: a patch within this second must not look the same.
    recent = ["find", ".", "-name", "*.py", "-type", "f", "-mmin", "-60"]
    build.sandbox.exec(
        [*recent, "-exec", "touch", "-d", "@1577836800", "{}", "+"], cwd=spec.workdir, timeout=build.timeout
    )
    build.sandbox.exec([python, "-m", "compileall", "-q", spec.workdir], timeout=build.timeout)
    # How a pytest that is under test rewrites them, a patch may change.
    itself = ["sh", "-c", "[ -e _pytest/assertion/rewrite.py ] || [ -e src/_pytest/assertion/rewrite.py ]"]
    if spec.runner == "pytest" and build.sandbox.exec(itself, cwd=spec.workdir).exit_code != 0:
        argv = [python, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        build.sandbox.exec(argv, cwd=spec.workdir, env=spec.environment.env, timeout=min(build.timeout, 120))
