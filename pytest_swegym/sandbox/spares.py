"""Sandboxes that are made ready before they are asked for."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable

from pytest_swegym.errors import SwegymError
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.scope import Witness


log = logging.getLogger("pytest_swegym.sandbox")

#: Sandboxes that wait at a time: each has a process of its own that waits in it.
MOST = 4
#: Keys that are remembered as asked for once.
_REMEMBERED = 1000


class Spares:
    """One sandbox ahead for each of the ``most`` keys that were asked for last. Safe to call from several threads.

    Nothing is made ahead for a key that was asked for only once: a task that is graded once never is again.
    A sandbox is handed out once.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._ready: OrderedDict[str, Sandbox] = OrderedDict()
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._making: dict[str, threading.Thread] = {}
        self._closed = False
        #: How many were there when they were asked for.
        self.found = 0

    def take(self, key: str, start: Callable[[], Sandbox], ready: Callable[[], Sandbox]) -> Sandbox:
        """A sandbox that was made by ``ready`` before, else one by ``start``. Raises as that.

        ``key`` says which of them are alike.
        """
        with self._lock:
            spare = self._ready.pop(key, None)
            again = key in self._asked
            self._asked[key] = None
            self._asked.move_to_end(key)
            while len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)
            if again and key not in self._making and not self._closed:
                self._making[key] = threading.Thread(target=self._make, args=(key, ready), daemon=True)
                self._making[key].start()
        if spare is not None and isinstance(spare, Witness) and spare.trouble():
            spare.close()  # what it stands on is not what it was made on
            spare = None
        if spare is None:
            return start()
        with self._lock:
            self.found += 1
        return spare

    def _make(self, key: str, ready: Callable[[], Sandbox]) -> None:
        sandbox: Sandbox | None = None
        try:
            sandbox = ready()
        except SwegymError as error:
            log.info("no sandbox ahead: %s", error)  # who asks next is told
        surplus = [sandbox] if sandbox is not None else []
        with self._lock:
            self._making.pop(key, None)
            if sandbox is not None and not self._closed:
                surplus = [self._ready.pop(key)] if key in self._ready else []
                self._ready[key] = sandbox
                while len(self._ready) > self._most:
                    surplus.append(self._ready.popitem(last=False)[1])
        for each in surplus:
            each.close()

    def waiting(self) -> int:
        """How many sandboxes wait."""
        with self._lock:
            return len(self._ready)

    def settle(self) -> None:
        """Wait until nothing is being made."""
        with self._lock:
            threads = list(self._making.values())
        for thread in threads:
            thread.join()

    def close(self) -> None:
        """End every sandbox that waits; none is made ahead any more. Twice is fine."""
        with self._lock:
            self._closed = True
            ready = list(self._ready.values())
            self._ready.clear()
        self.settle()
        for sandbox in ready:
            sandbox.close()
