"""Limits where no control group can be made: rlimits for the number of processes, one thread that watches memory."""

from __future__ import annotations

import resource
import signal
import threading
import time
from pathlib import Path

from pytest_swegym.sandbox import processes
from pytest_swegym.sandbox.base import SandboxLimits


#: Seconds between two looks at a sandbox.
INTERVAL = 0.1


class Watched:
    """One sandbox under watch while a command runs in it."""

    join: tuple[str, ...] = ()

    def __init__(self, limits: SandboxLimits) -> None:
        self.limits = limits
        self.namespace = 0
        self._own: set[int] = set()
        self._kills = 0

    def attach(self, namespace: int, agent: int) -> None:
        """Begin to watch the sandbox of that PID namespace, whose commands are started by ``agent``."""
        self.namespace = namespace
        self._own = {agent, processes.parent(agent)}
        # Counted per user namespace, so per sandbox. The kernel does not hold root to it: then it is the watch's to do.
        resource.prlimit(agent, resource.RLIMIT_NPROC, (self.limits.pids, self.limits.pids))
        _watch.add(self)

    def oom_kills(self) -> int:
        return self._kills

    def remove(self) -> None:
        _watch.drop(self)

    def look(self) -> bool:
        """Kill the largest process if all together take more than the limit, and every one if they are too many.

        Says whether there are so many that the next look should come soon.
        """
        found = processes.members(self.namespace)
        if len(found) > self.limits.pids + 2 * len(self._own):
            processes.end_all(self._commands, self.namespace)
            return True
        limit = self.limits.memory_mb * 2**20
        if sum(map(processes.resident, found)) > limit:
            exact = {pid: processes.proportional(pid) for pid in found}
            if sum(exact.values()) > limit:
                largest = max(exact, key=lambda pid: exact[pid])
                self._kills += processes.send(largest, signal.SIGKILL, self.namespace)
        return len(found) > self.limits.pids // 4

    def _commands(self) -> list[int]:
        return [pid for pid in processes.members(self.namespace) if pid not in self._own]


class _Watch:
    """The one thread that looks at every watched sandbox; it is there only while there are some."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: set[Watched] = set()
        self._thread: threading.Thread | None = None

    def add(self, watched: Watched) -> None:
        with self._lock:
            self._watched.add(watched)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="swegym-watchdog", daemon=True)
                self._thread.start()

    def drop(self, watched: Watched) -> None:
        with self._lock:
            self._watched.discard(watched)

    def _run(self) -> None:
        crowded = False
        while True:
            time.sleep(INTERVAL / 10 if crowded else INTERVAL)
            with self._lock:
                watched = list(self._watched)
                if not watched:
                    self._thread = None
                    return
            looks = [sandbox.look() for sandbox in watched]
            crowded = any(looks)


_watch = _Watch()


class WatchdogEnforcer:
    """rlimits and the watchdog; the share of the processor is not limited."""

    def describe(self) -> str:
        return "limits by rlimits and a watchdog (no control group can be made here)"

    def create(self, name: str, limits: SandboxLimits) -> Watched:
        return Watched(limits)

    def folders(self) -> tuple[Path, ...]:
        return ()
