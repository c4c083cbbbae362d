"""Where an environment build in a container starts: the image a task names, or one with a Python that fits."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.locks import key_lock
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox.docker_client import daemon_errors
from pytest_swegym.sandbox.toolchain import specifiers


if TYPE_CHECKING:
    from docker import APIClient


log = logging.getLogger("pytest_swegym.sandbox")

#: Where a Python is found when a task names none and no image.
TEMPLATE = "python:{python}-slim"
_MINORS = tuple(f"3.{minor}" for minor in range(14, 5, -1))
#: Seconds between two lines of a pull's progress.
_TELL = 3.0

# Prints path and version of every Python on PATH; $@ are the names to look for.
_FIND = """
for name in "$@"; do
  path=$(command -v "$name") || continue
  version=$("$path" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
  printf '%s %s\\n' "$version" "$path"
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """An interpreter inside an image."""

    path: str
    version: str


def find_pythons_argv() -> list[str]:
    """The command that prints the Pythons of an image, for :func:`parse_pythons`."""
    return ["sh", "-c", _FIND, "sh", "python", "python3", *(f"python{minor}" for minor in _MINORS)]


def parse_pythons(output: str) -> list[Python]:
    """The interpreters that :func:`find_pythons_argv` found, the image's own choice first."""
    lines = (line.split(" ", 1) for line in output.splitlines() if " /" in line)
    return [Python(path=path, version=version) for version, path in lines if version.startswith("3.")]


def candidates(template: str, request: str | None, local: Iterable[str]) -> list[str]:
    """The images of ``template`` that could bring the Python of ``request``: those already here first, then the newest.

    A version is put into the template as it stands; for a range it is every minor version that may satisfy it.
    """
    if "{python}" not in template:
        return [template]
    if request is not None and re.fullmatch(r"\d+\.\d+(\.\d+)?", request.strip()):
        return [template.replace("{python}", request.strip())]
    wanted = specifiers(request or ">=3.9")
    fitting = [minor for minor in _MINORS if any(wanted.contains(f"{minor}.{n}") for n in (0, 99))]
    names = [template.replace("{python}", minor) for minor in fitting]
    here = set(local)
    return sorted(names, key=lambda name: name not in here)


def ensure(client: APIClient, image: str) -> dict[str, Any]:
    """The image's description; it is pulled, once for all processes, if it is not here.

    Raises :class:`EnvironmentBuildError` if it cannot be had.
    """
    found = inspect(client, image)
    if found is None:
        with key_lock(f"pull-{content_key(image)}"):
            if inspect(client, image) is None:
                _pull(client, image)
        found = inspect(client, image)
    if found is None:
        raise EnvironmentBuildError(f"image {image!r} was pulled, but is not there")
    return found


def inspect(client: APIClient, image: str) -> dict[str, Any] | None:
    """The image's description, ``None`` if it is not here."""
    from docker.errors import ImageNotFound

    with daemon_errors(f"looking for image {image}"):
        try:
            found: dict[str, Any] = client.inspect_image(image)  # type: ignore[no-untyped-call]
        except ImageNotFound:
            return None
        return found


def local_tags(client: APIClient) -> set[str]:
    """The names of all images that are here."""
    with daemon_errors("listing images"):
        return {tag for image in client.images() for tag in image.get("RepoTags") or ()}


def _pull(client: APIClient, image: str) -> None:
    from docker.errors import APIError

    name, tag = split_name(image)
    log.info("pulling image %s", image)
    with daemon_errors(f"pulling image {image}"):
        try:
            for line in progress(client.pull(name, tag=tag, stream=True, decode=True)):
                log.info("pulling image %s: %s", image, line)
        except (APIError, EnvironmentBuildError) as error:
            raise EnvironmentBuildError(
                f"image {image!r} is not on this machine and cannot be pulled; check its name, "
                f"or bring it here (docker pull, docker load)",
                output=str(getattr(error, "explanation", None) or error),
            ) from error


def split_name(image: str) -> tuple[str, str | None]:
    """Name and tag; without a tag it is ``latest``, and a digest stays with its name."""
    if "@" in image:
        return image, None
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "latest")


def progress(events: Iterable[dict[str, Any]], *, every: float = _TELL) -> Iterator[str]:
    """Now and then, how far a pull has come. Raises :class:`EnvironmentBuildError` for the daemon's refusal."""
    layers: dict[str, tuple[int, int]] = {}
    done: set[str] = set()
    told = time.monotonic()
    for event in events:
        if "error" in event:
            raise EnvironmentBuildError(event["error"])
        layer, detail = event.get("id", ""), event.get("progressDetail") or {}
        if event.get("status") == "Downloading" and detail.get("total"):
            layers[layer] = (detail["current"], detail["total"])
        elif event.get("status") in ("Pull complete", "Already exists"):
            done.add(layer)
        if time.monotonic() - told >= every:
            told = time.monotonic()
            here, total = (sum(pair[i] for pair in layers.values()) for i in (0, 1))
            yield f"{here / 2**20:.0f} of {total / 2**20:.0f} MiB, {len(done)} layers done"
