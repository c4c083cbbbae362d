"""Removing what closed sandboxes left on the host, beside the work that goes on."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable


log = logging.getLogger("pytest_swegym.sandbox")

#: Removals that may wait; whoever adds one more waits himself, so that the disk does not fill faster than it is freed.
_MANY = 256


class Leftovers:
    """Removals in the order of their coming, by one thread that is there only while there are some."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None

    def add(self, removal: Callable[[], None]) -> None:
        """Call ``removal`` soon; now, if no thread can be started for it."""
        with self._changed:
            while len(self._waiting) >= _MANY:
                self._changed.wait()
            if self._thread is not None or self._begin():
                self._waiting.append(removal)
                return
        _done(removal)

    def _begin(self) -> bool:
        thread = threading.Thread(target=self._run, name="swegym-leftovers")
        try:
            thread.start()
        except RuntimeError:  # the limit of processes is reached
            return False
        self._thread = thread
        return True

    def wait(self) -> None:
        """Wait until nothing is left to be removed."""
        with self._changed:
            while self._thread is not None:
                self._changed.wait()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._thread = None
                    self._changed.notify_all()
                    return
                removal = self._waiting.popleft()
                self._changed.notify_all()
            _done(removal)


def _done(removal: Callable[[], None]) -> None:
    try:
        removal()
    except Exception:
        log.warning("something of a closed sandbox is left; 'swegym sweep' removes it", exc_info=True)
