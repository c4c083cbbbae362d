"""All sandboxes of one attempt, so that they can be ended together, from another thread."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox.base import Sandbox


class Scope:
    """The sandboxes that were started for an attempt. Closed, they end, and none is started any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sandboxes: dict[int, Callable[[], Sandbox | None]] = {}
        self._calls: dict[int, Callable[[], None]] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def check(self) -> None:
        """Raises :class:`SandboxClosed` if it is closed."""
        if self._closed:
            raise SandboxClosed("the attempt was cancelled")

    def start(self, make: Callable[[], Sandbox]) -> Sandbox:
        """The sandbox that ``make`` starts, which belongs here. Raises :class:`SandboxClosed`, or as ``make``."""
        self.check()
        sandbox = make()
        with self._lock:
            if not self._closed:
                self._add(sandbox)
                return sandbox
        sandbox.close()
        raise SandboxClosed("the attempt was cancelled")

    def _add(self, sandbox: Sandbox) -> None:
        # A search starts thousands of them: those that nobody has any more are forgotten.
        key = id(sandbox)
        try:
            self._sandboxes[key] = weakref.ref(sandbox, lambda _: self._sandboxes.pop(key, None))
        except TypeError:  # a class with slots
            self._sandboxes[key] = lambda: sandbox

    @contextmanager
    def calling(self, call: Callable[[], None]) -> Iterator[None]:
        """``call`` when it is closed meanwhile; at once if it is closed already."""
        with self._lock:
            self._calls[id(call)] = call
            closed = self._closed
        if closed:
            call()
        try:
            yield
        finally:
            with self._lock:
                self._calls.pop(id(call), None)

    def close(self) -> None:
        """End every sandbox of the attempt, and wake who waits on its behalf. Twice is fine."""
        with self._lock:
            self._closed = True
            sandboxes, calls = list(self._sandboxes.values()), list(self._calls.values())
            self._sandboxes.clear()
        for call in calls:
            call()
        for found in sandboxes:
            sandbox = found()
            if sandbox is not None:
                sandbox.close()


__all__ = ["Scope"]
