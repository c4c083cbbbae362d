"""What is told to a command that waits for its stdin."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

import pytest

from pytest_swegym.sandbox.agent import Job
from pytest_swegym.sandbox.prefork import feed


class Pipes:
    def __init__(self) -> None:
        self.read, stdin = os.pipe()
        status, self.status = os.pipe()
        self.alive, self.gone = os.pipe()
        self.job = Job(number=1, out=-1, status=status, stdin=stdin)

    def close(self) -> None:
        self.job.close()
        for handle in (self.read, self.status, self.alive, self.gone):
            os.close(handle)


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes()
    yield made
    made.close()


def test_more_than_a_pipe_holds_arrives_whole(pipes: Pipes) -> None:
    data, found = bytes(range(256)) * 4096, bytearray()

    def read() -> None:
        while len(found) < len(data):
            found.extend(os.read(pipes.read, 70000))

    reader = threading.Thread(target=read)
    reader.start()
    feed(pipes.job, data, pipes.alive, time.monotonic() + 60)
    reader.join(60)
    assert bytes(found) == data


@pytest.mark.parametrize("end", ["the command", "the sandbox", "the time"])
def test_nobody_waits_for_a_command_that_reads_no_more(pipes: Pipes, end: str) -> None:
    if end == "the command":
        os.write(pipes.status, b"1\n")
    if end == "the sandbox":
        os.write(pipes.gone, b"x")
    feed(pipes.job, bytes(2**20), pipes.alive, time.monotonic() + (0.05 if end == "the time" else 60))
    os.set_blocking(pipes.read, False)
    with contextlib.suppress(BlockingIOError):
        assert len(os.read(pipes.read, 2**21)) < 2**20
