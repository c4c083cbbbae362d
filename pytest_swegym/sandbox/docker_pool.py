"""Containers started ahead of their sandboxes, as many as are likely to be asked for: a fork is there at once."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections import deque
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.docker_container import Container
from pytest_swegym.sandbox.docker_container import Plan
from pytest_swegym.sandbox.docker_demand import Demand


if TYPE_CHECKING:
    from docker import APIClient


log = logging.getLogger("pytest_swegym.sandbox")

#: Containers that wait at once, of all plans together; each takes about 5 MiB, most of it the daemon's.
SIZE = 16
#: Containers that are made ahead at the same time.
MAKERS = 2
#: Seconds after a container was taken in which nothing is done behind its back: it is wanted now.
QUIET = 0.1
#: Waiting shells of a container in reserve, at most: an episode's own, one that looks at its files, one for commands.
SHELLS = 3
#: Seconds between two looks at what is no longer wanted.
_LOOK = 5.0


@dataclass(slots=True)
class _Spare:
    """A container in reserve, or on its way, with so many waiting ``shells``."""

    made: Future[Container]
    shells: int = 1

    @property
    def ready(self) -> bool:
        return self.made.done() and self.made.exception() is None

    def drop(self) -> None:
        """End it, made or not: what it came to is nobody's any more."""
        self.made.add_done_callback(_end)


class _Shelf:
    """What waits of one plan; it has ``missed`` if the last one who asked for one had to wait."""

    def __init__(self) -> None:
        self.demand = Demand(SIZE)
        self.spares: deque[_Spare] = deque()
        self.given: deque[Container] = deque(maxlen=4)
        self.missed = False

    def few(self) -> _Spare | None:
        """A spare with fewer shells than the last ones that were taken had use for."""
        wanted = min(SHELLS, max((each.agents.most for each in self.given), default=1))
        return next((spare for spare in self.spares if spare.ready and spare.shells < wanted), None)


class Pool:
    """Starts the containers of one daemon, and keeps some in reserve for the plans used last. Close it."""

    def __init__(self, client: APIClient) -> None:
        self._client = client
        self._makers = ThreadPoolExecutor(MAKERS, thread_name_prefix="swegym-docker-make")
        self._removers = ThreadPoolExecutor(8, thread_name_prefix="swegym-docker-end")
        self._changed = threading.Condition()
        self._shelves: OrderedDict[Plan, _Shelf] = OrderedDict()
        self._taken, self._takers = 0.0, 0
        self._keeper: threading.Thread | None = None
        self._closed = False

    def make(self, plan: Plan) -> Container:
        """A new container of ``plan``."""
        return Container(self._client, plan, self._removers)

    def take(self, plan: Plan) -> Container:
        """A container of ``plan``, one that waited if there is one; more are made ready if it can be wanted again."""
        if not plan.repeatable:
            return self.make(plan)
        with self._changed:
            known = plan in self._shelves
            shelf = self._shelves.setdefault(plan, _Shelf())
            self._shelves.move_to_end(plan)
            spare = shelf.spares.popleft() if shelf.spares else None
            shelf.missed = known and not (spare and spare.ready)
            shelf.demand.note(time.monotonic())
            self._takers += 1
            self._told()
        try:
            container = self._usable(spare) or self.make(plan)
            with self._changed:
                shelf.given.append(container)
            return container
        finally:
            with self._changed:
                self._takers -= 1
                self._taken = time.monotonic()
                self._told()

    def idle(self) -> set[str]:
        """The names of the containers that wait."""
        with self._changed:
            spares = [spare for shelf in self._shelves.values() for spare in shelf.spares if spare.ready]
        return {spare.made.result().name for spare in spares}

    def forget(self, image: str | None = None) -> None:
        """Give up what waits, of one image or of all: it may be about to go."""
        with self._changed:
            plans = [plan for plan in self._shelves if image in (None, plan.image)]
            spares = [spare for plan in plans for spare in self._shelves.pop(plan).spares]
        for spare in spares:
            spare.drop()

    def close(self) -> None:
        """Remove what waits, and see what has ended be gone. Twice is fine."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._keeper is not None:
            self._keeper.join()
        self.forget()
        self._makers.shutdown()
        self._removers.shutdown()

    def _usable(self, spare: _Spare | None) -> Container | None:
        """The container that waited, unless it could not be made or has ended meanwhile."""
        if spare is None:
            return None
        with suppress(SandboxError):
            container = spare.made.result()
            if container.alive:
                return container
            container.end()
        return None

    # -- behind the back of those who take ---------------------------------------------------------

    def _told(self) -> None:
        if self._keeper is None and not self._closed:
            # A daemon thread: a program that ends without close() ends, and its containers with it.
            self._keeper = threading.Thread(target=self._keep, name="swegym-docker-pool", daemon=True)
            self._keeper.start()
        self._changed.notify()

    def _keep(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                now = time.monotonic()
                surplus = self._surplus(now)
                spare, pause = (None, 0.0) if surplus else self._wanting(now)
                if not surplus and spare is None:
                    self._changed.wait(pause if self._shelves else None)
            for each in surplus:
                each.drop()
            if spare is not None:
                self._add_shell(spare)

    def _surplus(self, now: float) -> list[_Spare]:
        """Takes away what is no longer worth keeping; the plan used last keeps most."""
        surplus, left = [], SIZE
        for plan, shelf in reversed(list(self._shelves.items())):
            depth = min(shelf.demand.depth(now), left)
            left -= depth
            while len(shelf.spares) > depth:
                surplus.append(shelf.spares.pop())
            if not shelf.demand.depth(now):
                del self._shelves[plan]
        return surplus

    def _wanting(self, now: float) -> tuple[_Spare | None, float]:
        """Begins to make what is wanted. A spare that is to get another shell, or how long there is nothing to do."""
        making = sum(not spare.made.done() for shelf in self._shelves.values() for spare in shelf.spares)
        left, calm = SIZE, _LOOK if self._takers else QUIET - (now - self._taken)
        for plan, shelf in reversed(self._shelves.items()):
            depth = min(shelf.demand.depth(now), left)
            left -= depth
            while len(shelf.spares) < depth and making < MAKERS and (calm <= 0 or shelf.missed):
                try:
                    made = self._makers.submit(self._reserve, plan)
                except RuntimeError:  # the interpreter is ending
                    self._closed = True
                    return None, 0.0
                shelf.spares.append(_Spare(made))
                made.add_done_callback(self._wake)
                making += 1
        if calm > 0 or making:
            return None, calm if calm > 0 else _LOOK
        return next((spare for shelf in self._shelves.values() if (spare := shelf.few())), None), _LOOK

    def _reserve(self, plan: Plan) -> Container:
        container = self.make(plan)
        with suppress(SandboxError):  # whoever takes it will see
            container.agents.provide(1)
        return container

    def _wake(self, _: object) -> None:
        with self._changed:
            self._changed.notify()

    def _add_shell(self, spare: _Spare) -> None:
        spare.shells += 1
        try:
            spare.made.result().agents.provide(spare.shells)
        except Exception:  # whoever takes it will see, and this thread has others to look after
            log.debug("a container in reserve got no other shell", exc_info=True)


def _end(made: Future[Container]) -> None:
    if made.exception() is None:
        made.result().end()
