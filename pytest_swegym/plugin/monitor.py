"""``--swegym-monitor``: a line for each attempt that runs, below what pytest writes; plain lines where nobody looks."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack
from contextlib import redirect_stderr
from contextlib import redirect_stdout
from types import TracebackType
from typing import TYPE_CHECKING
from typing import Any

import pytest

from pytest_swegym.plugin.options import SETTINGS
from pytest_swegym.plugin.plan import PLANNED
from pytest_swegym.plugin.session import will_run
from pytest_swegym.plugin.solving import COMMAND_LINE


if TYPE_CHECKING:
    from pytest_swegym.plugin.run import Run


#: Seconds between two looks at what happened, and between two plain lines of what is running.
INTERVAL, REMINDER = 0.2, 30.0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not _wanted(session):
        return (yield)
    from pytest_swegym.plugin.run import run_of

    with Monitor(session.config, reporter, run_of(session.config)):
        return (yield)


def _wanted(session: pytest.Session) -> bool:
    config = session.config
    if not config.stash[SETTINGS].monitor or hasattr(config, "workerinput") or not will_run(config):
        return False
    solver = config.pluginmanager.get_plugin(COMMAND_LINE)
    if solver is not None and solver.solver.alone:  # it has the terminal for itself
        return False
    # The controller of pytest-xdist has no items: its workers tell what they run.
    return config.getoption("dist", "no") != "no" or any(PLANNED in item.stash for item in session.items)


class Monitor:
    """Follows the run's events in a thread of its own, and shows them until it is closed.

    All that pytest writes meanwhile goes through a :class:`~pytest_swegym.plugin.screen.Screen`.
    """

    def __init__(
        self, config: pytest.Config, reporter: pytest.TerminalReporter, run: Run, *, reminder: float | None = None
    ) -> None:
        from pytest_swegym.plugin.board import Board
        from pytest_swegym.plugin.drawing import Drawing
        from pytest_swegym.plugin.screen import Screen
        from pytest_swegym.results.events import EVENTS
        from pytest_swegym.results.events import EventTail

        self._config, self._reporter, self._run = config, reporter, run
        self._writer = config.get_terminal_writer()
        self._before = self._writer._file
        self._screen = Screen(self._before)
        self._live = _is_terminal(config, self._before)
        unicode = (getattr(self._before, "encoding", None) or "").lower().startswith("utf")
        self._drawing = Drawing(colour=self._writer.hasmarkup, unicode=unicode)
        self._tail = EventTail(run.root / EVENTS, new=True)
        self._board = Board()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="swegym-monitor", daemon=True)
        self._reminder = REMINDER if reminder is None else reminder
        self._reminded = time.monotonic()
        self._undo = ExitStack()

    def __enter__(self) -> Monitor:
        self._undo.callback(self._screen.close)
        self._writer._file = self._screen
        self._undo.callback(setattr, self._writer, "_file", self._before)
        if self._live and self._config.option.capture == "no":
            self._undo.enter_context(redirect_stdout(self._screen))
            if sys.stderr.isatty():
                self._undo.enter_context(redirect_stderr(self._screen))
        self._config.pluginmanager.register(self, "swegym-monitor")
        self._undo.callback(self._config.pluginmanager.unregister, self)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._undo:
            self._over.set()
            self._thread.join()
            self._tick(last=True)

    def pytest_enter_pdb(self) -> None:
        self._screen.pause()

    def pytest_leave_pdb(self) -> None:
        self._screen.resume()

    def _follow(self) -> None:
        try:
            while not self._over.wait(INTERVAL):
                self._tick()
        except Exception as error:
            self._screen.pause()
            self._run.complain_once("--swegym-monitor", error)

    def _tick(self, *, last: bool = False) -> None:
        said = [self._board.hear(event) for event in self._tail.read()]
        if self._live:
            if not last:
                self._screen.show(self._drawing.lines(self._board, time.time(), self._screen.size()))
            return
        if not last and time.monotonic() - self._reminded >= self._reminder:
            said.append(self._board.at_work(time.time()))
        for text in filter(None, said):
            self._reminded = time.monotonic()
            self._reporter.ensure_newline()
            if self._writer.width_of_current_line:
                self._writer.line()
            self._writer.write(f"swegym: {text}\n", flush=True)


def _is_terminal(config: pytest.Config, stream: Any) -> bool:
    """Whether lines can be drawn and drawn again; not where tests write to the terminal past pytest."""
    known = os.environ.get("TERM", "dumb") != "dumb"
    return known and stream.isatty() and config.option.capture != "tee-sys"
