"""The snapshot that attempts at a task fork: of a published image if it can be had, else built."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace

from pytest_swegym.environments.build import prepare_environment
from pytest_swegym.environments.build import title
from pytest_swegym.environments.prebuilt import prepare_prebuilt
from pytest_swegym.environments.repository import prepare_repository
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.errors import UnrunnableTask
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sources import Source
from pytest_swegym.task import EnvironmentSpec
from pytest_swegym.task import TaskSpec


log = logging.getLogger("pytest_swegym.environments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A repository snapshot, and in words what it was made of, for the record."""

    snapshot: Snapshot
    environment: str


def prepare(spec: TaskSpec, make_source: Callable[[], Source], backend: Backend, *, offline: bool = False) -> Ready:
    """The repository snapshot of a task. ``make_source`` is called only if the repository is not in the image.

    Raises :class:`SourceError`, :class:`EnvironmentBuildError`, :class:`SandboxError`, or :class:`UnrunnableTask` if
    the image cannot be had and nothing says how to build the environment instead.
    """
    image, why = spec.environment.prebuilt, ""
    if image is not None:
        try:
            return Ready(snapshot=prepare_prebuilt(spec, backend), environment=f"prebuilt {image}")
        except EnvironmentBuildError as error:
            why = str(error)
        spec = replace(spec, environment=replace(spec.environment, prebuilt=None))
        if not _can_be_built(spec.environment):
            raise UnrunnableTask(
                f"{spec.instance_id}: its image cannot be used ({_first_line(why)}), and nothing says how to build its "
                f"environment: give it environment.python (or a table in --swegym-environments=FILE), or make "
                f"{image!r} available"
            )
        log.info(
            "%s: building its environment, because its image cannot be used: %s", spec.instance_id, _first_line(why)
        )
    source = make_source()
    built, environment, why = _environment(spec, backend, offline, why)
    snapshot = prepare_repository(built, source, backend, environment, offline=offline)
    said = f" (not {'prebuilt' if image else spec.environment.image}: {_first_line(why)})" if why else ""
    return Ready(snapshot=snapshot, environment=f"{title(built)}{said}")


def _environment(spec: TaskSpec, backend: Backend, offline: bool, why: str) -> tuple[TaskSpec, Snapshot, str]:
    """The environment layer; where the image cannot be had and needs not be, of the backend's own base instead."""
    try:
        return spec, prepare_environment(spec, backend, offline=offline), why
    except EnvironmentBuildError as error:
        if spec.environment.image is None or not spec.environment.stand_in:
            raise
        why = str(error)
    log.info("%s: the sandbox's own programs stand in for image %s, which cannot be had: %s",
             spec.instance_id, spec.environment.image, _first_line(why))  # fmt: skip
    spec = replace(spec, environment=replace(spec.environment, image=None))
    return spec, prepare_environment(spec, backend, offline=offline), why


def _can_be_built(environment: EnvironmentSpec) -> bool:
    # Install commands alone do not say in which Python.
    return any((environment.image, environment.python, environment.packages))


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0]
