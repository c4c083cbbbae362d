"""Long work tells what it is doing: log lines of the library, live on the terminal."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque

import pytest


LOGGER = logging.getLogger("pytest_swegym")


class Progress(logging.Handler):
    """Writes INFO lines of ``pytest_swegym.*`` to the terminal, also while the output of tests is captured.

    Only the main thread writes, for pytest's capturing knows no other; lines of other threads wait until it looks.
    """

    def __init__(self, config: pytest.Config, reporter: pytest.TerminalReporter) -> None:
        super().__init__(logging.INFO)
        self._reporter = reporter
        self._capture = config.pluginmanager.get_plugin("capturemanager")
        self._lines: deque[str] = deque()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"swegym: {record.getMessage()}")
        self.flush()

    def flush(self) -> None:
        """Write what waits, if this is the main thread."""
        if not self._lines or threading.current_thread() is not threading.main_thread():
            return
        if self._capture is None:
            self._write()
            return
        streams = sys.stdout, sys.stderr
        try:
            with self._capture.global_and_fixture_disabled():
                self._write()
        finally:
            # Resuming puts pytest's own streams in place; those of the solvers' threads stood before them.
            sys.stdout, sys.stderr = streams

    def _write(self) -> None:
        self._reporter.ensure_newline()
        while self._lines:
            self._reporter.write_line(self._lines.popleft())
        self._reporter.flush()


def show_progress(config: pytest.Config) -> Progress | None:
    """Show progress until the run ends; nothing with ``-q``, and nothing in a worker, which has no terminal."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.get_verbosity() < 0 or hasattr(config, "workerinput"):
        return None
    progress, level = Progress(config, reporter), LOGGER.level
    LOGGER.addHandler(progress)
    if LOGGER.getEffectiveLevel() > logging.INFO:
        LOGGER.setLevel(logging.INFO)

    def undo() -> None:
        LOGGER.removeHandler(progress)
        LOGGER.setLevel(level)

    config.add_cleanup(undo)
    return progress
