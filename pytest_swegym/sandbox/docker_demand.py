"""How many containers of a kind are worth keeping ready, from when they were asked for. Times are given, not read."""

from __future__ import annotations

from collections import deque


#: Seconds in which a container is made on a busy machine: who asks for more meanwhile has to wait.
MAKING = 1.0
#: Seconds for which the largest number asked for within that time is expected to come again.
MEMORY = 60.0
#: Seconds after the last demand when none is kept any more.
IDLE = 300.0


class Demand:
    """The demand for containers of one kind. Most is ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: deque[float] = deque(maxlen=most)
        self._peaks: deque[tuple[float, int]] = deque()

    def note(self, now: float) -> None:
        """One was asked for."""
        self._times.append(now)
        count = sum(now - MAKING < each for each in self._times)
        while self._peaks and self._peaks[-1][1] <= count:
            self._peaks.pop()  # the later and larger one outlives it
        self._peaks.append((now, count))

    def depth(self, now: float) -> int:
        """How many to keep: as many as were asked for in the time that it takes to make one."""
        if not self._times or now - self._times[-1] >= IDLE:
            return 0
        while self._peaks and now - self._peaks[0][0] >= MEMORY:
            self._peaks.popleft()
        return self._peaks[0][1] if self._peaks else 1

    def since(self, now: float) -> float:
        """Seconds since the last one was asked for."""
        return now - self._times[-1] if self._times else IDLE
