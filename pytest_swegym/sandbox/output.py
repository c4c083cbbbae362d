"""Keeping the first and the last part of an output of any length."""

from __future__ import annotations


class Capture:
    """Takes bytes as they come and keeps the first half and the last half of ``limit`` of them."""

    def __init__(self, limit: int) -> None:
        self._first = limit - limit // 2
        self._last = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    @property
    def truncated(self) -> bool:
        """Whether some bytes are gone."""
        return self._dropped + max(len(self._tail) - self._last, 0) > 0

    def add(self, data: bytes) -> None:
        """Take more output."""
        room = self._first - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail += data
            # Trimmed rarely, so that a long output is copied about once.
            if len(self._tail) > 2 * self._last + 2**16:
                self._trim()

    def value(self) -> bytes:
        """What is kept; where bytes are gone, a line in between says how many."""
        self._trim()
        if not self._dropped:
            return bytes(self._head + self._tail)
        note = b"\n[... %d bytes dropped ...]\n" % self._dropped
        return bytes(self._head + note + self._tail)

    def _trim(self) -> None:
        extra = len(self._tail) - self._last
        if extra > 0:
            del self._tail[:extra]
            self._dropped += extra
