"""The environment layer: a Python with packages, or an image with more on top, built once per content key."""

from __future__ import annotations

import logging

from pytest_swegym._support.keys import content_key
from pytest_swegym.environments.programs import ensure_programs
from pytest_swegym.environments.steps import UV
from pytest_swegym.environments.steps import Build
from pytest_swegym.environments.steps import building
from pytest_swegym.environments.steps import finish
from pytest_swegym.environments.steps import made_once
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox.base import VENV
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sources import OFFLINE
from pytest_swegym.task import TaskSpec
from pytest_swegym.task.check import RUNNER as CHECKS


log = logging.getLogger("pytest_swegym.environments")

#: Raised whenever the way of building changes, so that old layers are not taken for new ones.
VERSION = 4
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def prepare_environment(spec: TaskSpec, backend: Backend, *, offline: bool = False) -> Snapshot:
    """The snapshot with everything but the repository; built if no process built it before.

    Raises :class:`EnvironmentBuildError` (a step failed, with its output; ``offline`` and not built yet) or
    :class:`SandboxError`.
    """
    base = backend.base(spec.environment)
    packages = requirements(spec)
    wanted = {
        "packages": packages,
        "pre_install": spec.environment.pre_install,
        "env": dict(spec.environment.env),
    }
    own = needs_virtualenv(spec)
    key = content_key("environment", VERSION, base.key, own, wanted)

    def make() -> Snapshot:
        if offline and (packages or own):
            what = f"{title(spec)} with {', '.join(packages) or 'pip'}"
            raise EnvironmentBuildError(
                f"the environment of {spec.instance_id} ({what}) is not built yet, and {OFFLINE}"
            )
        log.info("building the environment of %s (%s)", spec.instance_id, title(spec))
        network = bool(own or packages or spec.environment.pre_install)
        with building(backend, base, spec, offline=offline, network=network) as build:
            python = _install(build, spec, base, packages)
            env = {**_environment(base, own=own), **spec.environment.env}
            more = f" with {', '.join(packages)}" if packages else ""
            what = f"{spec.instance_id}: {title(spec)}{more}"
            return finish(build, backend, key, env=env, python=python, kind="environment", title=what)

    return made_once(backend, key, make)


def needs_virtualenv(spec: TaskSpec) -> bool:
    """Whether a virtualenv is made: not in an image, nor for checks that ask for no Python of their own."""
    wanted = spec.environment
    return wanted.image is None and (spec.runner != CHECKS or bool(wanted.python or wanted.packages))


def requirements(spec: TaskSpec) -> tuple[str, ...]:
    """The task's packages, and pytest if it is the runner, no requirement names it and no image brings it."""
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement

    packages = spec.environment.packages
    if spec.runner != "pytest" or spec.environment.image is not None:
        return packages
    for package in packages:
        try:
            if Requirement(package).name.lower() == "pytest":
                return packages
        except InvalidRequirement:
            continue  # a URL or an option: the installer judges it
    return ("pytest", *packages)


def _install(build: Build, spec: TaskSpec, base: Snapshot, packages: tuple[str, ...]) -> str:
    """Run the recipe; returns the task's interpreter."""
    ensure_programs(build)
    python = base.python
    if needs_virtualenv(spec):
        python = _virtualenv(build, base.python)
        build.env.update(_environment(base, own=True))
    if packages:
        if not python:
            raise EnvironmentBuildError(f"the image {spec.environment.image!r} has no Python to install packages with")
        _packages(build, python, packages)
    for command in spec.environment.pre_install:
        build.shell(command, f"pre_install: {command}")
    return python


def _virtualenv(build: Build, python: str) -> str:
    """A virtualenv with pip, by uv where it knows that Python, else by the interpreter's own venv (3.6, 3.7)."""
    if _uv_works(build, python):
        build.run([UV, "venv", "--seed", "--python", python, VENV], "creating the virtualenv")
    else:
        build.run([python, "-m", "venv", VENV], "creating the virtualenv")
        build.run([f"{VENV}/bin/python", "-m", "pip", "install", "-q", "-U", "pip"], "upgrading pip")
    return f"{VENV}/bin/python"


def _packages(build: Build, python: str, packages: tuple[str, ...]) -> None:
    what = f"installing {', '.join(packages)}"
    if _uv_works(build, python):
        system = () if python.startswith(VENV) else ("--system", "--break-system-packages")
        build.run([UV, "pip", "install", "--python", python, *system, *packages], what, level=logging.INFO)
    else:
        build.run([python, "-m", "pip", "install", "-q", *packages], what, level=logging.INFO)


def _uv_works(build: Build, python: str) -> bool:
    """uv needs a C library it was linked for, and a Python of 3.8 or newer."""
    code = "import sys; sys.exit(sys.version_info < (3, 8))"
    if build.sandbox.exec([python, "-c", code]).exit_code != 0:
        return False
    return build.sandbox.exec([UV, "--version"]).exit_code == 0


def _environment(base: Snapshot, *, own: bool) -> dict[str, str]:
    """The variables of every command in the environment: the base's, the virtualenv activated."""
    path = base.env.get("PATH", _DEFAULT_PATH)
    if not own:
        return dict(base.env)
    return {**base.env, "PATH": f"{VENV}/bin:{path}", "VIRTUAL_ENV": VENV}


def title(spec: TaskSpec) -> str:
    """What an environment is made of, in a few words."""
    return spec.environment.image or f"Python {spec.environment.python or 'of this machine'}"
