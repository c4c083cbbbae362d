"""A shell that lives on between commands: the protocol, over any pair of byte streams."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.base import OUTPUT_LIMIT
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.output import Capture


#: How to start the shell: bash where there is one, else sh; it reads commands from its stdin.
SHELL_COMMAND = (
    "sh",
    "-c",
    "if command -v bash >/dev/null 2>&1; then exec bash --norc --noprofile; else exec sh; fi",
)
#: Seconds for an interrupted command to give the shell back, before the shell itself is ended.
_GRACE = 1.0
#: Seconds for a new shell to answer.
_HELLO = 30.0
# Sent to the shell with SIGURG: leaves the running list of commands at once, loops and functions included. The command
# runs in a sourced file, so ``return`` leads out of it; the DEBUG trap does the same in every function on the way.
_ARM = {
    "bash": "trap - DEBUG; set +T; trap 'set -T; trap \"return 130\" DEBUG; return 130' URG",
    "sh": "trap 'return 130' URG",
}


class Channel(Protocol):
    """A running shell process: its stdin, its output (stdout and stderr joined) and the ways to stop it."""

    def write(self, data: bytes) -> None:
        """Send all of ``data``. Raises :class:`OSError` if the shell is gone."""
        ...

    def read(self, timeout: float | None) -> bytes | None:
        """The next output, as much as there is; ``b""`` at its end, ``None`` if ``timeout`` seconds brought none."""
        ...

    def interrupt(self, shell: int) -> None:
        """Kill everything the shell started, then send SIGURG to the shell; it is number ``shell`` inside.

        All processes are stopped first and the shell continued last, so that it cannot act on its children's death.
        """
        ...

    def close(self) -> int | None:
        """End the shell and what runs in it; its exit code if it had ended by itself. Twice is fine."""
        ...


class KeptShell:
    """The :class:`~pytest_swegym.sandbox.base.Shell` over a channel; ``start`` opens a new one when the shell ended.

    Each command is a here-document that the shell sources with an empty stdin; a line with fresh random digits
    follows its output, on a copy of the shell's stdout that the command's redirections do not reach.

    After a time-out the shell has left the command, loops and functions included, and ended all it had started,
    background jobs too. A plain sh that was in a loop over functions cannot leave it, and is replaced.
    """

    def __init__(self, start: Callable[[], Channel], *, oom_kills: Callable[[], int] = lambda: 0) -> None:
        self._start = start
        self._oom_kills = oom_kills
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        self._pid = 0
        self._kind = "sh"

    def run(self, command: str, *, timeout: float | None = None, output_limit: int = OUTPUT_LIMIT) -> ExecResult:
        """Run ``command`` (any number of lines); see :class:`~pytest_swegym.sandbox.base.Shell`."""
        if "\0" in command:
            raise ValueError("a command cannot hold a NUL character")
        with self._lock:
            channel = self._channel or self._open()
            begin, oom_before = time.monotonic(), self._oom_kills()
            reply = _Reply(channel, Capture(output_limit))
            # If the shell is gone, the reply ends at once and says how.
            with suppress(OSError):
                channel.write(self._message(command, reply))
            timed_out = not reply.wait(timeout)
            if timed_out:
                self._recover(channel, reply)
            code = reply.code if reply.code is not None else self._ended(channel, timed_out)
            return ExecResult(
                exit_code=code,
                stdout=reply.capture.value(),
                duration=time.monotonic() - begin,
                timed_out=timed_out,
                truncated=reply.capture.truncated,
                oom=self._oom_kills() > oom_before,
            )

    def close(self) -> None:
        """End the shell and what runs in it. Twice is fine."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
                self._channel = None

    def _open(self) -> Channel:
        channel = self._start()
        reply = _Reply(channel, Capture(2**16))
        hello = (
            'if [ -n "$BASH_VERSION" ]; then exec 63>&1 2>/dev/null; else exec 9>&1 2>/dev/null; fi; '
            f"printf '{reply.template}' {reply.halves} \"0 $$ ${{BASH_VERSION:+bash}}\"\n"
        )
        with suppress(OSError):
            channel.write(hello.encode())
        if not reply.wait(_HELLO) or reply.code is None:
            said = reply.capture.value().decode(errors="replace")
            raise SandboxError(f"the shell did not start (exit code {channel.close()}): {said}")
        words = reply.words
        self._pid, self._kind = int(words[1]), "bash" if words[2:] == ["bash"] else "sh"
        channel.write(_ARM[self._kind].encode() + b"\n")
        self._channel = channel
        return channel

    def _message(self, command: str, reply: _Reply) -> bytes:
        out = "63" if self._kind == "bash" else "9"
        text = (
            f". /dev/fd/8 8<<'{reply.end}' </dev/null >&{out} 2>&1\n{command}\n{reply.end}\n"
            f"printf '{reply.template}' {reply.halves} \"$?\" >&{out}\n"
        )
        return text.encode("utf-8", "surrogateescape")

    def _recover(self, channel: Channel, reply: _Reply) -> None:
        """End the running command; the shell too, if it does not come back at once."""
        channel.interrupt(self._pid)
        if reply.wait(_GRACE) and reply.code is not None:
            channel.write(_ARM[self._kind].encode() + b"\n")

    def _ended(self, channel: Channel, timed_out: bool) -> int:
        """The exit code of a shell that ended or had to be ended; the next command gets a new one."""
        self._channel = None
        code = channel.close()
        return 137 if timed_out or code is None else code


class _Reply:
    """The output of one command, up to the line that ends it."""

    def __init__(self, channel: Channel, capture: Capture) -> None:
        first, second = secrets.token_hex(8), secrets.token_hex(8)
        #: Written as two words, so that ``set -v`` or ``set -x`` never print the whole.
        self.halves = f"{first} {second}"
        self.template = "\\036%s%s %s\\036"
        self.end = f"swegym-{secrets.token_hex(8)}"
        self.capture = capture
        self.code: int | None = None
        self.words: list[str] = []
        self._channel = channel
        self._mark = b"\x1e" + f"{first}{second} ".encode()
        self._pattern = re.compile(re.escape(self._mark) + rb"([0-9]+[^\x1e]*)\x1e")
        self._pending = b""
        self._over = False

    def wait(self, timeout: float | None) -> bool:
        """Read on; ``True`` at the end of the reply or of the shell, ``False`` when the time is up."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._over:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            data = self._channel.read(left)
            if data is not None:
                self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        self._pending += data
        found = self._pattern.search(self._pending)
        if found:
            self.capture.add(self._pending[: found.start()])
            self.words = found[1].decode(errors="replace").split()
            self.code = int(self.words[0])
        if found or not data:
            if not found:
                self.capture.add(self._pending)
            self._over = True
            return
        # The mark may be cut between two reads: what could be its beginning is held back.
        start = self._pending.rfind(b"\x1e", max(len(self._pending) - len(self._mark) - 64, 0))
        keep = len(self._pending) if start < 0 else start
        self.capture.add(self._pending[:keep])
        self._pending = self._pending[keep:]
