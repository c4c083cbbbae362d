"""Calls in threads of this process: in their turn, when the machine has room, the next ones prepared meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pytest_swegym.admission import Admission
from pytest_swegym.runs.queue import Queue


log = logging.getLogger("pytest_swegym.runs")
#: How many things are prepared ahead of their calls, and how many at the same time.
AHEAD, PREPARERS = 8, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is to be run. Before that, if there is time, ``prepare`` is called, once for all calls that want the same
    ``thing``. Neither is to raise."""

    key: str
    run: Callable[[], None]
    thing: str = ""
    prepare: Callable[[], None] | None = None
    priority: float = 0.0


class Threads:
    """Runs calls, at most ``workers`` at the same time, and no more than ``admission`` lets begin.

    The highest priority goes first, of equals the oldest. ``stop_early`` ends the starting of new ones. Each runs in a
    thread of its own: a call waits on a model or a child process nearly all its life.
    """

    def __init__(
        self, *, workers: int, admission: Admission | None = None, stop_early: Callable[[], bool] = lambda: False
    ) -> None:
        self._workers, self._admission, self._stop_early = workers, admission, stop_early
        self._waiting: Queue[Call] = Queue()
        self._running: set[str] = set()
        self._prepared: set[str] = set()
        self._changed = threading.Condition()
        self._stopped = False
        self._started = False

    def submit(self, call: Call) -> None:
        """Queue a call. Raises :class:`KeyError` if one of its key waits."""
        with self._changed:
            self._waiting.put(call.key, call, call.priority)
            self._changed.notify_all()

    def start(self) -> None:
        """Begin; what is submitted later runs as well. Twice is fine."""
        with self._changed:
            first, self._started = not self._started, True
        if first:
            self._thread("swegym-start", self._dispatch)
            for number in range(PREPARERS):
                self._thread(f"swegym-prepare-{number}", self._prepare_ahead)

    @property
    def running(self) -> int:
        return len(self._running)

    def take(self, key: str) -> bool:
        """Take a call that has not started out of the queue, to run it elsewhere; false if it has started."""
        with self._changed:
            return self._waiting.take(key) is not None

    def stop(self) -> None:
        """Start nothing more. What runs goes on."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait until nothing runs, nor waits to, for so many seconds at most; whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._running, timeout)

    # -- starting --------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        while self._wait(lambda: len(self._waiting) > 0 and len(self._running) < self._workers):
            leave = self._entered()
            if leave is None:
                return
            with self._changed:
                if self._is_over():
                    leave()
                    return
                found = self._waiting.pop()
                if found is None:  # taken out meanwhile
                    leave()
                    continue
                key, call = found
                self._running.add(key)
                self._prepared.add(call.thing)
                self._changed.notify_all()  # there may be time to prepare now
            try:
                self._thread(f"swegym-{key}", self._work, call, leave)
            except RuntimeError as error:  # the system gives no more threads: this one has nothing better to do
                log.warning("%s is run before any other begins: %s", key, error)
                self._work(call, leave)

    def _entered(self) -> Callable[[], None] | None:
        """A place, which is given back by what is returned; ``None`` if nothing is to begin any more."""
        if self._admission is None:
            return _nothing
        try:
            return self._admission.enter(self._is_over)
        except Exception:  # those that wait must not wait for ever
            log.exception("it cannot be told whether the machine bears another attempt: one begins")
            return _nothing

    def _wait(self, until: Callable[[], bool]) -> bool:
        """Wait for something to do; false if there will be nothing."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or until())
            return not self._stopped

    def _is_over(self) -> bool:
        if not self._stopped and self._stop_early():
            self.stop()
        return self._stopped

    def _work(self, call: Call, leave: Callable[[], None]) -> None:
        try:
            call.run()
        except Exception:
            log.exception("%s could not be reported", call.key)
        finally:
            leave()
            with self._changed:
                self._running.discard(call.key)
                self._changed.notify_all()

    # -- preparing -------------------------------------------------------------------------------

    def _prepare_ahead(self) -> None:
        while True:
            found: list[Call] = []

            def some(found: list[Call] = found) -> bool:
                found[:] = self._unprepared()
                return bool(found)

            if not self._wait(some):
                return
            if self._admission is not None and self._admission.why_not():
                time.sleep(1.0)  # what runs needs all there is
                continue
            with self._changed:
                call = found[0]
                if call.thing in self._prepared:
                    continue
                self._prepared.add(call.thing)
            try:
                if call.prepare is not None:
                    call.prepare()
            except Exception:
                log.exception("%s could not be prepared", call.key)

    def _unprepared(self) -> list[Call]:
        """The next calls that nobody prepares yet, of those that are looked ahead to."""
        if len(self._running) < self._workers:
            return []  # the next ones start at once, and prepare for themselves
        things: dict[str, Call] = {}
        for call in self._waiting.upcoming():
            if call.prepare is not None:
                things.setdefault(call.thing, call)
            if len(things) == AHEAD:
                break
        return [call for thing, call in things.items() if thing not in self._prepared]

    @staticmethod
    def _thread(name: str, work: Callable[..., None], *given: object) -> None:
        # Daemons: a solver that hangs in its own code must not keep the process from ending.
        threading.Thread(target=work, args=given, name=name, daemon=True).start()


def _nothing() -> None:
    """Nothing to give back."""


__all__ = ["Call", "Threads"]
