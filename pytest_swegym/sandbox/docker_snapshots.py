"""Snapshots as images: saved under their key, or temporary; and the removal of what dead processes left."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_swegym._support.shelf import Shelf
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import docker_owner as owner
from pytest_swegym.sandbox import docker_pull
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.docker_client import daemon_errors
from pytest_swegym.sandbox.docker_client import remove_container


if TYPE_CHECKING:
    from docker import APIClient

    from pytest_swegym.sandbox.docker_container import Container


log = logging.getLogger("pytest_swegym.sandbox")

SAVED = "pytest-swegym/snapshot"
TEMPORARY = "pytest-swegym/temporary"
#: What the daemon calls an image that lost its tag: no name to remove it by.
_UNTAGGED = "<none>:<none>"
#: Seconds for a container of a dead process to be removed.
_PATIENCE = 30.0


def find(client: APIClient, backend: str, key: str) -> Snapshot | None:
    """The saved snapshot of that key. The tag comes last, so an image that has it is whole."""
    image = docker_pull.inspect(client, f"{SAVED}:{key}")
    labels = (image or {}).get("Config", {}).get("Labels") or {}
    if image is None or labels.get(owner.KEY_LABEL) != key:
        return None
    kept = json.loads(labels[owner.SNAPSHOT_LABEL])
    Shelf(backend).use([key]).close()
    return Snapshot(key=key, backend=backend, ref={"image": image["Id"]}, env=kept["env"], python=kept["python"])


def save(
    client: APIClient, backend: str, container: Container, key: str, *, env: Mapping[str, str], python: str
) -> Snapshot:
    """Commit a container as the snapshot ``key``."""
    labels = {
        owner.KEY_LABEL: key,
        owner.SNAPSHOT_LABEL: json.dumps({"env": dict(env), "python": python}),
        owner.TEMPORARY_LABEL: "",
    }
    Shelf(backend).use([key]).close()
    image = _commit(client, container, SAVED, key, labels)
    return Snapshot(key=key, backend=backend, ref={"image": image}, env=dict(env), python=python)


def freeze(client: APIClient, container: Container, origin: Snapshot) -> Snapshot:
    """Commit a container as a temporary snapshot."""
    name = secrets.token_hex(8)
    image = _commit(client, container, TEMPORARY, name, {owner.TEMPORARY_LABEL: owner.own_name()})
    return Snapshot(key=name, backend=origin.backend, ref={"image": image}, env=origin.env, python=origin.python)


def _commit(client: APIClient, container: Container, repository: str, tag: str, labels: Mapping[str, str]) -> str:
    # The container's own labels and command are part of what is committed, unless something else is given.
    conf = {"Labels": {owner.LABEL: "1", owner.OWNER_LABEL: "", **labels}, "Entrypoint": [], "Cmd": ["sh"]}
    with daemon_errors(f"freezing container {container.name}"), container.agents.quiet():
        image: str = client.commit(container.name, repository=repository, tag=tag, conf=conf)["Id"]
    return image


def remove(client: APIClient, image: str) -> bool:
    """Remove a temporary image, given as its tag: what was saved on top of it keeps the layers it needs.

    Says whether it is gone: not while a container of it runs.
    """
    from docker.errors import ImageNotFound

    try:
        with daemon_errors(f"removing image {image}"):
            try:
                client.remove_image(image, force=True)
            except ImageNotFound:
                return True
    except SandboxError:
        log.debug("image %s was not removed", image, exc_info=True)
        return False
    return True


def _removed(client: APIClient, container: str) -> bool:
    """Remove a container; false if the daemon is not done in time: what was stopped as it started can hold it."""
    thread = threading.Thread(target=_quietly_remove, args=(client, container), name="swegym-sweep", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return not thread.is_alive()


def _quietly_remove(client: APIClient, container: str) -> None:
    try:
        remove_container(client, container)
    except SandboxError:
        log.debug("container %s was not removed", container, exc_info=True)


def sweep(client: APIClient) -> list[str]:
    """Remove the containers and temporary images whose process is dead; says what, a line each."""
    swept: list[str] = []
    with daemon_errors("sweeping"):
        for container in client.containers(all=True, filters={"label": owner.LABEL}):
            if owner.is_dead(container["Labels"].get(owner.OWNER_LABEL, "")):
                name = container["Names"][0].lstrip("/")
                if _removed(client, container["Id"]):
                    swept.append(f"container {name}")
                else:
                    log.warning("container %s does not end, and is left: restart the daemon to be rid of it", name)
        for image in client.images(filters={"label": owner.TEMPORARY_LABEL}):
            if owner.is_dead(image["Labels"].get(owner.TEMPORARY_LABEL, "")):
                tags = [tag for tag in image.get("RepoTags") or () if tag != _UNTAGGED]
                swept += [f"temporary image {name}" for name in tags or [image["Id"]] if remove(client, name)]
    return swept
