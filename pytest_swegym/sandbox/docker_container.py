"""One container: made with every limit, ended with its owner, removed without a trace."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from collections.abc import Mapping
from concurrent.futures import Executor
from concurrent.futures import wait
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import docker_scripts as scripts
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.docker_client import daemon_errors
from pytest_swegym.sandbox.docker_client import remove_container
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

    @property
    def repeatable(self) -> bool:
        """Whether a container may be made before it is asked for: a mount could be another folder by then."""
        return self.network == "none" and not self.mounts


class Container:
    """A running container whose first process waits on a connection of ours: when we die, so does it.

    ``threads`` prepares the agent of the next command while the present one runs, and removes what has ended.
    """

    def __init__(self, client: APIClient, plan: Plan, threads: Executor) -> None:
        self.name = f"swegym-{secrets.token_hex(6)}"
        self._client = client
        self._threads = threads
        self._held: Stream | None = None
        # A daemon hangs for ever if a container is paused while a command is starting in it.
        self._starting = threading.Lock()
        self._taking = threading.Lock()
        self._ended = False
        with daemon_errors(f"starting a container of {plan.image}"):
            try:
                self._start(plan)
            except BaseException:
                self._remove()
                raise
        self._next = threads.submit(self._new_agent)

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

    @property
    def alive(self) -> bool:
        """Whether its first process still holds our connection."""
        return self._held is not None and self._held.receive(0) is None

    def settle(self) -> None:
        """Wait until it can take its first command, or has failed."""
        wait([self._next])

    def agent(self) -> Agent:
        """A waiting sh for one command. Raises :class:`SandboxClosed` if the container has ended."""
        with self._taking:
            if self._ended:
                raise SandboxClosed(f"sandbox {self.name} is closed")
            ready = self._next
            self._next = self._threads.submit(self._new_agent)
        return ready.result()

    def _new_agent(self) -> Agent:
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

    def end(self) -> None:
        """End every process; the container is removed in the background. Twice is fine."""
        with self._taking:
            if self._ended:
                return
            self._ended = True
        if self._held is not None:
            self._held.close()
        self._threads.submit(self._finish)

    def _finish(self) -> None:
        self._remove()
        with suppress(SandboxError):
            self._next.result().close()

    def _remove(self) -> None:
        try:
            remove_container(self._client, self.name)
        except SandboxError:
            log.warning("container %s was not removed; 'swegym sweep' removes it", self.name, exc_info=True)
        finally:
            if self._held is not None:
                self._held.close()
