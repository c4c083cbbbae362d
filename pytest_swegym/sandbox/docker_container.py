"""One container: made with every limit, ended with its owner, removed without a trace."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import docker_scripts as scripts
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.docker_agents import Agents
from pytest_swegym.sandbox.docker_client import daemon_errors
from pytest_swegym.sandbox.docker_client import remove_container
from pytest_swegym.sandbox.docker_client import wait_removed
from pytest_swegym.sandbox.docker_exec import Agent
from pytest_swegym.sandbox.docker_owner import LABEL
from pytest_swegym.sandbox.docker_owner import OWNER_LABEL
from pytest_swegym.sandbox.docker_owner import own_name
from pytest_swegym.sandbox.docker_stream import Stream


if TYPE_CHECKING:
    from docker import APIClient


log = logging.getLogger("pytest_swegym.sandbox")

#: Seconds for sh to answer in a new container on a busy machine, and for one that ends to be gone by itself.
_START, _GOING = 60.0, 5
#: Seconds to wait for the first process while it answers somebody else: a new agent takes no longer.
_TURN = 0.05
#: Seconds for which a container may answer nothing before that is a fault. One that is ending may kill what has just
#: started in it as well, before the daemon says that it is gone.
_SILENCE = 12.0


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
    """A running container. Its first process answers our own questions on a connection, with which it ends when we die.

    ``agents`` are its waiting shells, for the commands of others. ``threads`` see what has ended be gone.
    """

    def __init__(self, client: APIClient, plan: Plan, threads: Executor) -> None:
        self.name = f"swegym-{secrets.token_hex(6)}"
        self.agents = Agents(self._new_agent)
        self._client = client
        self._threads = threads
        self._first: Agent | None = None
        self._mute = False
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._ended = False
        with daemon_errors(f"starting a container of {plan.image}"):
            try:
                self._start(plan)
            except BaseException:
                self._hang_up()
                self._remove()
                raise

    def _start(self, plan: Plan) -> None:
        client = self._client
        bare = plan.network == "none" and _is_root(client, plan.image)
        made = client.create_container(
            plan.image,
            name=self.name,
            entrypoint=list(scripts.MAIN),
            stdin_open=True,
            hostname="sandbox",
            labels={LABEL: "1", OWNER_LABEL: own_name()},
            healthcheck={"test": ["NONE"]},
            # Half of a start goes into what the daemon does for the network called none: see hello().
            network_disabled=bare,
            host_config=self._host_config(plan),
        )
        stream = Stream(client.attach_socket(made["Id"], params={"stdin": 1, "stdout": 1, "stream": 1}))
        self._first = Agent(stream, lambda: None)
        client.start(made["Id"])
        mark = secrets.token_hex(8)
        if self._first.ask(scripts.hello(mark, hosts=bare), mark, timeout=_START) is None:
            raise SandboxError(f"sh did not start in a container of {plan.image}, or ended at once")

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
        """Whether its first process still holds our connection. For one that nobody uses yet."""
        return self._first is not None and self._first.waits

    @property
    def ended(self) -> bool:
        """Whether :meth:`end` was called."""
        return self._ended

    def ask(self, text: Callable[[str], str], *, timeout: float) -> tuple[int, int] | None:
        """Run a text of ours, which ends with the mark that it is given; ``None`` if nothing answers in time.

        Raises :class:`SandboxClosed` if the container has ended.
        """
        give_up = time.monotonic() + _SILENCE
        answer = self._answer(text, timeout)
        while answer is None:  # busy with another's question, or stopped or killed from inside
            agent = self.agent()
            mark = secrets.token_hex(8)
            answer = agent.ask(text(mark), mark, timeout=timeout)
            (self.agents.drop if answer is None else self.agents.give)(agent)
            if time.monotonic() >= give_up:
                break
        return answer

    def _answer(self, text: Callable[[str], str], timeout: float) -> tuple[int, int] | None:
        """What the first process says to it, if it does; one that once did not is asked no more."""
        first = self._first
        if first is None or self._mute or not self._asking.acquire(timeout=_TURN):
            return None
        try:
            mark = secrets.token_hex(8)
            answer = first.ask(text(mark), mark, timeout=timeout)
            if answer is None:
                # What stopped or killed it did not spare those that wait, and one that is stopped never says so.
                self._mute = True
                self.agents.clear()
        finally:
            self._asking.release()
        return answer

    def agent(self) -> Agent:
        """A waiting sh for commands; it is to go back to ``agents``.

        Raises :class:`SandboxClosed` if the container has ended.
        """
        with self._lock:
            if self._ended:
                raise SandboxClosed(f"sandbox {self.name} is closed")
        return self.agents.take()

    def _new_agent(self) -> Agent:
        try:
            return Agent.start(self._client, self.name)
        except SandboxClosed:
            raise SandboxClosed(f"sandbox {self.name} is gone: closed, or ended from inside") from None

    def end(self) -> None:
        """End every process; the container is removed in the background. Twice is fine."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self._hang_up()
        with suppress(RuntimeError):  # the pool is closed: it goes by itself, seen by nobody
            self._threads.submit(self._finish)

    def _hang_up(self) -> None:
        """The first process finds the end of its stdin, and everything ends with it."""
        self.agents.close()
        if self._first is not None:
            self._first.close()

    def _finish(self) -> None:
        """See it be gone. By itself it goes with less work for the daemon than when it is removed."""
        with suppress(SandboxError):
            if not self._mute and wait_removed(self._client, self.name, seconds=_GOING):
                return
        self._remove()

    def _remove(self) -> None:
        try:
            remove_container(self._client, self.name)
        except SandboxError:
            log.warning("container %s was not removed; 'swegym sweep' removes it", self.name, exc_info=True)


def _is_root(client: APIClient, image: str) -> bool:
    """Whether the commands of an image run as root, who can write to ``/etc``."""
    user = client.inspect_image(image)["Config"].get("User") or "root"  # type: ignore[no-untyped-call]
    return user.partition(":")[0] in ("root", "0")
