"""The terminal of a person who plays: lines with history, longer texts, and Ctrl-C while a command runs."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import nullcontext
from contextlib import suppress
from typing import TYPE_CHECKING
from typing import Protocol

from pytest_swegym._support.paths import cache_dir


if TYPE_CHECKING:
    from contextlib import AbstractContextManager


#: Ends a longer text where there is no terminal.
END = ":end"
_COLOURS = {"+": "32", "-": "31", "@": "36", "d": "1"}


class Terminal(Protocol):
    """Where a person reads and writes. Both questions raise :class:`EOFError` at Ctrl-D, :class:`KeyboardInterrupt` at
    Ctrl-C."""

    def ask(self, prompt: str) -> str:
        """A line."""
        ...

    def compose(self, title: str, text: str) -> str:
        """A text of several lines, which begins as ``text``."""
        ...

    def say(self, text: str) -> None: ...

    def show_diff(self, diff: str) -> None: ...

    def listening(self, on_interrupt: Callable[[], None]) -> AbstractContextManager[None]:
        """While a command runs: Ctrl-C calls ``on_interrupt``, and ends nothing else."""
        ...


class PlainTerminal:
    """Stdin that is no terminal: lines from a pipe or a file."""

    def ask(self, prompt: str) -> str:
        print(prompt, end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        print(line.rstrip("\n"), flush=True)
        return line.rstrip("\n")

    def compose(self, title: str, text: str) -> str:
        print(f"{title}; end it with a line {END}", flush=True)
        lines = []
        while (line := sys.stdin.readline()) and line.rstrip("\n") != END:
            lines.append(line)
        return "".join(lines)

    def say(self, text: str) -> None:
        print(text, flush=True)

    def show_diff(self, diff: str) -> None:
        self.say(diff)

    def listening(self, on_interrupt: Callable[[], None]) -> AbstractContextManager[None]:
        return nullcontext()


class RealTerminal(PlainTerminal):
    """A terminal: history in the user's cache folder, words to complete, colours."""

    def __init__(self, words: Sequence[str]) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.history import FileHistory

        self._lines: PromptSession[str] = PromptSession(
            history=FileHistory(str(cache_dir("human") / "history")),
            auto_suggest=AutoSuggestFromHistory(),
            completer=WordCompleter(list(words), sentence=True),
            complete_while_typing=False,
        )
        self._texts: PromptSession[str] = PromptSession(multiline=True)

    def ask(self, prompt: str) -> str:
        return self._lines.prompt(prompt)

    def compose(self, title: str, text: str) -> str:
        self.say(f"{title}; Esc then Enter ends it, Ctrl-C leaves the file as it was")
        return self._texts.prompt("", default=text)

    def show_diff(self, diff: str) -> None:
        for line in diff.splitlines():
            colour = _COLOURS.get(line[:1])
            print(f"\x1b[{colour}m{line}\x1b[0m" if colour else line)
        sys.stdout.flush()

    @contextmanager
    def listening(self, on_interrupt: Callable[[], None]) -> Iterator[None]:
        over = threading.Event()
        with _keys() as handle:
            thread = threading.Thread(target=_listen, args=(handle, over, on_interrupt), daemon=True)
            thread.start()
            try:
                yield
            finally:
                over.set()
                thread.join()


def open_terminal(words: Sequence[str]) -> Terminal:
    """The terminal of this process, with ``words`` that can be completed; plain where it is none."""
    real = sys.stdin.isatty() and sys.stdout.isatty()
    return RealTerminal(words) if real else PlainTerminal()


def _listen(handle: int, over: threading.Event, on_interrupt: Callable[[], None]) -> None:
    while not over.is_set():
        if select.select([handle], [], [], 0.05)[0] and b"\x03" in os.read(handle, 1024):
            on_interrupt()


@contextmanager
def _keys() -> Iterator[int]:
    """Keys as they are typed, Ctrl-C among them: it would otherwise end the whole run, whichever thread plays."""
    import termios

    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    changed = termios.tcgetattr(handle)
    changed[3] &= ~(termios.ISIG | termios.ICANON | termios.ECHO)
    termios.tcsetattr(handle, termios.TCSANOW, changed)
    try:
        yield handle
    finally:
        with suppress(termios.error):
            termios.tcsetattr(handle, termios.TCSANOW, before)
