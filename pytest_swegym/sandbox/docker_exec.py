"""Commands in a container: each in a waiting sh, which tells its end in its output."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from mmap import mmap
from typing import TYPE_CHECKING
from typing import NoReturn

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import docker_scripts as scripts
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.docker_client import daemon_errors
from pytest_swegym.sandbox.docker_client import is_running
from pytest_swegym.sandbox.docker_stream import STDERR
from pytest_swegym.sandbox.docker_stream import STDOUT
from pytest_swegym.sandbox.docker_stream import Stream
from pytest_swegym.sandbox.output import Capture


if TYPE_CHECKING:
    from docker import APIClient


#: Seconds between two questions to the daemon whether a command that says nothing still runs.
_ASK = 1.0
#: Seconds for the last output of a command that was ended, and for the daemon to notice an agent's end.
_DRAIN, _LAST = 0.5, 2.0
#: Seconds for an agent to start on a busy machine.
_START = 60.0
#: Largest stdin, in bytes, that comes with the command: a sh reads slowly, and a pipe holds so much in any case.
_INLINE = 2**13


class Agent:
    """A waiting sh in a container, reached by its stdin and output. It serves commands one by one, or a kept shell."""

    def __init__(self, stream: Stream, exit_code: Callable[[], int | None]) -> None:
        self.stream = stream
        #: The exit code if it has ended, else ``None``; raises :class:`SandboxClosed` if the container is gone.
        self.exit_code = exit_code

    @classmethod
    def start(cls, client: APIClient, container: str) -> Agent:
        """A new one, through the daemon, known to wait. Raises :class:`SandboxClosed` or :class:`SandboxError`."""
        with daemon_errors("starting a command"):
            made = client.exec_create(
                container, ["sh", "-c", scripts.AGENT], stdin=True, environment={scripts.OWNER: "idle"}
            )
            stream = Stream(client.exec_start(made["Id"], socket=True))

        def exit_code() -> int | None:
            with daemon_errors("asking for a command's end"):
                code: int | None = client.exec_inspect(made["Id"])["ExitCode"]
            # The daemon forgets to end the command of a container that was killed: its code stays unset.
            if code is None and not is_running(client, container):
                raise SandboxClosed("the container was ended from inside")
            return code

        agent = cls(stream, exit_code)
        try:
            mark = secrets.token_hex(8)
            if agent.ask(scripts.tell(mark), mark, timeout=_START) is None:
                agent._explain(client, container)
        except BaseException:
            agent.close()
            raise
        return agent

    def _explain(self, client: APIClient, container: str) -> NoReturn:
        """Raise what it means that the agent did not start."""
        code = self.wait_code(timeout=_LAST)
        deadline = time.monotonic() + _LAST
        while time.monotonic() < deadline:  # the daemon may not know yet that the container is gone
            if not is_running(client, container):
                raise SandboxClosed("the container has ended")
            time.sleep(0.05)
        raise SandboxError(f"a command did not start in the container: exit code {code}")

    def ask(self, text: str, mark: str, *, timeout: float) -> tuple[int, int] | None:
        """Run one of our own texts, which ends with the mark; ``None`` if that does not come in time."""
        answer = Marked(mark)
        deadline = time.monotonic() + timeout
        self.stream.send(scripts.message(text))
        while answer.numbers is None and (left := deadline - time.monotonic()) > 0:
            pieces = self.stream.receive(left)
            if not pieces:
                return None
            for kind, data in pieces:
                if kind == STDOUT:
                    answer.add(data)
        return answer.numbers

    def wait_code(self, *, timeout: float) -> int | None:
        """The exit code, which the daemon knows a moment after the output has ended."""
        deadline = time.monotonic() + timeout
        while (code := self.exit_code()) is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return code

    @property
    def waits(self) -> bool:
        """Whether it is still there, and nobody has written on its output."""
        return self.stream.receive(0) is None

    def close(self) -> None:
        """Hang up. Twice is fine."""
        self.stream.close()


class Run:
    """One command in an agent, from its start to its result. ``owner`` names its processes."""

    def __init__(self, agent: Agent, *, output_limit: int) -> None:
        self.owner = secrets.token_hex(8)
        self._agent = agent
        self._mark = secrets.token_hex(8)
        self._parts = {kind: (Marked(self._mark), Capture(output_limit)) for kind in (STDOUT, STDERR)}
        self._code: int | None = None
        self._inline = False
        self._begin = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the command began."""
        return time.monotonic() - self._begin

    @property
    def told(self) -> bool:
        """Whether the agent lived to tell how the command ended."""
        return self._parts[STDOUT][0].numbers is not None

    @property
    def clean(self) -> bool:
        """Whether it is over and left no process behind, so that its agent can serve another command."""
        return self._inline and self.told and self._parts[STDERR][0].numbers == (0, 0)

    def start(self, body: str, stdin: bytes | mmap) -> None:
        """Send the command, and after it all of its stdin."""
        given = stdin if isinstance(stdin, bytes) and len(stdin) <= _INLINE and b"\0" not in stdin else None
        self._inline = given is not None
        text = scripts.message(scripts.framed(body, self._mark, stdin=given))
        self._begin = time.monotonic()
        self._agent.stream.send(text)
        if not self._inline:
            self._agent.stream.send(stdin, last=True)

    def wait(self, timeout: float | None) -> bool:
        """Take output until the command is over; ``False`` when the time is up."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._over():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            self._step(_ASK if left is None else min(left, _ASK))
        return True

    def drain(self) -> None:
        """Take what a command that was just ended had still written."""
        self.wait(_DRAIN)

    def result(self, *, timed_out: bool) -> ExecResult:
        """What the command came to."""
        for marked, capture in self._parts.values():
            capture.add(marked.rest())
        (marked, out), (_, err) = self._parts[STDOUT], self._parts[STDERR]
        code, kills = marked.numbers or (self._code, 0)
        return ExecResult(
            exit_code=137 if timed_out or code is None else code,
            stdout=out.value(),
            stderr=err.value(),
            duration=self.seconds,
            timed_out=timed_out,
            truncated=out.truncated or err.truncated,
            oom=kills > 0,
        )

    def _over(self) -> bool:
        return self._code is not None or all(marked.numbers for marked, _ in self._parts.values())

    def _step(self, timeout: float) -> None:
        pieces = self._agent.stream.receive(timeout)
        for kind, data in pieces or ():
            marked, capture = self._parts[kind]
            capture.add(marked.add(data))
        if not pieces:
            # Silence, or the end of all output without a mark: was the agent killed?
            self._code = self._agent.wait_code(timeout=0.0 if pieces is None else _LAST)


class Marked:
    """A stream up to the mark that ends it; what comes after the mark is nobody's."""

    def __init__(self, mark: str) -> None:
        #: The two numbers of the mark, once it has come.
        self.numbers: tuple[int, int] | None = None
        self._start = b"\x1d" + mark.encode() + b" "
        self._pattern = re.compile(self._start + rb"([0-9]{1,9}) ([0-9]{1,9})\x1d")
        self._held = b""

    def add(self, data: bytes) -> bytes:
        """Take more of the stream, cut anywhere; returns what surely belongs to the output."""
        if self.numbers is not None:
            return b""
        data = self._held + data
        found = self._pattern.search(data)
        if found:
            self.numbers = int(found[1]), int(found[2])
            end = found.start()
        else:
            end = len(data) - self._beginning(data)
        self._held = data[end:]
        return data[:end]

    def _beginning(self, data: bytes) -> int:
        """How many bytes at the end of ``data`` could be the beginning of the mark."""
        at = data.find(b"\x1d", max(len(data) - len(self._start) - 20, 0))
        while at >= 0:
            tail = data[at:]
            numbers = tail[len(self._start) :]
            if self._start.startswith(tail[: len(self._start)]) and not numbers.strip(b"0123456789 "):
                return len(tail)
            at = data.find(b"\x1d", at + 1)
        return 0

    def rest(self) -> bytes:
        """What was held back, if no mark came."""
        held, self._held = self._held, b""
        return held if self.numbers is None else b""
