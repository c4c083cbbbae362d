"""All sandboxes of one attempt, so that they can be ended together, from another thread."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from typing import runtime_checkable

from pytest_swegym.errors import HostError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox.base import Sandbox


@runtime_checkable
class Witness(Protocol):
    """What a sandbox offers besides, so that no answer is blamed for what the machine did."""

    def trouble(self) -> str:
        """What gave way since it started that nothing inside can be blamed for: it was ended from outside, the disk
        was full, a layer was removed. Empty if nothing did. It is remembered when the sandbox is closed.
        """
        ...

    @property
    def guilty(self) -> bool:
        """Whether :meth:`trouble` found that it filled the disk itself."""
        ...


class Scope:
    """The sandboxes that were started for an attempt. Closed, they end, and none is started any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sandboxes: dict[int, Callable[[], Sandbox | None]] = {}
        self._calls: dict[int, Callable[[], None]] = {}
        # The older ones were asked for trouble when it started; nobody else may have it when that is asked.
        self._newest: Sandbox | None = None
        self._closed = False
        self._trouble = ""
        self._guilty = False

    @property
    def closed(self) -> bool:
        return self._closed

    def check(self) -> None:
        """Raises :class:`SandboxClosed` if it is closed."""
        if self._closed:
            raise SandboxClosed("the attempt was cancelled")

    def trouble(self) -> str:
        """What of the machine gave way under a sandbox of the attempt; empty if nothing did, or by its own doing."""
        with self._lock:
            sandboxes: list[object] = [find() for find in self._sandboxes.values()]
        for sandbox in sandboxes:
            if isinstance(sandbox, Witness):
                self._trouble = self._trouble or sandbox.trouble()
                self._guilty = self._guilty or sandbox.guilty
        return "" if self._guilty else self._trouble

    def check_host(self, error: BaseException | None = None) -> None:
        """Raises :class:`HostError` if the machine gave way under the attempt: then its end says nothing about it."""
        trouble = self.trouble()
        if trouble:
            raise HostError(trouble) from error

    def start(self, make: Callable[[], Sandbox]) -> Sandbox:
        """The sandbox that ``make`` starts, which belongs here. Raises :class:`SandboxClosed`, or as ``make``."""
        self.check()
        self.trouble()  # of those that will be forgotten
        sandbox = make()
        with self._lock:
            if not self._closed:
                self._add(sandbox)
                self._newest = sandbox
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
            self._newest = None
        for call in calls:
            call()
        for found in sandboxes:
            sandbox = found()
            if sandbox is not None:
                sandbox.close()


__all__ = ["Scope", "Witness"]
