"""A terminal on which some lines stay below everything else that is written."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Sequence
from typing import Any
from typing import TextIO


#: What moves no cursor: colours.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: A line that goes on for more than so many rows is broken.
_ROWS = 4


class Screen:
    """A text stream to a terminal, or to a file, with a block of lines below what is written to it.

    It keeps a way of its own to ``stream``'s file: while pytest captures the output of a test, the screen still
    reaches the terminal. Any thread may write. No mode of the terminal is changed, so there is none to put back.
    """

    def __init__(self, stream: TextIO) -> None:
        stream.flush()
        self._stream = stream
        self._out, self._own = _opened(stream)
        self._lock = threading.RLock()
        self._begun = ""  # the last line, if it is not ended yet
        self._below: tuple[str, ...] = ()
        self._rows = 0  # of the block, as it is on the terminal
        self._paused = False

    def write(self, text: str) -> int:
        """Write ``text`` above the block."""
        with self._lock:
            erased = self._erased()
            self._begun = (self._begun + text).rpartition("\n")[2].rpartition("\r")[2]
            broken = ""
            if self._below and self._height(self._begun) > _ROWS:
                broken, self._begun = "\n", ""
            self._put(erased + text + broken + self._drawn())
        return len(text)

    def show(self, lines: Sequence[str]) -> None:
        """Let ``lines`` be the block; each has to fit into the width of the terminal."""
        with self._lock:
            if not self._paused:
                erased = self._erased()
                self._below = tuple(lines)
                self._put(erased + self._drawn())

    def pause(self) -> None:
        """Take the block away, until :meth:`resume`."""
        with self._lock:
            self.show(())
            self._paused = True

    def resume(self) -> None:
        self._paused = False

    def close(self) -> None:
        """Take the block away for good; what is written from now on goes past the screen."""
        with self._lock:
            self.pause()
            if self._own:
                self._out.close()
                self._out, self._own = self._stream, False

    def flush(self) -> None:
        self._out.flush()

    def size(self) -> os.terminal_size:
        """Columns and rows of the terminal."""
        try:
            found = os.get_terminal_size(self._out.fileno())
        except (OSError, ValueError, AttributeError):
            found = os.terminal_size((0, 0))
        return found if found.columns and found.lines else shutil.get_terminal_size()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _erased(self) -> str:
        """From the end of the block to where the text above it goes on."""
        if not self._rows:
            return ""
        up = self._rows - 1 + (self._height(self._begun) if self._begun else 0)
        return "\r" + (f"\x1b[{up}A" if up else "") + "\x1b[J" + self._begun

    def _drawn(self) -> str:
        self._rows = len(self._below)
        if not self._rows:
            return ""
        return ("\n" if self._begun else "") + "\n".join(self._below)

    def _height(self, text: str) -> int:
        from rich.cells import cell_len

        width = cell_len(_COLOUR.sub("", text))
        return max(1, -(-width // max(self.size().columns, 1)))

    def _put(self, text: str) -> None:
        if text:
            self._out.write(text)
            self._out.flush()


def _opened(stream: TextIO) -> tuple[TextIO, bool]:
    """A second way to the file of ``stream``, if it has one, and whether it is one."""
    try:
        handle = os.dup(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return stream, False
    return open(handle, "w", encoding=stream.encoding or "utf-8", errors="replace", newline=""), True
