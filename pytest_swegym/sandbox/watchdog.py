"""Limits where no control group can be made: rlimits for the number of processes, one thread that watches memory."""

from __future__ import annotations

import resource
import signal
import threading
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
        self._kills = 0

    def attach(self, namespace: int, agent: int) -> None:
        """Begin to watch the sandbox of that PID namespace, whose commands are started by ``agent``."""
        self.namespace = namespace
        # Counted per user namespace, so per sandbox; the kernel does not hold root to it, the watch does.
        resource.prlimit(agent, resource.RLIMIT_NPROC, (self.limits.pids, self.limits.pids))
        _watch.add(self)

    def oom_kills(self) -> int:
        return self._kills

    def remove(self) -> None:
        _watch.drop(self)

    def look(self) -> None:
        """Kill the largest process if all together take more than the limit, and the newest if they are too many."""
        found = processes.members(self.namespace)
        for pid in sorted(found)[self.limits.pids + 3 :]:
            processes.send(pid, signal.SIGKILL, self.namespace)
        limit = self.limits.memory_mb * 2**20
        if sum(map(processes.resident, found)) <= limit:
            return
        exact = {pid: processes.proportional(pid) for pid in found}
        if sum(exact.values()) > limit:
            largest = max(exact, key=lambda pid: exact[pid])
            self._kills += processes.send(largest, signal.SIGKILL, self.namespace)


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
        pause = threading.Event()
        while not pause.wait(INTERVAL):
            with self._lock:
                watched = list(self._watched)
                if not watched:
                    self._thread = None
                    return
            for sandbox in watched:
                sandbox.look()


_watch = _Watch()


class WatchdogEnforcer:
    """rlimits and the watchdog; the share of the processor is not limited."""

    def describe(self) -> str:
        return "limits by rlimits and a watchdog (no control group can be made here)"

    def create(self, name: str, limits: SandboxLimits) -> Watched:
        return Watched(limits)

    def folders(self) -> tuple[Path, ...]:
        return ()
