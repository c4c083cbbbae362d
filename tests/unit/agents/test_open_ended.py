"""What the sandbox's own shell says of a command that stops too early."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_swegym.agents.lines import open_ended
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.task import EnvironmentSpec


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    backend = make_backend("bubblewrap")
    with backend.start(backend.base(EnvironmentSpec())) as started:
        yield started
    backend.close()


@pytest.mark.parametrize("shell", [None, "/bin/sh"])
def test_the_shell_is_asked(sandbox: Sandbox, shell: str | None) -> None:
    for command in ("for i in 1 2", "(", "while true", "if true; then", "f() {", "ls |", "ls &&", "case x in"):
        assert open_ended(command, sandbox, shell), command
    for command in ("ls", "for i in 1; do echo; done", "echo )", "(ls)", "echo for", "sleep 1 &", "echo {}"):
        assert not open_ended(command, sandbox, shell), command
