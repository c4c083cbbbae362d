"""Saved images on their way to another daemon: as ``docker save`` writes them, after a line that says what they are."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import docker_owner as owner
from pytest_swegym.sandbox import docker_snapshots
from pytest_swegym.sandbox import shipping
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.docker_client import daemon_errors


if TYPE_CHECKING:
    from docker import APIClient


def kept(client: APIClient) -> list[str]:
    """The keys of all saved snapshots."""
    with daemon_errors("listing images"):
        images = client.images(name=docker_snapshots.SAVED, filters={"label": owner.KEY_LABEL})
    return sorted({(image.get("Labels") or {})[owner.KEY_LABEL] for image in images})


def pack(client: APIClient, backend: str, key: str) -> Iterator[bytes]:
    """The image of a saved snapshot, with all of its layers."""
    if docker_snapshots.find(client, backend, key) is None:
        raise SandboxError(f"there is no snapshot {key} to be packed")
    with daemon_errors(f"saving the image of snapshot {key}"):
        image = client.get_image(f"{docker_snapshots.SAVED}:{key}", chunk_size=shipping.CHUNK)
        yield from shipping.sent(backend, key, image)


def unpack(client: APIClient, backend: str, key: str, chunks: Iterable[bytes]) -> Snapshot:
    """Load an image that another daemon saved; it must be the one that it is said to be."""
    found = docker_snapshots.find(client, backend, key)
    if found is not None:
        return found
    said, body = shipping.received(key, chunks)
    with daemon_errors(f"loading the image of snapshot {key}"):
        # The daemon tells what it does while it reads: all of that must be heard.
        told = [line for line in client.load_image(filter(None, body)) if "error" in line]  # type: ignore[no-untyped-call]
    found = docker_snapshots.find(client, backend, key)
    if told or found is None:
        raise SandboxError(f"snapshot {key} could not be loaded: {told or 'the image is another one'}"[:2000])
    shipping.note(backend, key, said)
    return found
