"""The sh texts of the Docker backend, run by the sh of this machine as a container would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from pytest_swegym.sandbox import docker_scripts as scripts
from pytest_swegym.sandbox.docker_exec import Marked


MARK = "0123456789abcdef"
SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]
PRINT = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(os.fsencode(a) for a in sys.argv[1:]))"
# Anything a command line can hold: no NUL, and bytes that are not UTF-8 as surrogates.
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30) | st.binary(
    max_size=10
).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"")))


def run(
    argv: Sequence[str],
    *,
    shell: str = "sh",
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    cwd: str | None = None,
    env_clear: bool = False,
) -> tuple[bytes, bytes, tuple[int, int] | None]:
    """What an agent makes of a command: its stdout, stderr and the numbers of the mark."""
    body = scripts.command(argv, owner="feed", env=env or {}, cwd=cwd, env_clear=env_clear, stdin=bool(stdin))
    agent = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*agent, "-c", scripts.AGENT],
        input=scripts.message(scripts.framed(body, MARK)) + stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    out, err = Marked(MARK), Marked(MARK)
    return out.add(done.stdout), err.add(done.stderr), out.numbers


@settings(max_examples=40, deadline=None)
@given(words=st.lists(WORDS, max_size=4))
def test_words_reach_the_command_as_they_are(words: list[str]) -> None:
    out, err, numbers = run([sys.executable, "-c", PRINT, *words])
    assert (err, numbers) == (b"", (0, 0))
    assert out == b"\0".join(os.fsencode(word) for word in words)


@settings(max_examples=30, deadline=None)
@given(value=WORDS)
def test_variables_reach_the_command_as_they_are(value: str) -> None:
    show = "import os, sys; sys.stdout.buffer.write(os.environb[b'A_B'] + b'|' + os.environb[b'odd.name'])"
    out, _, _ = run([sys.executable, "-c", show], env={"A_B": value, "odd.name": value})
    assert out == os.fsencode(value) + b"|" + os.fsencode(value)


@pytest.mark.parametrize("shell", SHELLS)
def test_exit_codes_are_those_of_a_shell(shell: str) -> None:
    codes = [
        (run(argv, shell=shell)[2] or (None,))[0]
        for argv in (["true"], ["sh", "-c", "exit 7"], ["no-such-command"], ["/etc/passwd"], ["sh", "-c", "kill -9 $$"])
    ]
    assert codes == [0, 7, 127, 126, 137]


@pytest.mark.parametrize("shell", SHELLS)
def test_streams_are_apart_and_hold_nothing_of_ours(shell: str) -> None:
    out, err, numbers = run(["sh", "-c", "printf out; printf err >&2; kill -9 $$"], shell=shell)
    assert (out, err, numbers) == (b"out", b"err", (137, 0))


@pytest.mark.parametrize("shell", SHELLS)
def test_stdin_goes_to_the_command_untouched(shell: str) -> None:
    data = b"3\nfirst line\n\0\xff no end of line"
    assert run(["cat"], shell=shell, stdin=data)[0] == data


@pytest.mark.parametrize("shell", SHELLS)
def test_stdin_that_is_left_over_is_never_run(shell: str) -> None:
    out, _, numbers = run(["true"], shell=shell, stdin=b"1\necho intruder\n")
    assert (out, numbers) == (b"", (0, 0))


def test_no_stdin_is_an_empty_one() -> None:
    assert run(["wc", "-c"])[0].strip() == b"0"


def test_a_folder_that_is_not_there_is_126() -> None:
    _, err, numbers = run(["true"], cwd="/no such folder")
    assert numbers == (126, 0)
    assert b"/no such folder" in err


def test_a_cleared_environment_holds_what_is_given_alone() -> None:
    out, _, _ = run(["env"], env={"A": "1"}, env_clear=True)
    assert sorted(out.split()) == [b"A=1", b"SWEGYM_EXEC=feed"]


def test_a_nul_character_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        scripts.message("echo \0")


# -- an agent that serves several commands -----------------------------------------------------------


def in_one_agent(
    shell: str, *commands: tuple[str, bytes]
) -> list[tuple[bytes, tuple[int, int] | None, tuple[int, int] | None]]:
    """What one agent makes of commands, each with its stdin: stdout, its numbers, and those of stderr."""
    marks = [f"{n:016x}" for n in range(len(commands))]
    texts = [
        scripts.message(
            scripts.framed(
                scripts.command(["sh", "-c", text], owner="feed", env={}, cwd="/", env_clear=False, stdin=bool(stdin)),
                mark,
                stdin=stdin,
            )
        )
        for mark, (text, stdin) in zip(marks, commands, strict=True)
    ]
    agent = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*agent, "-c", scripts.AGENT], input=b"".join(texts), capture_output=True, timeout=60, check=False
    )
    found = []
    for mark in marks:
        out, err = Marked(mark), Marked(mark)
        said, _ = out.add(done.stdout), err.add(done.stderr)
        done.stdout = done.stdout.partition(b" 0\x1d")[2]
        found.append((said, out.numbers, err.numbers))
    return found


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_of_one_agent_know_nothing_of_each_other(shell: str) -> None:
    first = "x=1; cd /tmp; trap 'echo trapped' EXIT; exec 2>&-; umask 0; kill -9 $$"
    found = in_one_agent(shell, (first, b""), ('echo "$x" $PWD; umask; cat', b""), ("exit 3", b""))
    told = [(said, numbers) for said, numbers, _ in found]
    assert told == [(b"", (137, 0)), (b" /\n0022\n", (0, 0)), (b"", (3, 0))]


@pytest.mark.parametrize("shell", SHELLS)
def test_stdin_that_comes_with_a_command_reaches_it_alone(shell: str) -> None:
    data = b"it's \\n $HOME `x` \xff\x81\n\n1\necho intruder\n no end of line"
    found = in_one_agent(shell, ("cat", data), ("true", data), ("head -c 4", data), ("cat", b""))
    assert [said for said, _, _ in found] == [data, b"", b"it's", b""]


@pytest.mark.parametrize("shell", SHELLS)
def test_what_was_left_running_is_told(shell: str) -> None:
    found = in_one_agent(shell, ("sleep 0.2 >/dev/null 2>&1 & echo one", b""))
    assert [(said, left) for said, _, left in found] == [(b"one\n", (1, 0))]
