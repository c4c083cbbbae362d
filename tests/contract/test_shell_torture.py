"""The table of the contract, on each backend, with bash and with plain shells; and what two commands need."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import Backend
from pytest_swegym.sandbox import Sandbox
from pytest_swegym.sandbox import Shell
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.contract.torture import PARTS
from pytest_swegym.sandbox.contract.torture import Case
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import EnvironmentSpec


WHERE = ("bubblewrap bash", "bubblewrap dash", "bubblewrap busybox", "docker bash", "unsafe-host bash")
#: What depends on the backend, and not on the shell alone, is tried on each.
SOME = ("descriptors", "ends", "time", "jobs")
RUNS = [
    pytest.param(where, case, id=f"{where}-{case.name}")
    for where in WHERE
    for part, cases in PARTS.items()
    for case in cases
    if where.split()[1] in case.only and (part in SOME or where in WHERE[:2])
]
#: A backend without isolation is spared what would reach the tests' own processes.
HARMFUL = ("kill 0", "endless recursion")


class Machines:
    """One sandbox of each backend, started when it is first asked for."""

    def __init__(self) -> None:
        self._backends: dict[str, Backend] = {}
        self._sandboxes: dict[str, Sandbox] = {}

    def sandbox(self, name: str) -> Sandbox:
        if name not in self._sandboxes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                backend = self._backends[name] = make_backend(name)
            reason = backend.available()
            if reason is not None:
                pytest.fail(reason) if required(name) else pytest.skip(reason)
            self._sandboxes[name] = backend.start(backend.base(EnvironmentSpec(python=">=3.8")))
        return self._sandboxes[name]

    def close(self) -> None:
        for backend in self._backends.values():
            backend.close()


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    machines = Machines()
    yield machines
    machines.close()


@pytest.fixture
def sandbox(where: str, machines: Machines, request: pytest.FixtureRequest) -> Sandbox:
    name = where.split()[0]
    if name == "docker":
        request.getfixturevalue("docker_image")
    return machines.sandbox(name)


@pytest.fixture
def shell(where: str, sandbox: Sandbox) -> Iterator[Shell]:
    kind = where.split()[1]
    program = None if kind == "bash" else kind
    if kind == "busybox":
        busybox = shutil.which("busybox")
        if busybox is None:
            pytest.skip("no busybox on this machine")
        program = "/tmp/applets/sh"
        if sandbox.exec(["test", "-x", program]).exit_code:
            sandbox.write(program, Path(busybox).read_bytes(), mode=0o755)
    if kind == "dash" and sandbox.exec(["dash", "-c", ":"]).exit_code:
        pytest.skip("no dash inside")
    shell = sandbox.shell(cwd="/tmp", program=program)
    yield shell
    shell.close()


@pytest.mark.parametrize(("where", "case"), RUNS)
def test_a_shell_survives_or_says_that_it_is_a_fresh_one(where: str, case: Case, shell: Shell) -> None:
    if where.startswith("unsafe") and case.name in HARMFUL:
        pytest.skip("nothing holds it there")
    shell.run("x=kept; f() { echo function; }; cd /", timeout=60)
    before = shell.generation
    result = shell.run(case.command, timeout=case.timeout or 60, output_limit=10_000)
    if case.after != "either":
        assert result.ended == (case.after == "ended"), result
    assert case.prints is None or result.stdout == case.prints
    assert case.code is None or result.exit_code == case.code
    # An option, a job or a file size may add to what is printed: that is what the command asked for.
    state = shell.run('(: "${x-}"; echo "<${x-gone}>")', timeout=60)
    assert (b"<gone>" if result.ended else b"<kept>") in state.stdout
    assert shell.generation == before + result.ended
    assert b"<again>" in shell.run("echo '<again>'", timeout=60).stdout


@pytest.mark.parametrize("where", WHERE)
def test_a_timeout_spares_older_jobs_and_their_children(where: str, shell: Shell) -> None:
    shell.run("(while :; do sleep 0.05; done) & old=$!; x=kept; sleep 0.1", timeout=60)
    assert shell.run("sleep 86371 & new=$!; sleep 86371", timeout=0.3).timed_out
    alive = shell.run('kill -0 $old && echo old; kill -0 $new 2>/dev/null && echo new; echo "$x"', timeout=60)
    assert alive.stdout == b"old\nkept\n"
    assert shell.run("kill $old; true", timeout=60).exit_code == 0
    assert shell.generation == 1


@pytest.mark.parametrize("where", WHERE)
def test_what_jobs_print_between_two_commands_is_no_output_of_the_second(where: str, shell: Shell) -> None:
    shell.run("rm -f /tmp/printed; (echo late; : >/tmp/printed) & :", timeout=60)
    shell.run("while ! [ -e /tmp/printed ]; do sleep 0.01; done", timeout=60)
    assert shell.run("echo mine", timeout=60).stdout == b"mine\n"
    shell.run("false", timeout=60)
    assert shell.run("echo $?", timeout=60).stdout == b"1\n"


@pytest.mark.parametrize("where", ["bubblewrap bash", "bubblewrap dash", "docker bash"])
def test_a_state_goes_over_to_another_shell(where: str, sandbox: Sandbox, shell: Shell) -> None:
    shell.run("mkdir -p '/tmp/a b'; cd '/tmp/a b'; x='1 \"2'; export Y=\"a'b\nc\"; umask 027; alias ll='echo lala'",
              timeout=60)  # fmt: skip
    bash = where.endswith("bash")
    if bash:
        shell.run(
            "arr=(1 '2 3'); declare -A map=([k k]=v); f() { echo \"f $1\"; }; shopt -s extglob; set -u", timeout=60
        )
    other = sandbox.shell(program=None if bash else "dash")
    other.restore(shell.state())
    assert other.run('pwd; echo "$x"; sh -c \'echo "$Y"\'; umask', timeout=60).stdout == (
        b"/tmp/a b\n1 \"2\na'b\nc\n0027\n"
    )
    assert b"lala" in other.run("alias", timeout=60).stdout
    if bash:
        listing = other.run('echo "${arr[1]}" "${map[k k]}"; f g; [[ ab == @(ab|c) ]] && echo $-', timeout=60).stdout
        assert listing.startswith(b"2 3 v\nf g\n")
        assert b"u" in listing.splitlines()[-1]
    other.close()


@pytest.mark.parametrize("where", ["bubblewrap bash", "docker bash"])
def test_a_program_that_is_not_there_is_an_error(where: str, sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="did not start"):
        sandbox.shell(program="/no/such/shell").run("true", timeout=60)


@pytest.mark.parametrize("where", ["bubblewrap bash"])
def test_a_very_long_line(where: str, shell: Shell) -> None:
    result = shell.run(f"word={'x' * 2**20}; echo ${{#word}}; exit 3", timeout=300)
    assert (result.stdout, result.exit_code, result.ended) == (b"1048576\n", 3, True)
