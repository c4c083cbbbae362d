"""Sandboxes in Docker containers; podman through its Docker-compatible socket."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.locks import key_lock
from pytest_swegym._support.shelf import Shelf
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.errors import SandboxError
from pytest_swegym.errors import SandboxUnavailable
from pytest_swegym.sandbox import docker_client
from pytest_swegym.sandbox import docker_images
from pytest_swegym.sandbox import docker_pull
from pytest_swegym.sandbox import docker_shipping
from pytest_swegym.sandbox import docker_snapshots
from pytest_swegym.sandbox import docker_store
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.base import Stored
from pytest_swegym.sandbox.docker_container import Container
from pytest_swegym.sandbox.docker_container import Plan
from pytest_swegym.sandbox.docker_ground import Ground
from pytest_swegym.sandbox.docker_pool import Pool
from pytest_swegym.sandbox.docker_pull import Pulls
from pytest_swegym.sandbox.docker_sandbox import DockerSandbox
from pytest_swegym.sandbox.sharing import Sharing
from pytest_swegym.sandbox.toolchain import specifiers
from pytest_swegym.task.spec import EnvironmentSpec


if TYPE_CHECKING:
    from docker import APIClient


class DockerBackend:
    """Sandboxes of the Docker daemon (``DOCKER_HOST`` is honoured), or of podman's with ``name="podman"``.

    ``image_template`` is the image for tasks that name a Python and no image; ``{python}`` in it is the version.
    By default ``$SWEGYM_DOCKER_IMAGE``, else ``python:{python}-slim``. ``registry`` and ``offline`` say how images are
    had, see :class:`Pulls`, or ``pulls`` says it all.
    """

    def __init__(
        self,
        name: str = "docker",
        *,
        image_template: str | None = None,
        registry: str = "",
        offline: bool = False,
        pulls: Pulls | None = None,
    ) -> None:
        self.name = name
        self._pulls = pulls or Pulls(registry=registry, offline=offline)
        self._template = image_template or os.environ.get("SWEGYM_DOCKER_IMAGE") or docker_images.TEMPLATE
        self._lock = threading.RLock()
        self._client: APIClient | None = None
        self._pool: Pool | None = None
        self._sandboxes: list[DockerSandbox] = []
        self._temporary: list[str] = []
        self._dropped: list[str] = []
        self._refused: dict[str, str] = {}
        self.sharing: Sharing | None = None
        self._pythons: dict[str, list[docker_images.Python]] = {}
        self._looking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def available(self) -> str | None:
        """``None`` if containers can be started here, else the reason and the way out."""
        try:
            self._connect()
        except SandboxUnavailable as error:
            return str(error)
        return None

    def describe(self) -> str:
        """The daemon's version and what its limits rest on."""
        facts = self._facts
        return f"{facts['ServerVersion']}, {facts['Driver']}, limits by cgroup v{facts.get('CgroupVersion', '1')}"

    def base(self, environment: EnvironmentSpec) -> Snapshot:
        """The task's image, or one that has its Python; see :class:`~pytest_swegym.sandbox.base.Backend`."""
        client = self._connect()
        if environment.image is not None:
            names = [environment.image]
        else:
            names = docker_images.candidates(
                self._template, environment.python, docker_images.local_tags(client, self._pulls.registry)
            )
        seen: list[str] = []
        for name in names:
            image = self._had(client, name, environment.stand_in)
            pythons = self._pythons_of(image)
            fitting = [p for p in pythons if _fits(p.version, environment.python)]
            if fitting or (environment.image is not None and environment.python is None):
                python = fitting[0].path if fitting else ""
                return Snapshot(
                    key=content_key("docker-image", image, python),
                    backend=self.name,
                    ref={"image": image},
                    python=python,
                )
            seen.append(f"{name} has {', '.join(p.version for p in pythons) or 'none'}")
        raise EnvironmentBuildError(
            f"no image with Python {environment.python!r}: {'; '.join(seen) or self._template + ' has no such version'}"
            "; set $SWEGYM_DOCKER_IMAGE, or give the task an image"
        )

    def _had(self, client: APIClient, name: str, stand_in: bool) -> str:
        """The id of an image, pulled if need be; where another stands in, it is asked for once and not for minutes."""
        if stand_in and name in self._refused:
            raise EnvironmentBuildError(self._refused[name])
        pulls = replace(self._pulls, tries=1) if stand_in else self._pulls
        try:
            return str(docker_pull.ensure(client, name, pulls, pulled=self._note_pull)["Id"])
        except EnvironmentBuildError as error:
            self._refused[name] = str(error)
            raise

    def find(self, key: str) -> Snapshot | None:
        """The saved snapshot of that key, if it is there and whole."""
        return docker_snapshots.find(self._connect(), self.name, key)

    def save(self, sandbox: Sandbox, key: str, *, env: Mapping[str, str], python: str) -> Snapshot:
        """Commit the container as the image of ``key``; see :class:`~pytest_swegym.sandbox.base.Backend`."""
        if not isinstance(sandbox, DockerSandbox):
            raise TypeError(f"{sandbox!r} is not a sandbox of {self.name}")
        sandbox.check_open()
        with key_lock(f"docker-{key}"):
            found = self.find(key)
            if found is None:
                container = sandbox.container
                found = docker_snapshots.save(self._connect(), self.name, container, key, env=env, python=python)
        sandbox.close()
        return found

    def start(
        self,
        snapshot: Snapshot,
        *,
        limits: SandboxLimits | None = None,
        network: bool = False,
        mounts: Mapping[str, Path] | None = None,
    ) -> DockerSandbox:
        """A running fork of ``snapshot``; see :class:`~pytest_swegym.sandbox.base.Backend`."""
        client = self._connect()
        local = docker_client.is_local(client)
        plan = Plan(
            image=snapshot.ref["image"],
            limits=self._possible(limits or SandboxLimits()),
            network=(os.environ.get("SWEGYM_DOCKER_NETWORK") or "bridge") if network else "none",
            mounts=tuple((inside, str(path.absolute())) for inside, path in (mounts or {}).items()) if local else (),
        )
        container = self._taken(plan)
        try:
            ground = Ground(client, container.name)
            sandbox = DockerSandbox(snapshot, container, self._freeze, release=self.hold(snapshot), ground=ground)
        except BaseException:
            container.end()
            raise
        with self._lock:
            self._sandboxes = [known for known in self._sandboxes if not known.closed] + [sandbox]
        if not local:
            _copy_mounts(sandbox, mounts or {})
        return sandbox

    def _taken(self, plan: Plan) -> Container:
        try:
            return self._containers.take(plan)
        except SandboxError:
            if not docker_client.came_back(self.name):
                raise
            return self._containers.take(plan)

    def sweep(self) -> list[str]:
        """Remove the containers and temporary images of dead processes; says what, a line each."""
        return docker_snapshots.sweep(self._connect())

    def stored(self) -> list[Stored]:
        """Saved and temporary snapshots, and the images that this package pulled; never a user's own."""
        return docker_store.stored(self._connect(), self.name, idle=self._containers.idle())

    def hold(self, snapshot: Snapshot) -> Callable[[], None]:
        """Keep a snapshot until the returned function is called."""
        return Shelf(self.name).use([snapshot.key], known=True).close

    def evict(self, key: str, *, unused_for: float) -> bool:
        """Remove a saved snapshot or a pulled image, unless it is in use or was in the last seconds."""
        self._containers.forget()
        return docker_store.evict(self._connect(), self.name, key, unused_for=unused_for)

    def _note_pull(self, image: str, image_id: str) -> None:
        docker_store.note_pull(self.name, image, image_id)

    def drop(self, snapshot: Snapshot) -> None:
        """Give up a temporary snapshot; its image goes at once, or when the last container of it is gone."""
        image = f"{docker_snapshots.TEMPORARY}:{snapshot.key}"
        with self._lock:
            if image not in self._temporary:
                return
            self._temporary.remove(image)
            waiting, self._dropped = [*self._dropped, image], []
        self._containers.forget(snapshot.ref["image"])
        # The daemon refuses while a container runs: then it is tried again with the next one, and at the end.
        left = [image for image in waiting if not docker_snapshots.remove(self._connect(), image)]
        with self._lock:
            self._dropped += left

    def platform(self, environment: EnvironmentSpec) -> str:
        """The daemon's kind of machine: images bring all else."""
        return f"{self._facts.get('OSType', '')}/{self._facts.get('Architecture', '')}"

    def kept(self) -> list[str]:
        """The keys of all saved snapshots."""
        return docker_shipping.kept(self._connect())

    def parcels(self, snapshot: Snapshot) -> list[str]:
        """The image of the snapshot, with all of its layers."""
        return [snapshot.key]

    def pack(self, key: str) -> Iterator[bytes]:
        """A saved snapshot as ``docker save`` writes it; see :class:`~pytest_swegym.sandbox.base.Shipper`."""
        return docker_shipping.pack(self._connect(), self.name, key)

    def unpack(self, key: str, chunks: Iterable[bytes]) -> Snapshot:
        """Load an image that another machine saved; see :class:`~pytest_swegym.sandbox.base.Shipper`."""
        return docker_shipping.unpack(self._connect(), self.name, key, chunks)

    def close(self) -> None:
        """End every sandbox that this object started, and drop temporary snapshots. Twice is fine."""
        with self._lock:
            sandboxes, self._sandboxes = self._sandboxes, []
            images, self._temporary, self._dropped = [*self._temporary, *self._dropped], [], []
            client, self._client = self._client, None
            pool, self._pool = self._pool, None
            self.__dict__.pop("_facts", None)
        for sandbox in sandboxes:
            sandbox.close()
        if pool is not None:
            pool.close()
        if client is not None:
            for image in images:
                docker_snapshots.remove(client, image)
            client.close()

    @cached_property
    def _facts(self) -> dict[str, Any]:
        with docker_client.daemon_errors("asking the daemon about itself"):
            facts: dict[str, Any] = self._connect().info()
        return facts

    def _connect(self) -> APIClient:
        with self._lock:
            if self._client is None:
                self._client = docker_client.connect(self.name)
            return self._client

    @property
    def _containers(self) -> Pool:
        with self._lock:
            if self._pool is None:
                self._pool = Pool(self._connect())
            return self._pool

    def _possible(self, limits: SandboxLimits) -> SandboxLimits:
        """The limits with no more processors than the daemon has: it refuses more."""
        cpus = min(limits.cpus, float(self._facts.get("NCPU") or limits.cpus))
        return SandboxLimits(memory_mb=limits.memory_mb, cpus=cpus, pids=limits.pids)

    def _pythons_of(self, image: str) -> list[docker_images.Python]:
        with self._lock:
            looking = self._looking[image]
        with looking:  # one look at each image, and different images at the same time
            if image not in self._pythons:
                snapshot = Snapshot(key=image, backend=self.name, ref={"image": image})
                container = self._containers.make(Plan(image=image, limits=self._possible(SandboxLimits())))
                with DockerSandbox(snapshot, container, self._freeze) as sandbox:
                    found = sandbox.exec(docker_images.find_pythons_argv(), timeout=60)
                self._pythons[image] = docker_images.parse_pythons(found.output)
            return self._pythons[image]

    def _freeze(self, sandbox: DockerSandbox) -> Snapshot:
        snapshot = docker_snapshots.freeze(self._connect(), sandbox.container, sandbox.snapshot_of)
        with self._lock:
            self._temporary.append(f"{docker_snapshots.TEMPORARY}:{snapshot.key}")
        return snapshot


def _fits(version: str, request: str | None) -> bool:
    return request is None or specifiers(request).contains(version, prereleases=True)


def _copy_mounts(sandbox: DockerSandbox, mounts: Mapping[str, Path]) -> None:
    """What cannot be bound from here into a container of another machine is copied."""
    for inside, path in mounts.items():
        if path.is_dir():
            sandbox.upload(path, inside)
        else:
            sandbox.write(inside, path.read_bytes(), mode=path.stat().st_mode & 0o777)
