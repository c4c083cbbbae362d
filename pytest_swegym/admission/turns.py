"""So many at a time, in the order in which they asked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import nullcontext
from typing import ParamSpec
from typing import TypeVar

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox.scope import Scope


P = ParamSpec("P")
R = TypeVar("R")


class Turns:
    """``count`` slots; who asks waits for its turn, and who asked first has the first. Safe to use from many threads.

    ``longest`` and ``waited`` tell how long anybody had to wait, at most and in all, in seconds, for so many ``given``.
    """

    def __init__(self, count: int) -> None:
        self.count = max(1, count)
        self.longest = self.waited = 0.0
        self.given = 0
        self._free = self.count
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def take(self, scope: Scope | None = None) -> Iterator[None]:
        """Hold a slot. Raises :class:`SandboxClosed` if ``scope`` is closed before there is one, or the run."""
        started = time.monotonic()
        self._enter(scope)
        waited = time.monotonic() - started
        with self._lock:
            self.given += 1
            self.waited += waited
            self.longest = max(self.longest, waited)
        try:
            yield
        finally:
            self._give(1)

    @contextmanager
    def spare(self, most: int) -> Iterator[int]:
        """Up to ``most`` slots that nobody waits for, and how many these are: none is waited for."""
        with self._lock:
            found = 0 if self._waiting or self._closed else max(0, min(most, self._free))
            self._free -= found
        try:
            yield found
        finally:
            self._give(found)

    def lent(self, call: Callable[P, R]) -> Callable[P, R]:
        """``call``, which waits for somebody else: a slot that its caller holds is for others meanwhile.

        It raises :class:`SandboxClosed` besides, if the run is over when the slot is wanted back.
        """

        def calling(*given: P.args, **named: P.kwargs) -> R:
            self._give(1)
            try:
                return call(*given, **named)
            finally:
                self._enter(None, over=-1)

        return calling

    def close(self) -> None:
        """Nobody gets a slot any more; who waits for one is told."""
        with self._lock:
            self._closed = True
            waiting = list(self._waiting)
        for ticket in waiting:
            ticket.set()

    def _enter(self, scope: Scope | None, *, over: int = 0) -> None:
        """Wait for a slot; so many are ``over`` if there will be none."""
        ticket = threading.Event()
        with self._lock:
            if self._free > 0 and not self._waiting and not self._closed:
                self._free -= 1
                return
            self._waiting.append(ticket)
            if self._closed:
                ticket.set()
        with scope.calling(ticket.set) if scope is not None else nullcontext():
            ticket.wait()
        with self._lock:
            if ticket not in self._waiting:
                return  # whoever left has handed its slot over
            self._waiting.remove(ticket)
            self._free += over
        raise SandboxClosed("the attempt was cancelled while it waited for a core")

    def _give(self, count: int) -> None:
        with self._lock:
            self._free += count
            while self._free > 0 and self._waiting and not self._closed:
                self._free -= 1
                self._waiting.popleft().set()


__all__ = ["Turns"]
