"""The host's ends of a command's FIFOs: reading its output to the end, talking to a kept shell."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import termios
import time

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox import processes
from pytest_swegym.sandbox.agent import Agent
from pytest_swegym.sandbox.agent import Job
from pytest_swegym.sandbox.output import Capture


_PIPE_BYTES = 2**20


class Streams:
    """Reads a command's FIFOs until it ends."""

    def __init__(self, job: Job, alive: int, limit: int) -> None:
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
                elif handle == self._alive or self._read_status():
                    self._drain()
                    return True

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


class ShellChannel:
    """The channel of a kept shell over its FIFOs."""

    def __init__(self, job: Job, agent: Agent) -> None:
        self._job = job
        self._agent = agent
        self._poller = select.poll()
        for handle in (job.out, job.status, agent.alive):
            self._poller.register(handle, select.POLLIN)
        self._status = b""
        self._ended = False

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._job.stdin, view) :]
            except BlockingIOError:
                # Our own descriptor keeps the FIFO readable, so a dead shell shows only in its status.
                if self._ended or self._agent.ended or _pending(self._job.status):
                    raise BrokenPipeError("the shell has ended") from None
                poller = select.poll()
                poller.register(self._job.stdin, select.POLLOUT)
                poller.poll(100)

    def read(self, timeout: float | None) -> bytes | None:
        if self._agent.ended:
            raise SandboxClosed("the sandbox is gone")
        if self._ended:
            return b""
        events = {handle for handle, _ in self._poller.poll(None if timeout is None else timeout * 1000 + 1)}
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

    def interrupt(self, shell: int) -> None:
        agent = self._agent
        inside = agent.tree(self._job.number)
        kept = [pid for pid in inside if processes.inner_pid(pid) == shell]
        for pid in kept:
            processes.send(pid, signal.SIGSTOP, agent.namespace)
        agent.end(self._job.number, spare=kept)
        for pid in kept:
            processes.send(pid, signal.SIGURG, agent.namespace)
            processes.send(pid, signal.SIGCONT, agent.namespace)

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
