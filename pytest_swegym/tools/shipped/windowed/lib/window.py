"""The window onto the open file, which all tools of the windowed editor share."""

import os

from registry import registry
from swegym_text import fail
from swegym_text import lines_of
from swegym_text import read


def whole(word, name):
    """A command line's word as a whole number."""
    try:
        return int(word)
    except ValueError:
        fail("%s must be a whole number (got %r)" % (name, word))


class Window:
    """``WINDOW`` lines of ``CURRENT_FILE`` from ``FIRST_LINE`` (1 is the first), as the shared state has them."""

    def __init__(self, path=None):
        self.path = os.path.abspath(path) if path is not None else registry.get("CURRENT_FILE", "", False)
        if not self.path:
            fail("no file is open; open one first: open <path>")
        self.text = read(self.path)
        self.lines = lines_of(self.text)
        self.height = self._setting("WINDOW", 100, 1)
        self.overlap = min(self._setting("OVERLAP", 2, 0), self.height - 1)
        self.first = 1 if path is not None else self._setting("FIRST_LINE", 1, 1)

    @staticmethod
    def _setting(name, default, least):
        try:
            return max(int(registry.get(name, default)), least)
        except (TypeError, ValueError):
            return default

    def scroll(self, pages):
        """Move by whole windows, some lines of the old one kept."""
        self.first += pages * (self.height - self.overlap)

    def center(self, line):
        """Move so that a line is in the upper part of the window."""
        if not 1 <= line <= max(len(self.lines), 1):
            fail("there is no line %d: %s has %d" % (line, self.path, len(self.lines)))
        self.first = line - self.height // 6

    def keep(self):
        """Remember file and place."""
        self.first = max(1, min(self.first, len(self.lines) - self.height + 1))
        registry["CURRENT_FILE"] = self.path
        registry["FIRST_LINE"] = str(self.first)

    def shown(self, lines=None, first=None):
        """The window as text."""
        lines = self.lines if lines is None else lines
        first = max(1, self.first if first is None else first)
        part = lines[first - 1 : first - 1 + self.height]
        above, below = first - 1, len(lines) - (first - 1) - len(part)
        told = ["[File: %s (%d lines)]" % (self.path, len(lines))]
        told += ["(%d more lines above)" % above] if above > 0 else []
        told += ["%d:%s" % (first + at, line.rstrip("\r\n")) for at, line in enumerate(part)]
        told += ["(%d more lines below)" % below] if below > 0 else []
        return "\n".join(told)
