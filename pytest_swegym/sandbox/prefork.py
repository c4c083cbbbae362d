"""A command that was started ahead of its time, and waits for the rest of its stdin."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.agent import Agent
from pytest_swegym.sandbox.agent import Job


#: Seconds for a command to come up.
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is started, and what with: two calls that are equal start the same."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str


class Begun:
    """A command of ``call`` that runs, has been told the ``head`` of its stdin, and has answered ``greeting``."""

    def __init__(self, agent: Agent, call: Call, head: bytes, greeting: bytes) -> None:
        """Raises :class:`SandboxError` if it does not answer, and as :meth:`Agent.launch`."""
        self.call, self.head = call, head
        self._agent = agent
        self.job = agent.launch(call.argv, env=call.env, cwd=call.cwd, stdin=None)
        with contextlib.suppress(BlockingIOError):
            os.read(self.job.status, 1)  # the end of the line that said that it started: the next is its exit code
        deadline = time.monotonic() + _PATIENCE
        feed(self.job, head, agent.alive, deadline)
        if not self._answers(greeting, deadline):
            self.close()
            raise SandboxError(f"{call.argv[0]}, started ahead of its time, did not come up")

    def _answers(self, greeting: bytes, deadline: float) -> bool:
        """Wait until the command has written ``greeting``, and nothing else."""
        poller = select.poll()
        for handle in (self.job.out, self.job.status, self._agent.alive):
            poller.register(handle, select.POLLIN)
        said = b""
        while said != greeting:
            ready = {handle for handle, _ in poller.poll(max(deadline - time.monotonic(), 0) * 1000)}
            if ready != {self.job.out} or not greeting.startswith(said):
                return False
            said += os.read(self.job.out, len(greeting) - len(said))
        return True

    def fits(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, stdin: bytes) -> bool:
        """Whether it still waits, and is what somebody wants to be started now."""
        wanted = self.call == Call(argv=tuple(argv), env=env, cwd=cwd) and stdin.startswith(self.head)
        return wanted and not self._ended()

    def _ended(self) -> bool:
        poller = select.poll()
        poller.register(self.job.status, select.POLLIN)
        return bool(poller.poll(0))

    def close(self) -> None:
        """End it. Twice is fine."""
        if self.job.out >= 0:
            if not self._agent.ended:
                self._agent.end(self.job.number)
            self.job.close()


def feed(job: Job, data: bytes, alive: int, deadline: float) -> None:
    """Write to the stdin of a command that says nothing yet, until it has ended or the time is up."""
    os.set_blocking(job.stdin, False)
    poller = select.poll()
    poller.register(job.stdin, select.POLLOUT)
    for handle in (job.status, alive):
        poller.register(handle, select.POLLIN)
    rest = memoryview(data)
    while rest:
        ready = {handle for handle, _ in poller.poll(max(deadline - time.monotonic(), 0) * 1000)}
        if ready != {job.stdin}:
            return
        with contextlib.suppress(BlockingIOError):
            rest = rest[os.write(job.stdin, rest) :]
