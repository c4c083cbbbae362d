"""One container: made with every limit, ended with its owner, removed without a trace."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import docker_scripts as scripts
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.docker_client import daemon_errors
from pytest_swegym.sandbox.docker_exec import Agent
from pytest_swegym.sandbox.docker_owner import LABEL
from pytest_swegym.sandbox.docker_owner import OWNER_LABEL
from pytest_swegym.sandbox.docker_owner import own_name
from pytest_swegym.sandbox.docker_stream import Stream


if TYPE_CHECKING:
    from docker import APIClient


log = logging.getLogger("pytest_swegym.sandbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a container is to be made; ``network`` is a mode of the daemon's, ``cpus`` no more than it has."""

    image: str
    limits: SandboxLimits
    network: str = "none"
    mounts: tuple[tuple[str, str], ...] = ()


class Container:
    """A running container whose first process waits on a connection of ours: when we die, so does it."""

    def __init__(self, client: APIClient, plan: Plan) -> None:
        self.plan = plan
        self.name = f"swegym-{secrets.token_hex(6)}"
        self._client = client
        self._held: Stream | None = None
        # A daemon hangs for ever if a container is paused while a command is starting in it.
        self._starting = threading.Lock()
        with daemon_errors(f"starting a container of {plan.image}"):
            try:
                self._start(plan)
            except BaseException:
                self.remove()
                raise

    def _start(self, plan: Plan) -> None:
        client = self._client
        made = client.create_container(
            plan.image,
            name=self.name,
            entrypoint=list(scripts.MAIN),
            stdin_open=True,
            hostname="sandbox",
            labels={LABEL: "1", OWNER_LABEL: own_name()},
            healthcheck={"test": ["NONE"]},
            host_config=self._host_config(plan),
        )
        self._held = Stream(client.attach_socket(made["Id"], params={"stdin": 1, "stream": 1}))
        client.start(made["Id"])

    def _host_config(self, plan: Plan) -> Mapping[str, object]:
        from docker.types import LogConfig
        from docker.types import Mount

        memory = plan.limits.memory_mb * 2**20
        mounts = [Mount(target, source, type="bind", read_only=True) for target, source in plan.mounts]
        config: Mapping[str, object] = self._client.create_host_config(
            init=True,
            auto_remove=True,
            network_mode=plan.network,
            mem_limit=memory,
            memswap_limit=memory,
            nano_cpus=int(plan.limits.cpus * 1e9),
            pids_limit=plan.limits.pids,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mounts=mounts,
            log_config=LogConfig(type="none"),
        )
        return config

    def agent(self) -> Agent:
        """A waiting sh for one command. Raises :class:`SandboxClosed` if the container has ended."""
        try:
            with self._starting:
                return Agent.start(self._client, self.name)
        except SandboxClosed:
            raise SandboxClosed(f"sandbox {self.name} is gone: closed, or ended from inside") from None

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """No command starts meanwhile, so that the daemon may pause the container."""
        with self._starting:
            yield

    def remove(self) -> None:
        """End every process and remove the container. Twice is fine; never raises."""
        from docker.errors import APIError

        try:
            with daemon_errors(f"removing container {self.name}"), suppress(SandboxClosed):
                try:
                    self._client.remove_container(self.name, force=True, v=True)
                except APIError as error:
                    if error.status_code not in (404, 409):  # gone, or going
                        raise
        except SandboxError:
            log.warning("container %s was not removed; 'swegym sweep' removes it", self.name, exc_info=True)
        finally:
            if self._held is not None:
                self._held.close()
