"""Attempts in threads of this process: an attempt waits on a model or a child process nearly all its life."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from collections.abc import Iterable


log = logging.getLogger("pytest_swegym.runs")


class LocalExecutor:
    """Runs jobs in their order, at most ``workers`` at the same time. ``stop_early`` ends the starting of new ones."""

    def __init__(
        self,
        jobs: Iterable[tuple[str, Callable[[], None]]],
        *,
        workers: int,
        stop_early: Callable[[], bool] = lambda: False,
    ) -> None:
        self._waiting = dict(jobs)
        self._running: set[str] = set()
        self._stop_early = stop_early
        self._lock = threading.Lock()
        count = min(workers, len(self._waiting))
        # Daemons: a solver that hangs in its own code must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._work, name=f"swegym-{number}", daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def running(self) -> int:
        return len(self._running)

    def take(self, key: str) -> bool:
        """Take a job that has not started out of the queue, to run it elsewhere; false if it has started."""
        with self._lock:
            return self._waiting.pop(key, None) is not None

    def stop(self) -> None:
        """Start nothing more. What runs goes on."""
        with self._lock:
            self._waiting.clear()

    def join(self, timeout: float) -> None:
        """Wait for what runs, for so many seconds at most for each."""
        for thread in self._threads:
            thread.join(timeout)

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._stop_early() or not self._waiting:
                    return
                key = next(iter(self._waiting))
                job = self._waiting.pop(key)
                self._running.add(key)
            try:
                job()
            except Exception:
                log.exception("%s could not be reported", key)
            finally:
                with self._lock:
                    self._running.discard(key)
