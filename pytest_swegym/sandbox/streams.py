"""The host's ends of a command's FIFOs: reading its output to the end, talking to a kept shell."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import termios
import time
from collections import deque
from collections.abc import Iterable

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox import processes
from pytest_swegym.sandbox.agent import Agent
from pytest_swegym.sandbox.agent import Job
from pytest_swegym.sandbox.output import Capture


_PIPE_BYTES = 2**20


class Streams:
    """Reads a command's FIFOs until it ends, and writes what it is still to be told to its open stdin."""

    def __init__(self, job: Job, alive: int, limit: int, unsent: bytes = b"") -> None:
        self.out = Capture(limit)
        self.err = Capture(limit)
        self.code: int | None = None
        self._status = b""
        self._job = job
        self._alive = alive
        self._poller = select.poll()
        self._open = {job.out: self.out, job.err: self.err}
        for handle in (*self._open, job.status, alive):
            self._poller.register(handle, select.POLLIN)
        for handle in self._open:
            _widen(handle)
        self._unsent = memoryview(unsent)
        if job.stdin >= 0:
            _widen(job.stdin)
            os.set_blocking(job.stdin, False)
            self._poller.register(job.stdin, select.POLLOUT)

    def follow(self, deadline: float | None) -> bool:
        """Read until the command ends; ``False`` if ``deadline`` came first."""
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            # The status is looked at only when there is no output left that was written before it.
            for handle, _ in self._poller.poll(None if left is None else left * 1000 + 1):
                if handle in self._open:
                    self._take(handle)
                elif handle == self._job.stdin:
                    self._send()
                elif handle == self._alive or self._read_status():
                    self._drain()
                    return True

    def _send(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._unsent = self._unsent[os.write(self._job.stdin, self._unsent) :]
        if not self._unsent:
            self._poller.unregister(self._job.stdin)
            os.close(self._job.stdin)
            self._job.stdin = -1

    def _take(self, handle: int) -> None:
        data = _read_now(handle)
        if data:
            self._open[handle].add(data)
        elif data == b"":
            self._poller.unregister(handle)
            del self._open[handle]

    def _read_status(self) -> bool:
        data = _read_now(self._job.status)
        self._status += data or b""
        self.code = _exit_code(self._status)
        return data == b"" or self.code is not None

    def _drain(self) -> None:
        """Take what the command wrote before it ended, not what its background children go on writing."""
        for handle, capture in self._open.items():
            left = _pending(handle)
            while left > 0 and (data := _read_now(handle, left)):
                capture.add(data)
                left -= len(data)


class Outbox:
    """What a kept shell has not read yet; sent while its output is waited for, so that writing never blocks."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._unsent: deque[memoryview] = deque()
        os.set_blocking(handle, False)

    def send(self, data: bytes) -> None:
        """Send what can be sent at once, keep the rest. Raises :class:`OSError` if nobody can read it any more."""
        if data:
            self._unsent.append(memoryview(data))
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                rest = self._unsent[0][os.write(self._handle, self._unsent[0]) :]
                if rest:
                    self._unsent[0] = rest
                else:
                    self._unsent.popleft()

    def poll(self, handles: Iterable[int], timeout: float | None) -> set[int]:
        """Those of ``handles`` that have something to read, within ``timeout`` seconds; sends on meanwhile."""
        poller = select.poll()
        for handle in handles:
            poller.register(handle, select.POLLIN)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._unsent:
                poller.register(self._handle, select.POLLOUT)
            left = None if deadline is None else max(deadline - time.monotonic(), 0) * 1000
            ready = {handle for handle, _ in poller.poll(left)}
            if self._handle not in ready:
                return ready
            try:
                self.send(b"")
            except OSError:
                self._unsent.clear()  # the shell no longer reads; its output tells the rest
            poller.unregister(self._handle)
            if ready - {self._handle}:
                return ready - {self._handle}


class ShellChannel:
    """The channel of a kept shell over its FIFOs."""

    def __init__(self, job: Job, agent: Agent) -> None:
        self._job = job
        self._agent = agent
        self._outbox = Outbox(job.stdin)
        self._status = b""
        self._ended = False
        # What runs inside may keep what it holds, yet open none of them anew: neither read what the shell is about to
        # read, nor take from what we are about to read.
        for handle in (job.stdin, job.out, job.status):
            os.fchmod(handle, 0)
        _widen(job.out)

    def write(self, data: bytes) -> None:
        self._outbox.send(data)

    def read(self, timeout: float | None) -> bytes | None:
        if self._agent.ended:
            raise SandboxClosed("the sandbox is gone")
        if self._ended:
            return b""
        events = self._outbox.poll((self._job.out, self._job.status, self._agent.alive), timeout)
        if self._job.out in events and (data := _read_now(self._job.out)):
            return data
        if self._agent.alive in events:
            raise SandboxClosed("the sandbox ended while the command ran: closed, or killed from inside")
        if self._job.status in events:
            data = _read_now(self._job.status)
            self._status += data or b""
            self._ended = data == b"" or _exit_code(self._status) is not None
            return _read_now(self._job.out) or b"" if self._ended else None
        return None

    def interrupt(self, shell: int, since: float) -> None:
        agent, number = self._agent, self._job.number
        kept = next((pid for pid in agent.tree(number) if processes.inner_pid(pid) == shell), 0)
        processes.send(kept, signal.SIGSTOP, agent.namespace)
        processes.end_all(lambda: processes.younger(agent.tree(number), since, shell=kept), agent.namespace)
        processes.send(kept, signal.SIGURG, agent.namespace)
        processes.send(kept, signal.SIGCONT, agent.namespace)

    def close(self) -> int | None:
        if self._job.out >= 0:
            if not self._agent.ended:
                self._agent.end(self._job.number)
            self._job.close()
        return _exit_code(self._status)


def _exit_code(status: bytes) -> int | None:
    """The exit code among the whole lines of a status."""
    codes = [line for line in status.split(b"\n")[:-1] if line.isdigit()]
    return int(codes[0]) if codes else None


def _read_now(handle: int, most: int = _PIPE_BYTES) -> bytes | None:
    """What is there to read; ``b""`` at the end, ``None`` if there is nothing now."""
    try:
        return os.read(handle, most)
    except BlockingIOError:
        return None


def _pending(handle: int) -> int:
    """How many bytes wait in a FIFO."""
    answer = fcntl.ioctl(handle, termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(answer, "little")


def _widen(handle: int) -> None:
    """Let a FIFO hold more, so that a talkative command is read in fewer turns."""
    # Refused where the user's quota of pipe memory is used up; then the usual size does.
    with contextlib.suppress(OSError):
        fcntl.fcntl(handle, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
