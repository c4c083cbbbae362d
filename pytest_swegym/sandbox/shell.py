"""A shell that lives on between commands: the protocol, over any pair of byte streams."""

from __future__ import annotations

import re
import secrets
import shlex
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import shell_state
from pytest_swegym.sandbox.base import OUTPUT_LIMIT
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.output import Capture
from pytest_swegym.sandbox.shell_reply import CODE
from pytest_swegym.sandbox.shell_reply import Reply


#: Seconds for an interrupted command to give the shell back, before the shell itself is ended.
_GRACE = 1.0
#: Seconds for a new shell to answer, and for one to tell its state or to take another's.
_HELLO, _STATE = 30.0, 60.0
#: Seconds that are spent on what background jobs wrote since the last command.
_DRAIN = 0.05
#: Largest state of a shell, in bytes.
_STATE_LIMIT = 16 * 2**20
# Options that are off between commands: they would end the shell, or show our lines.
_SWITCHED = "evx"
# Sent to the shell with SIGURG: leaves the running list of commands at once, loops and functions included. The command
# runs in a sourced file, so ``return`` leads out of it; the DEBUG trap does the same in every function on the way.
_ARM = {
    "bash": "trap - DEBUG; set +T; trap 'set -T; trap \"return 130\" DEBUG; return 130' URG",
    "sh": "trap 'return 130' URG",
}


def shell_command(program: str | None = None, *, own_session: bool = True) -> list[str]:
    """How to start a shell that reads commands from its stdin: ``program``, else bash where there is one, else sh.

    With a session of its own where the image has ``setsid``, so that ``kill 0`` reaches nothing of ours.
    """
    plain = " --norc --noprofile"
    text = "at=; command -v setsid >/dev/null && at=setsid; " if own_session else "at=; "
    if program is None:
        text += f"if command -v bash >/dev/null; then exec $at bash{plain}; else exec $at sh; fi"
    else:
        text += f"exec $at {shlex.quote(program)}{plain if program.rpartition('/')[2] == 'bash' else ''}"
    return ["sh", "-c", text]


class Channel(Protocol):
    """A running shell process: its stdin, its output (stdout and stderr joined) and the ways to stop it."""

    def write(self, data: bytes) -> None:
        """Take all of ``data``, to be sent at once or while ``read`` waits. Raises :class:`OSError` if the shell is
        gone."""
        ...

    def read(self, timeout: float | None) -> bytes | None:
        """The next output, as much as there is; ``b""`` at its end, ``None`` if ``timeout`` seconds brought none."""
        ...

    def interrupt(self, shell: int, since: float) -> None:
        """Kill what the shell started since (on the clock of :func:`begin`), then send SIGURG to the shell.

        ``shell`` is its number inside. All processes are stopped first and the shell continued last, so that it cannot
        act on its children's death. Older background jobs, and what they started, live on.
        """
        ...

    def close(self) -> int | None:
        """End the shell and what runs in it; its exit code if it had ended by itself. Twice is fine."""
        ...


def begin() -> float:
    """Now, on the clock that tells when a process was started: seconds since the machine's boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class KeptShell:
    """The :class:`~pytest_swegym.sandbox.base.Shell` over a channel; ``start`` opens a new one when the shell ended.

    Each command is a here-document that the shell sources with an empty stdin; a mark with fresh random digits
    follows its output (see :class:`Reply`). The shell's own stderr leads nowhere, so that no option shows our lines.
    """

    def __init__(self, start: Callable[[], Channel], *, oom_kills: Callable[[], int] = lambda: 0) -> None:
        #: How many shells were started so far; a greater number than before is a fresh shell.
        self.generation = 0
        self._start = start
        self._oom_kills = oom_kills
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        self._pid = 0
        self._kind = "sh"
        self._prefix = ""
        self._options = ""
        self._code = 0

    def run(self, command: str, *, timeout: float | None = None, output_limit: int = OUTPUT_LIMIT) -> ExecResult:
        """Run ``command`` (any number of lines); see :class:`~pytest_swegym.sandbox.base.Shell`."""
        if "\0" in command:
            raise ValueError("a command cannot hold a NUL character")
        try:
            text = command.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise ValueError("a command cannot hold half a surrogate pair") from None
        with self._lock:
            channel = self._channel or self._open()
            started, since, oom_before = time.monotonic(), begin(), self._oom_kills()
            _drain(channel)
            reply = Reply(channel, Capture(output_limit), prefix=self._prefix)
            # If the shell is gone, the reply ends at once and says how.
            with suppress(OSError):
                channel.write(self._message(text, reply))
            timed_out = not reply.wait(timeout)
            if timed_out:
                self._recover(channel, reply, since)
            code = reply.code
            if code is None or not (reply.capture.value() or timed_out or self._answers(channel)):
                code, ended = self._ended(channel, timed_out), True
            else:
                ended = False
                self._keep(reply, timed_out=timed_out)
            return ExecResult(
                exit_code=code,
                stdout=reply.capture.value(),
                duration=time.monotonic() - started,
                timed_out=timed_out,
                truncated=reply.capture.truncated,
                oom=self._oom_kills() > oom_before,
                ended=ended,
            )

    def state(self) -> bytes:
        """What another shell needs to go on from here; see :class:`~pytest_swegym.sandbox.base.Shell`."""
        told = self.run(shell_state.TELL, timeout=_STATE, output_limit=_STATE_LIMIT)
        if told.ended or told.timed_out or told.truncated:
            raise SandboxError(f"the shell did not tell its state within {_STATE:g} s and {_STATE_LIMIT >> 20} MiB")
        return shell_state.parse(told.stdout, self._options).to_bytes()

    def restore(self, state: bytes) -> None:
        """Go on where the shell was whose ``state`` this is; see :class:`~pytest_swegym.sandbox.base.Shell`."""
        wanted = shell_state.State.from_bytes(state)
        done = self.run(shell_state.script(wanted), timeout=_STATE, output_limit=2**16)
        if done.ended or done.timed_out or not done.stdout.endswith(shell_state.DONE):
            raise SandboxError(f"the shell could not take a kept state: {done.output.strip()[-500:]}")
        with self._lock:
            self._options, self._code = wanted.shown, 0

    def close(self) -> None:
        """End the shell and what runs in it. Twice is fine."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
                self._channel = None

    def _open(self) -> Channel:
        channel = self._start()
        reply = Reply(channel, Capture(2**16), asked="0 $$ ${BASH_VERSION:+bash}")
        with suppress(OSError):
            channel.write(b"exec 2>/dev/null\n")
        reply.ask()
        if not reply.wait(_HELLO) or reply.code is None:
            said, code = reply.capture.value().decode(errors="replace"), channel.close()
            self._oom_kills()  # which tells if the sandbox is gone
            raise SandboxError(f"the shell did not start (exit code {code}): {said}")
        words = reply.words
        self._pid, self._kind = int(words[1]), "bash" if words[2:] == ["bash"] else "sh"
        self._prefix = _prefix(reply.before)
        self._options, self._code = "", 0
        self.generation += 1
        channel.write(_ARM[self._kind].encode() + b"\n")
        self._channel = channel
        return channel

    def _message(self, command: bytes, reply: Reply) -> bytes:
        end = f"swegym-{secrets.token_hex(8)}"
        # On the command's own first line, so that errors name its lines by their numbers.
        prefix = f"\\set -{self._options}; " if self._options else ""
        prefix += f"(exit {self._code}); " if self._code else ""
        # A plain sh ends when a special builtin fails, ``.`` by a syntax error; ``command`` is what spares it.
        off, source = (_SWITCHED + "T", "\\.") if self._kind == "bash" else (_SWITCHED, "\\command .")
        # Both streams are redirected, so that the shell keeps a copy of its own for itself. What tells the exit code is
        # read together with the command: nothing that the command does can come between.
        before = f"{source} /dev/fd/8 8<<'{end}' </dev/null 2>&1 >&2; {CODE}=\"$? $-\"\n{prefix}"
        after = f'\n{end}\n\\set +{off}; {reply.printing} "0 ${CODE}"\n'
        return before.encode() + command + after.encode()

    def _keep(self, reply: Reply, *, timed_out: bool) -> None:
        """What the next command begins with: the last one's exit code, and options that our own lines are spared.

        errexit is not among them: a failing command would end the shell.
        """
        flags = "".join(reply.words[1:2])
        self._options = "".join(option for option in "vxT" if option in flags and not (timed_out and option == "T"))
        self._code = reply.code or 0

    def _answers(self, channel: Channel) -> bool:
        """Whether a shell that printed nothing still runs commands: its limits or functions may not allow it."""
        word = secrets.token_hex(8)
        for command in (f"\\command printf {word}", f"(${{_sg{word}?{word}}}) 2>&1"):
            reply = Reply(channel, Capture(2**12), prefix=self._prefix)
            with suppress(OSError):
                channel.write(self._message(command.encode(), reply))
            if not reply.wait(_GRACE) or reply.code is None:
                return False
            if word.encode() in reply.capture.value():
                return True
        return False

    def _recover(self, channel: Channel, reply: Reply, since: float) -> None:
        """End the running command; the shell too, if it does not come back at once."""
        channel.interrupt(self._pid, since)
        reply.ask()
        if reply.wait(_GRACE) and reply.code is not None:
            channel.write(_ARM[self._kind].encode() + b"\n")

    def _ended(self, channel: Channel, timed_out: bool) -> int:
        """The exit code of a shell that ended or had to be ended; the next command gets a new one."""
        self._channel = None
        code = channel.close()
        return 137 if timed_out or code is None else code


def _drain(channel: Channel) -> None:
    """Drop what background jobs wrote since the last command: it is no output of the next."""
    deadline = time.monotonic() + _DRAIN
    while channel.read(0) and time.monotonic() < deadline:
        pass


def _prefix(said: bytes) -> str:
    """A pattern of what a shell writes before the answer to a question, from what it wrote before its first answer."""
    last = said.rpartition(b"\n")[2].decode("latin-1")
    name = re.search(r"_sg[0-9a-f]{16}: $", last)
    return re.sub(r"[0-9]+", "[0-9]+", re.escape(last[: name.start()])) if name else ""
