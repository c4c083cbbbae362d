"""Checks of the kept shell."""

from __future__ import annotations

from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Shell
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.contract.expect import PROMPT
from pytest_swegym.sandbox.contract.expect import Check
from pytest_swegym.sandbox.contract.expect import equal
from pytest_swegym.sandbox.contract.expect import processes
from pytest_swegym.sandbox.contract.expect import true
from pytest_swegym.sandbox.contract.expect import within


def _alive(shell: Shell, after: str) -> None:
    equal(f"a command after {after}", shell.run("echo alive", timeout=60).stdout, b"alive\n")


def shell_state_lives_on(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        shell = sandbox.shell(cwd="/tmp", env={"GIVEN": "g"})
        shell.run("mkdir -p a; cd a; x='1 2'; f() { echo \"f $1\"; }; export Y=y", timeout=60)
        equal("folder, variables, function", shell.run('pwd; echo "$x $Y $GIVEN"; f z', timeout=60).stdout,
              b"/tmp/a\n1 2 y g\nf z\n")  # fmt: skip
        equal("exit code", shell.run("(exit 3)", timeout=60).exit_code, 3)
        joined = shell.run("echo out; echo err >&2; echo out", timeout=60)
        equal("stderr is joined in order", (joined.stdout, joined.stderr), (b"out\nerr\nout\n", b""))
        shell.close()
        shell.close()


def shell_takes_any_text(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        shell = sandbox.shell()
        for command, expected in (
            ("cat <<'EOF'\n$x `y`\nEOF", b"$x `y`\n"),
            ("cat <<EOF\n  two\nlines\nEOF\n", b"  two\nlines\n"),
            ("printf 'no newline'", b"no newline"),
            ("", b""),
            ("# a comment", b""),
            ("echo a; # comment", b"a\n"),
            ("for i in 1 2\ndo\n  echo $i\ndone", b"1\n2\n"),
            ("printf '\\000\\001\\377\\036'", b"\x00\x01\xff\x1e"),
            ("echo é漢🙂", "é漢🙂\n".encode()),
            ("cat", b""),
            ("read -r line; echo \"got $line\"", b"got \n"),
            ("echo \\\n  continued", b"continued\n"),
        ):  # fmt: skip
            equal(f"output of {command!r}", shell.run(command, timeout=60).stdout, expected)
        big = shell.run(f"echo {'x' * 200_000} | wc -c", timeout=60)
        equal("a long command", big.stdout.split(), [b"200001"])
        long = shell.run("head -c 30000000 /dev/zero", timeout=60, output_limit=1000)
        true("a long output is cut", long.truncated and len(long.stdout) < 1200, len(long.stdout))
        _alive(shell, "a long output")


def shell_survives_bad_syntax(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        shell = sandbox.shell()
        for command in ("echo 'open", "(", "if true; then", "fi", "cat <<EOF\nno end", "${", "$((1/0))"):
            shell.run(command, timeout=60)
            _alive(shell, repr(command))


def shell_that_ends_is_replaced(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        shell = sandbox.shell(cwd="/tmp")
        for command, code in (
            ("exit 5", 5),
            ("set -e; false; echo never", 1),
            ("exec sh -c 'echo replaced; exit 4'", 4),
            ("kill -9 $$", 137),
        ):
            with within(f"{command!r} returns", PROMPT):
                equal(f"exit code of {command!r}", shell.run(command, timeout=60).exit_code, code)
            equal(f"the shell after {command!r}", shell.run("pwd", timeout=60).stdout, b"/tmp\n")
        shell.run("exec > /dev/null", timeout=60)
        _alive(shell, "'exec > /dev/null'")
        shell.run("set -x; set -v; echo traced", timeout=60)
        true("a traced command returns", shell.run("echo seen", timeout=60).stdout.endswith(b"seen\n"))


def shell_timeout_spares_the_shell(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        shell = sandbox.shell(cwd="/tmp")
        shell.run("x=kept; loop() { sleep 86451; echo inner; }", timeout=60)
        commands = [
            "sleep 86451; echo more; sleep 86451",
            "while :; do :; done",
            "(trap '' TERM INT; sleep 86451) | cat; sleep 86451",
            "setsid sleep 86451 & wait",
            "y=$(sleep 86451)",
        ]
        if shell.run('test -n "$BASH_VERSION"', timeout=60).exit_code == 0:
            # A plain sh comes back as well, but as a new one: it cannot leave a loop from within a function.
            commands += ["while :; do loop; done", "eval 'eval loop; loop'; loop"]
        for command in commands:
            with within(f"{command!r} with a time-out of 1 s returns", PROMPT):
                result = shell.run(f"echo begun; {command}", timeout=1)
            true(f"{command!r} is timed out", result.timed_out, result)
            true("what it printed is kept", result.stdout.startswith(b"begun\n"), result)
            equal(f"processes left of {command!r}", processes(sandbox, "86451"), 0)
            equal(f"the shell after {command!r}", shell.run('echo "$x"; pwd', timeout=60).stdout, b"kept\n/tmp\n")


def shell_background_jobs(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        shell = sandbox.shell()
        with within("a shell command with a background job returns", PROMPT):
            equal("its output", shell.run("sleep 86461 & echo back", timeout=60).stdout, b"back\n")
        equal("the job lives on", processes(sandbox, "86461"), 1)
        equal(
            "it can be ended", shell.run("kill $!; wait $! 2>/dev/null; echo ended", timeout=60).stdout[-6:], b"ended\n"
        )
        other = sandbox.shell()
        other.run("z=1", timeout=60)
        equal("shells do not share variables", shell.run('echo "${z-unset}"', timeout=60).stdout, b"unset\n")


CHECKS: tuple[Check, ...] = (
    shell_state_lives_on,
    shell_takes_any_text,
    shell_survives_bad_syntax,
    shell_that_ends_is_replaced,
    shell_timeout_spares_the_shell,
    shell_background_jobs,
)
