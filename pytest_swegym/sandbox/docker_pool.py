"""Containers started ahead of their sandboxes, so that the next fork of a snapshot is there at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.docker_container import Container
from pytest_swegym.sandbox.docker_container import Plan


if TYPE_CHECKING:
    from docker import APIClient


#: Containers that wait at once, one per plan; the one whose plan was used longest ago gives way.
SIZE = 2


class Pool:
    """Starts the containers of one daemon, and keeps one in reserve for each of the plans used last."""

    def __init__(self, client: APIClient) -> None:
        self._client = client
        # A job waits for none but earlier ones, so that the threads never wait for each other.
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="swegym-docker")
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Plan, Future[Container]] = OrderedDict()

    def make(self, plan: Plan) -> Container:
        """A new container of ``plan``."""
        return Container(self._client, plan, self._threads)

    def take(self, plan: Plan) -> Container:
        """A container of ``plan``; another is started behind its back, if such a one may be wanted again."""
        with self._lock:
            ready = self._waiting.pop(plan, None)
        container = self._usable(ready) or self.make(plan)
        if plan.repeatable:
            self._reserve(plan, container)
        return container

    def close(self) -> None:
        """Remove what waits, and see what has ended be gone. Twice is fine."""
        self.forget()
        self._threads.shutdown()

    def idle(self) -> set[str]:
        """The names of the containers that wait."""
        with self._lock:
            ready = [future for future in self._waiting.values() if future.done() and future.exception() is None]
        return {future.result().name for future in ready}

    def forget(self, image: str | None = None) -> None:
        """Give up what waits, of one image or of all: it may be about to go."""
        with self._lock:
            plans = [plan for plan in self._waiting if image in (None, plan.image)]
            waiting = [self._waiting.pop(plan) for plan in plans]
        for future in waiting:
            self._drop(future)

    def _usable(self, ready: Future[Container] | None) -> Container | None:
        """The container that waited, unless it could not be made or has ended meanwhile."""
        if ready is None:
            return None
        with suppress(SandboxError):
            container = ready.result()
            if container.alive:
                return container
            container.end()
        return None

    def _reserve(self, plan: Plan, first: Container) -> None:
        with self._lock:
            if plan in self._waiting:
                return
            self._waiting[plan] = self._threads.submit(self._make_after, first, plan)
            surplus = [self._waiting.popitem(last=False)[1] for _ in range(len(self._waiting) - SIZE)]
        for future in surplus:
            self._threads.submit(self._drop, future)

    def _make_after(self, first: Container, plan: Plan) -> Container:
        """A container in reserve, which must not slow down the one that is wanted now."""
        first.settle()
        return self.make(plan)

    def _drop(self, future: Future[Container]) -> None:
        with suppress(SandboxError):
            future.result().end()
