"""One thing that is started ahead, for whoever ends one and starts its like, again and again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from dataclasses import field
from typing import Generic
from typing import TypeVar


T = TypeVar("T")
#: Seconds between an end and a start that make a reset of the two.
_SOON = 0.25
#: Seconds after which nobody is expected to take what was started; and between two resets that make a habit.
_KEPT = 5.0


@dataclass(eq=False, slots=True)
class _Spare(Generic[T]):
    kind: Hashable
    thing: Future[T] = field(default_factory=Future)
    gone: threading.Event = field(default_factory=threading.Event)


class Ahead(Generic[T]):
    """At most one spare thing, ended by ``end`` if nobody takes it within seconds. Safe to use from several threads.

    There is none before the second reset in a row, and none where there is but one processor.
    """

    def __init__(self, end: Callable[[T], None]) -> None:
        self._end = end
        self._lock = threading.Lock()
        self._spare: _Spare[T] | None = None
        self._ended: tuple[Hashable, float] = (None, 0.0)
        self._reset: tuple[Hashable, float] = (None, 0.0)

    def take(self, kind: Hashable) -> T | None:
        """The spare thing, if it is of that kind: nobody else gets it."""
        spare = self._claim(lambda found: found == kind)
        if spare is None:
            return None
        return spare.thing.result() if spare.thing.exception() is None else None

    def ended(self, kind: Hashable) -> None:
        """One of that kind has ended."""
        with self._lock:
            self._ended = kind, time.monotonic()

    def started(self, kind: Hashable, start: Callable[[], T]) -> None:
        """One of that kind was started; if that is a habit, the next one is started by ``start`` at once."""
        now = time.monotonic()
        with self._lock:
            if self._ended[0] != kind or now - self._ended[1] > _SOON:
                return
            habit = self._reset[0] == kind and now - self._reset[1] < _KEPT
            self._reset = kind, now
            if not habit or self._spare is not None or (os.cpu_count() or 1) < 2:
                return
            spare = self._spare = _Spare(kind)
        threading.Thread(target=self._keep, args=(spare, start), name="swegym-ahead", daemon=True).start()

    def discard(self, concerns: Callable[[Hashable], bool] = lambda kind: True) -> None:
        """End the spare thing, if its kind is one of those."""
        spare = self._claim(concerns)
        if spare is not None and spare.thing.exception() is None:
            self._end(spare.thing.result())

    def _claim(self, wanted: Callable[[Hashable], bool]) -> _Spare[T] | None:
        with self._lock:
            spare = self._spare
            if spare is None or not wanted(spare.kind):
                return None
            self._spare = None
        spare.gone.set()
        return spare

    def _keep(self, spare: _Spare[T], start: Callable[[], T]) -> None:
        try:
            spare.thing.set_result(start())
        except Exception as error:
            spare.thing.set_exception(error)
        if not spare.gone.wait(_KEPT):
            self.discard(lambda kind: self._spare is spare)
