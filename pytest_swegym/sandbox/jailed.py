"""The processes of one jail as the host holds them: brought up, asked whether they live, and ended as a whole.

One descriptor is kept for a jail: our end of its control pipe. What reads the other end are the processes of the jail,
so that its being broken tells that all of them are gone.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import threading
import time
from collections.abc import Sequence

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import processes
from pytest_swegym.sandbox.limits import Group
from pytest_swegym.sandbox.limits import write
from pytest_swegym.sandbox.room import more_descriptors
from pytest_swegym.sandbox.spawn import spawn
from pytest_swegym.sandbox.spawn import streams


#: Seconds for a jail to come up.
PATIENCE = 30.0
_GONE = 5.0


class Jailed:
    """A started jail. Safe to use from several threads."""

    def __init__(self, argv: Sequence[str], command: Sequence[str], group: Group) -> None:
        """``argv`` is bwrap with its options, ``command`` the program inside, which says ``ready``.

        Raises :class:`OSError` and :class:`SandboxError`; then nothing of it is left.
        """
        self._lock = threading.Lock()
        self._closed = False
        waits = bool(group.join and not group.visit)
        with contextlib.ExitStack() as ours:
            info, info_inside = _pipe(ours)
            block_inside, block = _pipe(ours)
            more_descriptors(block.fileno())
            full = [*argv, "--info-fd", str(info_inside.fileno())]
            full += ["--block-fd", str(block_inside.fileno())] if waits else []
            keep = (info_inside.fileno(), block_inside.fileno())
            self._process = spawn([*full, *command], keep=keep, visit=group.visit)
            self._stdin, self._output = streams(self._process)
            #: Polled, it is broken as soon as the jail is gone.
            self.control = self._stdin.fileno()
            info_inside.close()
            block_inside.close()
            try:
                self._greet(info, block, group if waits else None)
            except BaseException:
                self._abandon()
                raise

    def _greet(self, info: io.FileIO, block: io.FileIO, group: Group | None) -> None:
        """Learn which processes the jail has, put them in their control group, and wait until it is up."""
        told = _read_until(b"}", info.fileno())
        self.init = int(json.loads(told)["child-pid"]) if b"}" in told else 0
        if group is not None and self.init:
            for name in group.join:
                write(name, str(self.init))
            # It has waited for this before it started anything.
            block.close()
        with self._output as output:
            hello = _read_until(b"\n", output.fileno())
            if hello != b"ready\n":
                self._process.kill()
                text = (hello + _read_until(b"", output.fileno())).decode(errors="replace").strip()
                raise SandboxError(f"the sandbox did not start: {text or 'bwrap gave no reason'}")
        self.namespace = processes.namespace_of(self.init) or 0
        self.pid = next(iter(processes.children(self.init)), 0)
        if not self.namespace or not self.pid:
            raise SandboxError("the sandbox ended as it started")

    def _abandon(self) -> None:
        self._process.kill()
        self._process.wait()
        self._stdin.close()
        self._output.close()

    def send(self, line: bytes) -> None:
        """Write to the program inside. Raises :class:`SandboxClosed`."""
        with self._lock:
            if self._closed:
                raise SandboxClosed("the sandbox was closed")
            try:
                os.write(self.control, line)
            except OSError as error:
                raise SandboxClosed("the sandbox is gone: everything in it was ended from inside") from error

    @property
    def ended(self) -> bool:
        """Whether everything inside is gone."""
        with self._lock:
            return self._closed or _broken(self.control, 0)

    def ends(self, seconds: float) -> bool:
        """Whether everything inside is gone, or is within so many seconds: its processes go one after the other."""
        return self.ended or _broken(self.control, seconds)

    @property
    def killed(self) -> bool:
        """Whether somebody outside ended it: a signal from inside does not reach the outermost process."""
        with self._lock:
            return not self._closed and (self._process.poll() or 0) < 0

    def kill(self) -> None:
        """Kill everything inside, without waiting until it is gone."""
        # The first process of a PID namespace takes all others with it, and is gone only after the last of them.
        processes.send(self.init, signal.SIGKILL, self.namespace)

    def files(self) -> int:
        """A descriptor that keeps the mounted files of the jail, -1 if there is none to be had.

        Who gives it back waits for the disk, as the kernel writes out what the last user of an overlay leaves.
        """
        if self.ended:
            return -1
        try:
            return os.open(f"/proc/{self.init}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return -1

    def close(self) -> None:
        """Kill everything inside and wait until it is gone. Twice is fine."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self.kill()
        if not _broken(self.control, _GONE):
            self._process.kill()
        self._process.wait()
        self._stdin.close()


def _pipe(ours: contextlib.ExitStack) -> tuple[io.FileIO, io.FileIO]:
    """A pipe that is closed with ``ours``, unless it was before."""
    reader, writer = os.pipe()
    return ours.enter_context(io.FileIO(reader, "r")), ours.enter_context(io.FileIO(writer, "w"))


def _broken(handle: int, seconds: float) -> bool:
    """Whether nobody has the other end of a pipe any more, within so many seconds."""
    poller = select.poll()
    poller.register(handle, 0)
    return bool(poller.poll(seconds * 1000))


def _read_until(end: bytes, handle: int) -> bytes:
    """Bytes of a pipe up to ``end`` (at most 64 KiB), or to the pipe's end, or until the patience is at its end."""
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    deadline = time.monotonic() + PATIENCE
    data = b""
    while not (end and end in data) and len(data) < 2**16:
        if not poller.poll(max(deadline - time.monotonic(), 0) * 1000):
            break
        piece = os.read(handle, 4096)
        if not piece:
            break
        data += piece
    return data
