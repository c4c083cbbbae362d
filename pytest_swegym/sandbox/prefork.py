"""A command that was started ahead of its time, and waits for the rest of its stdin."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_swegym.sandbox.agent import Agent
from pytest_swegym.sandbox.agent import Job


#: Seconds for what a command is told as it starts to be taken from us: it fits into a pipe.
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is started, and what with: two calls that are equal start the same."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str


class Begun:
    """A command of ``call`` that runs, and has been told the ``head`` of its stdin."""

    def __init__(self, agent: Agent, call: Call, head: bytes) -> None:
        """Raises as :meth:`Agent.launch`."""
        self.call, self.head = call, head
        self._agent = agent
        self.job = agent.launch(call.argv, env=call.env, cwd=call.cwd, stdin=None)
        with contextlib.suppress(BlockingIOError):
            os.read(self.job.status, 1)  # the end of the line that said that it started: the next is its exit code
        feed(self.job, head, agent.alive, time.monotonic() + _PATIENCE)

    def fits(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, stdin: bytes) -> bool:
        """Whether it is what somebody wants to be started now."""
        return self.call == Call(argv=tuple(argv), env=env, cwd=cwd) and stdin.startswith(self.head)

    def go(self, stdin: bytes, deadline: float | None) -> Job:
        """Tell it the rest of its stdin; whoever calls follows it from here."""
        feed(self.job, stdin[len(self.head) :], self._agent.alive, deadline)
        os.close(self.job.stdin)
        self.job.stdin = -1
        return self.job

    def close(self) -> None:
        """End it. Twice is fine."""
        if self.job.out >= 0:
            if not self._agent.ended:
                self._agent.end(self.job.number)
            self.job.close()


def feed(job: Job, data: bytes, alive: int, deadline: float | None) -> None:
    """Write to a command's stdin until all is written, the command has ended, or the time is up."""
    os.set_blocking(job.stdin, False)
    poller = select.poll()
    poller.register(job.stdin, select.POLLOUT)
    for handle in (job.status, alive):
        poller.register(handle, select.POLLIN)
    rest = memoryview(data)
    while rest:
        left = None if deadline is None else max(deadline - time.monotonic(), 0) * 1000
        ready = {handle for handle, _ in poller.poll(left)}
        if ready != {job.stdin}:
            return
        with contextlib.suppress(BlockingIOError):
            rest = rest[os.write(job.stdin, rest) :]
