"""The protocol of the kept shell over plain local shells."""

from __future__ import annotations

import shlex
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
from pytest_swegym.sandbox.shell import shell_command


ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", MARK: "tests"}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptShell]:
    folder = tmp_path_factory.mktemp("shell")
    kept = KeptShell(lambda: ShellChannel(shell_command(own_session=False), ENV, folder, str))
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


def test_half_a_surrogate_pair_is_refused(shell: KeptShell) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        shell.run("echo \ud800")


@pytest.mark.skipif(shutil.which("dash") is None, reason="no plain sh on this machine")
def test_a_plain_sh_keeps_its_variables_after_a_timeout(tmp_path: Path) -> None:
    kept = KeptShell(lambda: ShellChannel(["dash"], ENV, tmp_path, str))
    kept.run("x=kept", timeout=60)
    result = kept.run("sleep 60; echo more; sleep 60", timeout=0.3)
    assert (result.timed_out, b"more" in result.stdout) == (True, False)
    assert kept.run("echo $x", timeout=60).stdout == b"kept\n"
    kept.close()


def test_a_shell_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    kept = KeptShell(lambda: ShellChannel(["sh", "-c", "echo broken; exit 9"], ENV, tmp_path, str))
    with pytest.raises(SandboxError, match=r"exit code 9\): broken"):
        kept.run("true", timeout=10)


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize("program", ["bash", "dash"])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain=VALUES, exported=VALUES, items=st.lists(VALUES, max_size=3))
def test_any_value_goes_over_to_another_shell(
    tmp_path: Path, program: str, plain: str, exported: str, items: list[str]
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine")
    one, other = (KeptShell(lambda: ShellChannel(shell_command(program, own_session=False), ENV, tmp_path, str))
                  for _ in "12")  # fmt: skip
    try:
        one.run(f"plain={shlex.quote(plain)}; export given={shlex.quote(exported)}; readonly fixed=1", timeout=60)
        if program == "bash":
            one.run(f"items=({shlex.join(items)})", timeout=60)
        other.restore(one.state())
        assert other.run('printf %s "$plain"', timeout=60).stdout == plain.encode()
        assert other.run("printenv given", timeout=60).stdout == exported.encode() + b"\n"
        assert other.run("echo ${fixed-unset}", timeout=60).stdout == b"unset\n"
        if program == "bash":
            told = other.run("printf '%s\\0' \"${items[@]}\"; echo ${#items[@]}", timeout=60).stdout
            assert told == b"".join(item.encode() + b"\0" for item in items or [""]) + f"{len(items)}\n".encode()
    finally:
        one.close()
        other.close()


def test_what_is_no_state_is_refused(shell: KeptShell) -> None:
    for data in (b"", b"[]", b"{}", b'{"version": 2}', b'{"version": 1, "unknown": 1}'):
        with pytest.raises(ValueError, match="no state of a shell"):
            shell.restore(data)
