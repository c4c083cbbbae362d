"""The waiting shells of one container: kept for the next command where that is safe, started anew where it is not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_swegym.sandbox.docker_exec import Agent


#: Waiting shells that one container keeps; what more commands at the same time leave over are hung up.
KEPT = 4


class Agents:
    """Gives out waiting shells and takes them back; ``start`` makes a new one. Safe to use from several threads."""

    def __init__(self, start: Callable[[], Agent]) -> None:
        self._start = start
        self._lock = threading.Lock()
        # A daemon hangs for ever if a container is paused while a command is starting in it.
        self._starting = threading.Lock()
        self._idle: list[Agent] = []
        self._taken = 0
        self._closed = False
        #: How many were taken at the same time, at most.
        self.most = 0

    def take(self) -> Agent:
        """One that nobody else holds; to be given back, or dropped. Raises as ``start`` does."""
        with self._lock:
            self._taken += 1
            self.most = max(self.most, self._taken)
        while True:
            with self._lock:
                agent = self._idle.pop() if self._idle else None
            if agent is None:
                return self._new()
            if agent.waits:
                return agent
            agent.close()  # killed from inside, or somebody wrote on its output

    def give(self, agent: Agent) -> None:
        """Take one back that has nothing left to tell."""
        with self._lock:
            self._taken -= 1
        self._keep(agent)

    def drop(self, agent: Agent) -> None:
        """Hang up one that was taken, and cannot serve another."""
        with self._lock:
            self._taken -= 1
        agent.close()

    def provide(self, count: int) -> None:
        """See that so many wait. Raises as ``start`` does."""
        while True:
            with self._lock:
                if self._closed or len(self._idle) >= count:
                    return
            self._keep(self._new())

    def _keep(self, agent: Agent) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < KEPT:
                self._idle.append(agent)
                return
        agent.close()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """None starts meanwhile, so that the daemon may pause the container."""
        with self._starting:
            yield

    def clear(self) -> None:
        """Hang up all that wait: the next ones are started anew."""
        with self._lock:
            idle, self._idle = self._idle, []
        for agent in idle:
            agent.close()

    def close(self) -> None:
        """Hang up all that wait, and keep none any more. Twice is fine."""
        with self._lock:
            self._closed = True
        self.clear()

    def _new(self) -> Agent:
        with self._starting:
            return self._start()
