"""What solvers print while their attempts run ahead in threads: kept apart, and shown in their own report."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Generator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from typing import TextIO

import pytest


class SolverOutput:
    """While an item runs, sends the prints of solver threads to buffers of their own.

    Pytest puts its own ``sys.stdout`` in place for each phase of each item, so this is done anew inside every phase.
    """

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
    def _routed(self) -> Iterator[None]:
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = (_Router(stream, self._buffers) for stream in before)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self) -> Generator[None, Any, Any]:
        with self._routed():
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        with self._routed():
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self) -> Generator[None, Any, Any]:
        with self._routed():
            return (yield)


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
