"""Checks of ``exec``: results, output, stdin, children, time-outs, errors."""

from __future__ import annotations

import threading
from contextlib import suppress

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.contract.expect import PROMPT
from pytest_swegym.sandbox.contract.expect import Check
from pytest_swegym.sandbox.contract.expect import equal
from pytest_swegym.sandbox.contract.expect import eventually
from pytest_swegym.sandbox.contract.expect import processes
from pytest_swegym.sandbox.contract.expect import raises
from pytest_swegym.sandbox.contract.expect import sh
from pytest_swegym.sandbox.contract.expect import true
from pytest_swegym.sandbox.contract.expect import within


def exit_code_and_streams_apart(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        result = sandbox.exec(["sh", "-c", "echo out; echo err >&2; exit 7"], timeout=60)
        equal("exit code", result.exit_code, 7)
        equal("stdout", result.stdout, b"out\n")
        equal("stderr", result.stderr, b"err\n")
        flags = (result.timed_out, result.truncated, result.oom)
        equal("timed_out, truncated, oom", flags, (False, False, False))
        equal("exit code of SIGTERM", sandbox.exec(["sh", "-c", "kill -15 $$"], timeout=60).exit_code, 143)


def words_are_never_interpreted(backend: Backend, snapshot: Snapshot) -> None:
    words = ["a b", "$HOME", "`id`", "'", '"', "\\", "", "*", "a\nb", ";ls", "-n", "é 漢字 🙂", "#x", "~", "!!"]
    with backend.start(snapshot) as sandbox:
        result = sandbox.exec(["sh", "-c", 'printf "%s\\0" "$@"', "sh", *words], timeout=60)
        equal("the words inside", result.stdout.split(b"\0")[:-1], [word.encode() for word in words])
        with raises("a NUL character in a word", ValueError):
            sandbox.exec(["echo", "a\0b"], timeout=60)


def utf8_and_binary_output(backend: Backend, snapshot: Snapshot) -> None:
    every_byte = bytes(range(256)) * 4
    with backend.start(snapshot) as sandbox:
        equal("every byte through cat", sandbox.exec(["cat"], stdin=every_byte, timeout=60).stdout, every_byte)
        text = sandbox.exec(["printf", "%s", "é漢🙂"], timeout=60)
        equal("utf-8 text", text.output, "é漢🙂")
        equal("no newline is added", text.stdout, "é漢🙂".encode())


def output_of_any_length(backend: Backend, snapshot: Snapshot) -> None:
    """100 MB on stdout: drained, and the first and last part of the limit kept."""
    script = "echo first; head -c 100000000 /dev/zero; echo; echo last"
    with backend.start(snapshot) as sandbox:
        result = sandbox.exec(["sh", "-c", script], timeout=120, output_limit=2**16)
        equal("exit code", result.exit_code, 0)
        true("truncated is set", result.truncated, result.truncated)
        true("the beginning is kept", result.stdout.startswith(b"first\n"), result.stdout[:20])
        true("the end is kept", result.stdout.endswith(b"\nlast\n"), result.stdout[-20:])
        true("at most the limit and a line are kept", len(result.stdout) < 2**16 + 200, len(result.stdout))
        exact = sandbox.exec(["head", "-c", "65536", "/dev/zero"], timeout=60, output_limit=2**16)
        equal("truncated, at exactly the limit", (exact.truncated, len(exact.stdout)), (False, 2**16))


def stdin_is_given_or_empty(backend: Backend, snapshot: Snapshot) -> None:
    data = b"line\n" * 200_000
    with backend.start(snapshot) as sandbox:
        equal("a reader without stdin", sandbox.exec(["cat"], timeout=60).stdout, b"")
        equal("a megabyte of stdin", sandbox.exec(["wc", "-c"], stdin=data, timeout=60).stdout.split(), [b"1000000"])
        equal("a command that leaves it unread", sandbox.exec(["true"], stdin=data, timeout=60).exit_code, 0)


def commands_that_cannot_start(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        equal("a program that is not there", sandbox.exec(["no-such-program"], timeout=60).exit_code, 127)
        equal("a path that is not there", sandbox.exec(["/no/such/program"], timeout=60).exit_code, 127)
        equal("a file that is no program", sandbox.exec(["/etc/passwd"], timeout=60).exit_code, 126)
        equal("a shell's builtin is no program", sandbox.exec(["eval", "exit 0"], timeout=60).exit_code, 127)


def environment_and_folder(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        values = {"SWEGYM_A": "a b $HOME 'q' \n z", "SWEGYM_EMPTY": ""}
        shown = sandbox.exec(
            ["sh", "-c", 'printf "%s|%s|" "$SWEGYM_A" "${SWEGYM_EMPTY-unset}"'], env=values, timeout=60
        )
        equal("variables", shown.output, f"{values['SWEGYM_A']}||")
        for name, value in snapshot.env.items():
            equal(f"the snapshot's {name}", sh(sandbox, f'printf %s "${name}"'), value)
        again = sh(sandbox, 'printf %s "${SWEGYM_A-unset}"')
        equal("a variable of an earlier command", again, "unset")
        bare = sandbox.exec(["/bin/sh", "-c", 'echo "${HOME-unset} $X"'], env={"X": "1"}, env_clear=True, timeout=60)
        equal("HOME with env_clear", bare.output, "unset 1\n")
        equal("cwd", sh(sandbox, "pwd -P", cwd="/tmp"), "/tmp\n")


def background_children_do_not_hold_the_call(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        with within("a command whose child keeps the output open returns", PROMPT):
            result = sandbox.exec(["sh", "-c", "sleep 86411 & echo started"], timeout=60)
        equal("exit code and output", (result.exit_code, result.stdout), (0, b"started\n"))
        equal("the child lives on", processes(sandbox, "86411"), 1)


def timeout_ends_the_whole_tree(backend: Backend, snapshot: Snapshot) -> None:
    """Children, grandchildren, new sessions, daemons with a cleared environment: all of them."""
    script = (
        "trap '' TERM INT HUP; sleep 86421 & setsid sleep 86421 & (setsid sleep 86421 &) ; "
        "(env -i setsid sleep 86421 &); sh -c 'trap \"\" TERM; sleep 86421'; sleep 86421"
    )
    with backend.start(snapshot) as sandbox:
        with within("a command with a time-out of 1 s returns", PROMPT):
            result = sandbox.exec(["sh", "-c", f"echo begun; {script}"], timeout=1)
        equal("timed_out and what it printed", (result.timed_out, result.stdout), (True, b"begun\n"))
        equal("processes left of it", processes(sandbox, "86421"), 0)
        equal("the sandbox goes on", sh(sandbox, "echo on"), "on\n")


def timeout_of_a_talker(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        with within("a command that never stops printing, with a time-out of 1 s, returns", PROMPT):
            result = sandbox.exec(["sh", "-c", "while :; do echo talk; done"], timeout=1, output_limit=1000)
        equal("timed_out and truncated", (result.timed_out, result.truncated), (True, True))


def timeout_spares_siblings(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        shell = sandbox.shell()
        shell.run("kept=yes; sleep 86431 &", timeout=60)
        found: list[ExecResult] = []
        other = threading.Thread(
            target=lambda: found.append(sandbox.exec(["sh", "-c", "sleep 3; echo done"], timeout=60))
        )
        other.start()
        equal("timed_out", sandbox.exec(["sleep", "86432"], timeout=1).timed_out, True)
        other.join(60)
        equal("a command that ran beside it", [result.stdout for result in found], [b"done\n"])
        equal("a kept shell's variable", shell.run("echo $kept", timeout=60).stdout, b"yes\n")
        equal("a kept shell's background job", processes(sandbox, "86431"), 1)


def commands_from_many_threads(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        found: dict[int, ExecResult] = {}

        def run(number: int) -> None:
            script = f"sleep 0.2; echo {number}; exit {number}"
            found[number] = sandbox.exec(["sh", "-c", script], stdin=b"x" * number, timeout=60)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
        answers = {number: (result.exit_code, result.stdout) for number, result in found.items()}
        equal("twelve at once", answers, {number: (number, b"%d\n" % number) for number in range(12)})


def interrupts_reach_programs(backend: Backend, snapshot: Snapshot) -> None:
    """SIGINT is not ignored in what is started: tests of Ctrl-C depend on it."""
    with backend.start(snapshot) as sandbox:
        ended = sandbox.exec(["sh", "-c", "kill -2 $$; echo survived"], timeout=60)
        equal("SIGINT to a command: exit code and output", (ended.exit_code, ended.stdout), (130, b""))


def zombies_are_reaped(backend: Backend, snapshot: Snapshot) -> None:
    count = "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ' || true"
    with backend.start(snapshot) as sandbox:
        for _ in range(5):
            sandbox.exec(["sh", "-c", "(sleep 0.1 &) ; (sleep 0.1 &)"], timeout=60)
        eventually("no zombie of an orphan is left", lambda: sh(sandbox, count) == "0\n")


def close_twice_then_closed(backend: Backend, snapshot: Snapshot) -> None:
    sandbox = backend.start(snapshot)
    shell = sandbox.shell()
    shell.run("x=1", timeout=60)
    sandbox.close()
    sandbox.close()
    with raises("exec after close", SandboxClosed):
        sandbox.exec(["true"], timeout=10)
    with raises("a kept shell after close", SandboxClosed):
        shell.run("true", timeout=10)
    with raises("read after close", SandboxClosed):
        sandbox.read("/etc/passwd")
    with raises("snapshot after close", SandboxClosed):
        sandbox.snapshot()
    shell.close()


def close_ends_a_running_command(backend: Backend, snapshot: Snapshot) -> None:
    sandbox = backend.start(snapshot)
    found: list[object] = []

    def run() -> None:
        try:
            found.append(sandbox.exec(["sleep", "86441"], timeout=120))
        except SandboxClosed as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    eventually("the command runs", lambda: processes(sandbox, "86441") == 1)
    sandbox.close()
    thread.join(PROMPT)
    true("the call ends with SandboxClosed", found and isinstance(found[0], SandboxClosed), found)


def killing_everything_inside_is_no_hang(backend: Backend, snapshot: Snapshot) -> None:
    """A program that kills all it can: a result or SandboxClosed, and nothing that blocks."""
    with (
        backend.start(snapshot) as sandbox,
        within("a command that kills all processes returns", 4 * PROMPT),
        suppress(SandboxClosed),
    ):
        sandbox.exec(["sh", "-c", "kill -9 -1"], timeout=10)
        sandbox.exec(["true"], timeout=10)


CHECKS: tuple[Check, ...] = (
    exit_code_and_streams_apart,
    words_are_never_interpreted,
    utf8_and_binary_output,
    output_of_any_length,
    stdin_is_given_or_empty,
    commands_that_cannot_start,
    environment_and_folder,
    background_children_do_not_hold_the_call,
    timeout_ends_the_whole_tree,
    timeout_of_a_talker,
    timeout_spares_siblings,
    commands_from_many_threads,
    interrupts_reach_programs,
    zombies_are_reaped,
    close_twice_then_closed,
    close_ends_a_running_command,
    killing_everything_inside_is_no_hang,
)
