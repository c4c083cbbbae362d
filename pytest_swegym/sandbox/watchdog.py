"""Limits where no control group can be made: rlimits for the number of processes, one thread that watches memory."""

from __future__ import annotations

import resource
import signal
import threading
import time
from pathlib import Path

from pytest_swegym.sandbox import processes
from pytest_swegym.sandbox.base import SandboxLimits


#: Seconds between two looks at a sandbox, and the largest share of a processor that looking may take.
INTERVAL, SHARE = 0.1, 0.2


class Watched:
    """One sandbox under watch while a command runs in it."""

    join: tuple[str, ...] = ()
    visit: tuple[tuple[str, str], ...] = ()

    def __init__(self, limits: SandboxLimits) -> None:
        self.limits = limits
        self.namespace = 0
        self._init = 0
        self._own: set[int] = set()
        self._kills = 0

    def attach(self, init: int, agent: int) -> None:
        """Begin to watch the sandbox with that first process, whose commands are started by ``agent``."""
        self.namespace = processes.namespace_of(init) or 0
        self._init = init
        self._own = {agent, init}
        # Counted per user namespace, so per sandbox. The kernel does not hold root to it: then it is the watch's to do.
        most = resource.prlimit(agent, resource.RLIMIT_NPROC)[1]
        most = self.limits.pids if most < 0 else min(self.limits.pids, most)  # nobody but root may raise it
        resource.prlimit(agent, resource.RLIMIT_NPROC, (most, most))
        _watch.add(self)

    def oom_kills(self) -> int:
        return self._kills

    def remove(self) -> None:
        _watch.drop(self)

    def look(self) -> bool:
        """Kill the largest process if all together take more than the limit, and every one if they are too many.

        Says whether there are so many that the next look should come soon.
        """
        found = processes.below(self._init, self.namespace)
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
        return [pid for pid in processes.below(self._init, self.namespace) if pid not in self._own]


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
        crowded, cost = False, 0.0
        while True:
            # Many sandboxes are looked at more seldom, so that the watch leaves the processors to them.
            time.sleep(max(INTERVAL / 10 if crowded else INTERVAL, cost / SHARE - cost))
            with self._lock:
                watched = list(self._watched)
                if not watched:
                    self._thread = None
                    return
            begin = time.thread_time()
            looks = [sandbox.look() for sandbox in watched]
            crowded, cost = any(looks), time.thread_time() - begin


_watch = _Watch()


class WatchdogEnforcer:
    """rlimits and the watchdog; the share of the processor is not limited."""

    def describe(self) -> str:
        return "limits by rlimits and a watchdog (no control group can be made here)"

    def create(self, name: str, limits: SandboxLimits) -> Watched:
        return Watched(limits)

    def folders(self) -> tuple[Path, ...]:
        return ()
