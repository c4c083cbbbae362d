"""Where finished attempts wait to be taken, in a thread or in asyncio; who brings one too many waits as well."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic
from typing import TypeVar


T = TypeVar("T")


class Inbox(Generic[T]):
    """At most ``size`` things that were put in and not taken out. Safe to use from many threads and event loops.

    So many things are *due*: announced by :meth:`expect`, and neither taken nor called off.
    """

    def __init__(self, size: int) -> None:
        self._size = max(1, size)
        self._things: deque[T] = deque()
        self._due = 0
        self._changed = threading.Condition()
        self._wakers: list[Callable[[], None]] = []
        self._closed = False

    def expect(self, count: int = 1) -> None:
        """So many more are due; fewer, with a negative count."""
        with self._changed:
            self._due += count
            self._wake()

    def put(self, thing: T, *, wait: bool = True) -> None:
        """Bring a thing that is due; waits while there is no room. Dropped once the inbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: not wait or self._closed or len(self._things) < self._size)
            if not self._closed:
                self._things.append(thing)
                self._wake()

    def get(self, timeout: float | None = None) -> T | None:
        """The next thing; ``None`` if nothing is due, or if ``timeout`` seconds have passed."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._ready():
                left = None if until is None else until - time.monotonic()
                if (left is not None and left <= 0) or not self._changed.wait(left):
                    break
            return self._taken()

    async def aget(self) -> T | None:
        """The next thing; ``None`` if nothing is due. Nothing is lost when the waiting task is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            woken = asyncio.Event()

            def wake(woken: asyncio.Event = woken) -> None:
                with contextlib.suppress(RuntimeError):  # its loop has ended
                    loop.call_soon_threadsafe(woken.set)

            with self._changed:
                if self._ready():
                    return self._taken()
                self._wakers.append(wake)
            try:
                await woken.wait()
            finally:
                with self._changed, contextlib.suppress(ValueError):
                    self._wakers.remove(wake)

    @property
    def due(self) -> int:
        """How many things are to come, or wait."""
        return self._due

    def close(self) -> None:
        """Nothing is due any more, and nobody waits."""
        with self._changed:
            self._closed = True
            self._things.clear()
            self._due = 0
            self._wake()

    def _ready(self) -> bool:
        return bool(self._things) or self._due <= 0

    def _taken(self) -> T | None:
        if not self._things:
            return None
        self._due -= 1
        thing = self._things.popleft()
        self._wake()
        return thing

    def _wake(self) -> None:
        self._changed.notify_all()
        for wake in self._wakers:
            wake()


__all__ = ["Inbox"]
