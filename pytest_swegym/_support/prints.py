"""What threads print, kept apart: several solvers at once in one process."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from typing import TextIO


class Prints:
    """Sends the prints of threads that collect to buffers of their own, while they are :meth:`routed`."""

    def __init__(self) -> None:
        self._buffers: dict[int, io.StringIO] = {}

    @contextmanager
    def collect(self) -> Iterator[io.StringIO]:
        """Collect what the calling thread prints."""
        buffer = self._buffers[threading.get_ident()] = io.StringIO()
        try:
            yield buffer
        finally:
            del self._buffers[threading.get_ident()]

    @contextmanager
    def routed(self) -> Iterator[None]:
        """Put streams in place of ``sys.stdout`` and ``sys.stderr`` that know who prints."""
        before = sys.stdout, sys.stderr
        self.route()
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before

    def route(self) -> None:
        """As :meth:`routed`, for good."""
        sys.stdout, sys.stderr = (_Router(stream, self._buffers) for stream in (sys.stdout, sys.stderr))


class _Router:
    """A text stream that writes to the buffer of the writing thread, if it has one."""

    def __init__(self, stream: TextIO, buffers: dict[int, io.StringIO]) -> None:
        self._stream, self._buffers = stream, buffers

    def write(self, text: str) -> int:
        return self._buffers.get(threading.get_ident(), self._stream).write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
