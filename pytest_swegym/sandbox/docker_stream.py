"""The socket of a process in a container: bytes to its stdin, and its stdout and stderr apart."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from contextlib import suppress
from mmap import mmap
from typing import Any


STDOUT = 1
STDERR = 2
_HEADER = 8
_CHUNK = 2**18


class Frames:
    """Takes the daemon's multiplexed stream as it comes, cut anywhere, and gives back whose bytes they are."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._kind = STDOUT
        self._left = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The pieces in ``data``, each with :data:`STDOUT` or :data:`STDERR`."""
        pieces: list[tuple[int, bytes]] = []
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                pieces.append((self._kind, piece))
                self._left -= len(piece)
                at += len(piece)
                continue
            need = _HEADER - len(self._header)
            self._header += data[at : at + need]
            at += need
            if len(self._header) == _HEADER:
                self._kind = self._header[0]
                self._left = int.from_bytes(self._header[4:], "big")
                self._header.clear()
        return pieces


class Stream:
    """One connection. Writing never blocks: what the process does not take yet is sent while its output is read.

    ``raw`` is what the SDK gives for ``socket=True``.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._socket: socket.socket = getattr(raw, "_sock", raw)
        self._socket.setblocking(False)
        self._frames = Frames()
        self._unsent: deque[memoryview] = deque()
        self._closing = False
        self._over = False

    def send(self, data: bytes | mmap, *, last: bool = False) -> None:
        """Send ``data``; after the ``last`` the process finds the end of its stdin."""
        if data:
            self._unsent.append(memoryview(data))
        self._closing = self._closing or last
        self._push()

    def receive(self, timeout: float | None) -> list[tuple[int, bytes]] | None:
        """The next output; an empty list at its end, ``None`` if ``timeout`` seconds brought none."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._over:
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            readable = self._wait(left)
            self._push()
            pieces = self._frames.feed(self._take()) if readable else []
            if pieces:
                return pieces
            if left == 0.0 and not self._over:
                return None
        return []

    def close(self) -> None:
        """Hang up. Twice is fine."""
        self._over = True
        self._unsent.clear()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        # The SDK hangs the HTTP response on it, which owns the connection and has to be closed first.
        response = getattr(self._raw, "_response", None)
        if response is not None:
            response.close()
        self._raw.close()

    def _wait(self, timeout: float | None) -> bool:
        poll = select.poll()
        try:
            poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        except ValueError:  # another thread has just hung up
            return True
        events = poll.poll(None if timeout is None else timeout * 1000)
        return any(flags & ~select.POLLOUT for _, flags in events)

    def _push(self) -> None:
        try:
            while self._unsent:
                rest = self._unsent[0]
                rest = rest[self._socket.send(rest[:_CHUNK]) :]
                if rest:
                    self._unsent[0] = rest
                else:
                    self._unsent.popleft()
            if self._closing:
                self._closing = False
                self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()  # the process no longer reads; its output tells the rest

    def _take(self) -> bytes:
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self._over = not data
        return data
