"""The protocol of the kept shell over plain local shells."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.host_process import MARK
from pytest_swegym.sandbox.host_process import ShellChannel
from pytest_swegym.sandbox.shell import KeptShell


ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", MARK: "tests"}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptShell]:
    folder = tmp_path_factory.mktemp("shell")
    kept = KeptShell(lambda: ShellChannel(ENV, folder, str))
    yield kept
    kept.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300).filter(lambda data: b"\0" not in data))
def test_any_output_comes_back_as_it_was(shell: KeptShell, data: bytes) -> None:
    octal = "".join(f"\\{byte:03o}" for byte in data)
    result = shell.run(f"printf '{octal}'; (exit {len(data) % 256})", timeout=60)
    assert result.stdout == data
    assert result.exit_code == len(data) % 256


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=80))
def test_no_text_gets_the_shell_out_of_step(shell: KeptShell, text: str) -> None:
    quoted = text.replace("'", "'\\''")
    assert shell.run(f"printf %s '{quoted}'", timeout=60).stdout == text.encode()
    # Sourced as it is, inside a function that is never called, or as a syntax error: the next command is not affected.
    shell.run(f"never() {{\n: {text}\n}}", timeout=5)
    assert shell.run("echo in step", timeout=60).stdout == b"in step\n"


def test_a_nul_is_refused(shell: KeptShell) -> None:
    with pytest.raises(ValueError, match="NUL"):
        shell.run("echo a\0b")


@pytest.mark.skipif(shutil.which("dash") is None, reason="no plain sh on this machine")
def test_a_plain_sh_keeps_its_variables_after_a_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_swegym.sandbox.host_process.SHELL_COMMAND", ("dash",))
    kept = KeptShell(lambda: ShellChannel(ENV, tmp_path, str))
    kept.run("x=kept", timeout=60)
    result = kept.run("sleep 60; echo more; sleep 60", timeout=0.3)
    assert (result.timed_out, b"more" in result.stdout) == (True, False)
    assert kept.run("echo $x", timeout=60).stdout == b"kept\n"
    kept.close()


def test_a_shell_that_does_not_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_swegym.sandbox.host_process.SHELL_COMMAND", ("sh", "-c", "echo broken; exit 9"))
    kept = KeptShell(lambda: ShellChannel(ENV, tmp_path, str))
    with pytest.raises(SandboxError, match=r"exit code 9\): broken"):
        kept.run("true", timeout=10)
