"""What a kept shell says: the output of one command, up to the mark that ends it."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_swegym.sandbox.output import Capture


if TYPE_CHECKING:
    from pytest_swegym.sandbox.shell import Channel


#: Seconds of silence after which the shell is asked, and the longest time between two questions.
_FIRST_QUESTION, _LAST_QUESTION = 0.25, 30.0
#: Bytes that a shell may write before the answer to a question.
_PREFIX = 256
#: What follows a mark: the number of the question, and the answer.
_AFTER = re.compile(rb"([0-9]+) ([0-9]+[^\x1e]*)\x1e(\n?)")
#: The variable that holds the exit code and the options of the last command.
CODE = "_sg_code"


class Reply:
    """The output of one command, up to its mark.

    The shell prints the mark with ``printf`` when the command is over. A command may have taken ``printf`` away, or
    have read the line that prints the mark; so a shell that is silent is asked for another mark, which takes no builtin
    at all: the error message of an expansion, in a subshell. Once asked, only the answer to the last question counts.
    """

    def __init__(self, channel: Channel, capture: Capture, *, prefix: str = "", asked: str = f"${CODE}") -> None:
        """``prefix`` is a pattern of what the shell writes before an answer, ``asked`` the words that this brings."""
        first, second = secrets.token_hex(8), secrets.token_hex(8)
        self.capture = capture
        self.words: list[str] = []
        self.code: int | None = None
        self.before = b""
        #: Printed in two words, and asked for in two, so that nothing that shows our own lines shows the mark.
        self.printing = f"\\command printf '\\036%s%s %s\\036' {first} {second}"
        self._variable = f"_sg{second}"
        self._word = f"\x1e{first}''{second}"
        self._asked_words = asked
        self._channel = channel
        self._mark = f"\x1e{first}{second} ".encode()
        # The same for all replies of a shell, so that the pattern is compiled once.
        self._before = re.compile(prefix.encode("latin-1") + rb"\Z") if prefix else None
        self._pending = b""
        self._asked = 0
        self._over = False

    def ask(self) -> None:
        """Ask whether the command is over: from now on only the answer to this ends the reply."""
        self._asked += 1
        line = f"(${{{self._variable}?{self._word} {self._asked} {self._asked_words}\x1e}}) 2>&1 || {CODE}=${CODE}\n"
        # If the shell is gone, the reply ends at once and says how.
        with suppress(OSError):
            self._channel.write(line.encode())

    def wait(self, timeout: float | None) -> bool:
        """Read on; ``True`` at the end of the reply or of the shell, ``False`` when the time is up."""
        now = time.monotonic()
        deadline = None if timeout is None else now + timeout
        pause = _FIRST_QUESTION
        question = now + pause
        while not self._over:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return False
            if now >= question:
                self.ask()
                pause = min(pause * 2, _LAST_QUESTION)
                question = now + pause
            data = self._channel.read(min(question, question if deadline is None else deadline) - now)
            if data is not None:
                self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        self._pending += data
        while not self._over and (found := self._next()):
            number = int(found[1])
            if number and not found[3] and data:
                return  # an answer ends with a line
            before = self._pending[: self._start(found)]
            self.capture.add(before)
            if number == self._asked:
                self.words = found[2].decode(errors="replace").split()
                self.code = int(self.words[0])
                self.before = before
                self._over = True
            self._pending = self._pending[found.end() if number else found.start(3) :]
        if not self._over:
            self._pass_on(everything=not data)

    def _next(self) -> re.Match[bytes] | None:
        """What follows the next whole mark in what came."""
        at = self._pending.find(self._mark)
        while at >= 0:
            if found := _AFTER.match(self._pending, at + len(self._mark)):
                return found
            at = self._pending.find(self._mark, at + 1)
        return None

    def _start(self, found: re.Match[bytes]) -> int:
        """Where a mark begins, and what the shell writes before an answer with it."""
        at = found.start() - len(self._mark)
        name = f"{self._variable}: ".encode()
        if self._before is None or not self._pending.endswith(name, 0, at):
            return at
        said = self._before.search(self._pending[: at - len(name)])
        return at if said is None else said.start()

    def _pass_on(self, *, everything: bool) -> None:
        """Output that surely is no part of a mark."""
        keep = len(self._pending)
        if not everything:
            # A mark may be cut between two reads, and so may what a shell writes before an answer.
            window = len(self._mark) + 64
            start = self._pending.rfind(b"\x1e", max(keep - window, 0))
            keep = keep if start < 0 else start
            keep = max(keep - _PREFIX, 0) if self._asked else keep
        self._over = everything
        self.capture.add(self._pending[:keep])
        self._pending = self._pending[keep:]
