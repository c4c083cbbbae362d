"""The kept shell of a container over one exec socket."""

from __future__ import annotations

import functools
import secrets
import threading
import time
from collections.abc import Callable

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import docker_scripts as scripts
from pytest_swegym.sandbox.docker_exec import Agent
from pytest_swegym.sandbox.docker_exec import Marked
from pytest_swegym.sandbox.docker_stream import STDERR
from pytest_swegym.sandbox.docker_stream import STDOUT
from pytest_swegym.sandbox.shell import begin


#: Seconds of silence after which the daemon is asked whether the shell's agent still runs.
_ASK = 1.0

#: Seconds for which a container may answer nothing before that is a fault.
_GIVE_UP = 12.0


class ShellChannel:
    """What :class:`~pytest_swegym.sandbox.shell.KeptShell` speaks over.

    ``body`` is the text that becomes the shell of an owner, ``do`` runs one of our texts beside it.
    """

    def __init__(self, agent: Agent, body: Callable[[str], str], do: Callable[[Callable[[str], str]], None]) -> None:
        self._agent = agent
        self._do = do
        self._owner = secrets.token_hex(8)
        mark = secrets.token_hex(8)
        self._streams = {STDOUT: Marked(mark), STDERR: Marked(mark)}
        self._begin = self._heard = time.monotonic()
        self._code: int | None = None
        self._closed = False
        agent.stream.send(scripts.message(scripts.framed(body(self._owner), mark)))

    def write(self, data: bytes) -> None:
        self._agent.stream.send(data)

    def read(self, timeout: float | None) -> bytes | None:
        if self._code is not None:
            return b""
        pieces = self._agent.stream.receive(_ASK if timeout is None else min(timeout, _ASK))
        data = b"".join(self._streams[kind].add(piece) for kind, piece in pieces or ())
        ended = self._streams[STDOUT].numbers
        if ended:
            self._code = ended[0]
        elif pieces:
            self._heard = time.monotonic()
        elif pieces is not None or time.monotonic() - self._heard >= _ASK:
            # Only an agent that was killed ends without the mark, or falls silent before it.
            self._code = self._agent.wait_code(timeout=0.0 if pieces is None else _ASK)
            self._heard = time.monotonic()
        return data or (None if self._code is None else b"")

    def interrupt(self, shell: int, since: float) -> None:
        # A container may have a clock of its own: only how long ago is the same everywhere.
        self._do(lambda mark: scripts.interrupt(self._owner, begin() - since, shell, mark))

    def close(self) -> int | None:
        if not self._closed:
            self._closed = True
            try:
                self._do(functools.partial(scripts.end_command, self._owner, self._seconds))
            except SandboxError:
                return self._code  # the container is gone, and everything with it
            finally:
                self._agent.close()
        return self._code

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._begin


class OomCounter:
    """Asks how many processes of a container were killed for memory, over a connection of its own."""

    def __init__(self, start: Callable[[], Agent]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._agent: Agent | None = None

    def read(self) -> int:
        """The number so far. Raises :class:`SandboxClosed` if the container is gone."""
        with self._lock:
            # Killed from inside, a new one is asked. A container that is just ending may kill that one too,
            # before the daemon says that it is gone: hence not twice, but for a while.
            give_up = time.monotonic() + _GIVE_UP
            while time.monotonic() < give_up:
                self._agent = self._agent or self._start()
                mark = secrets.token_hex(8)
                answer = self._agent.ask(scripts.oom_count(mark), mark, timeout=5.0)
                if answer is not None:
                    return answer[0]
                self._agent.close()
                self._agent = None
                time.sleep(0.05)
        raise SandboxError("cannot tell whether a process was killed for memory: no answer from the container")

    def close(self) -> None:
        """Hang up. Twice is fine."""
        with self._lock:
            if self._agent is not None:
                self._agent.close()
                self._agent = None
