"""A Python that was started ahead of the patch grades as one that is started when it is needed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from typing import cast

import pytest

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.grading import grade
from pytest_swegym.grading.run import begin_tests
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.base import Starter
from pytest_swegym.sandbox.bubblewrap import BubblewrapBackend
from pytest_swegym.sandbox.embedded import EmbeddedSandbox
from pytest_swegym.task import Grade
from pytest_swegym.task import Verdict
from pytest_swegym.task.spec import EnvironmentSpec


#: A repository that notes what of its own is loaded when its first file is, under names that its runner imports.
BASE = {
    "pkg/__init__.py": "def double(x):\n    return x\n",
    "conftest.py": (
        "import os\nimport sys\n\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
        "OWN = [n for n, m in sorted(sys.modules.items()) if str(getattr(m, '__file__', '')).startswith(HERE)]\n"
        "STDIN = os.readlink('/proc/self/fd/0')\n"
    ),
    "iniconfig.py": "raise SystemExit('of the repository')\n",
    "pluggy.py": "raise SystemExit('of the repository')\n",
}
FIX = {"pkg/__init__.py": "from pkg.new import double\n", "pkg/new.py": "def double(x):\n    return x + x\n"}
TESTS = {
    "tests/test_pkg.py": (
        "import conftest\nfrom pkg import double\n\n\ndef test_alone():\n    assert conftest.OWN == ['conftest']\n"
        "    assert conftest.STDIN == '/dev/null'\n\n\ndef test_two():\n    assert double(2) == 4\n"
    )
}
LISTS = {"fail_to_pass": ["tests/test_pkg.py::test_two"], "pass_to_pass": ["tests/test_pkg.py::test_alone"]}
#: Where the interpreter looks as it starts; what is there before it is put back must not run.
CHEAT = {"pkg/__init__.py": "import os\n\nos._exit(0)\n", "sitecustomize.py": "import os\n\nos._exit(0)\n"}


@pytest.fixture(scope="module")
def preforked() -> Iterator[Lab]:
    backend = BubblewrapBackend()
    if backend.available() is not None:
        pytest.skip("no bubblewrap")
    lab = Lab(backend, prefork=True)
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def base(preforked: Lab) -> Snapshot:
    return preforked.backend.base(EnvironmentSpec(python="3.11"))


@pytest.fixture
def sandbox(preforked: Lab, base: Snapshot) -> Iterator[EmbeddedSandbox]:
    assert isinstance(preforked.backend, BubblewrapBackend)
    with preforked.backend.start(base) as started:
        yield started


def test_grades_are_the_same_whoever_started_the_python(preforked: Lab, make_bench: Any) -> None:
    bench = make_bench(BASE, fix=FIX, tests=TESTS, **LISTS)
    prepared = preforked.prepare(bench.task)

    def graded(patch: str) -> Grade:
        with preforked.computing(bench.task.spec, prepared.snapshot, tests=bench.task) as workspace:
            return grade(bench.task, patch, workspace, baseline=prepared.baseline)

    wrong, cheat = bench.diff({"pkg/other.py": "x = 1\n"}), bench.diff(CHEAT)
    for patch in (wrong, wrong, bench.gold, wrong, cheat, bench.gold):  # from the third on with one that was ready
        ahead, plain = graded(patch), bench.grade(patch)
        settle(preforked)
        assert (ahead.verdict, ahead.fail_to_pass, ahead.pass_to_pass, ahead.exit_code) == (
            plain.verdict, plain.fail_to_pass, plain.pass_to_pass, plain.exit_code
        )  # fmt: skip
        assert (ahead.verdict is Verdict.RESOLVED) == (patch == bench.gold), ahead.reasons
    assert "2 passed" in graded(bench.gold).log.decode()


def test_a_grade_uses_the_python_that_waits(preforked: Lab, make_bench: Any) -> None:
    bench = make_bench(BASE, fix=FIX, tests=TESTS, **LISTS)
    prepared = preforked.prepare(bench.task)
    with preforked.workspace(bench.task.spec, prepared.snapshot) as workspace:
        assert begin_tests(bench.task, workspace.sandbox)
        (waiting,) = [pid for pid in _pythons(workspace.sandbox) if pid]
        assert grade(bench.task, bench.gold, workspace, baseline=prepared.baseline).verdict is Verdict.RESOLVED
        assert waiting not in _pythons(workspace.sandbox)


def test_what_does_not_come_up_is_told_and_ended(sandbox: EmbeddedSandbox) -> None:
    for argv in (["true"], ["echo", "other"], ["sh", "-c", "exit 3"]):
        with pytest.raises(SandboxError, match="did not come up"):
            sandbox.begin(argv, greeting=b"ready\n")
    assert sandbox.exec(["cat"], stdin=b"x").stdout == b"x"


def test_another_runner_or_sandbox_starts_it_when_it_is_needed(preforked: Lab, make_bench: Any) -> None:
    bench = make_bench(BASE, fix=FIX, tests=TESTS, **{**LISTS, "test_command": "tox"})
    with preforked.backend.start(preforked.backend.base(EnvironmentSpec(python="3.11"))) as plain:
        assert not begin_tests(bench.task, plain)
    python = replace(bench.task, spec=replace(bench.task.spec, test_command="python -m pytest"))
    assert not begin_tests(python, cast("Sandbox", object()))


def test_a_command_waits_for_the_rest_of_its_stdin(sandbox: EmbeddedSandbox) -> None:
    assert isinstance(sandbox, Starter)
    sandbox.begin(["cat"], env={"A": "1"}, head=b"one ", greeting=b"one ")
    assert sandbox.exec(["cat"], stdin=b"one more").stdout == b"one more"  # without A: another command
    assert sandbox.exec(["cat"], env={"A": "1"}, stdin=b"two").stdout == b"two"  # another beginning
    long = b"one " + bytes(3 * 2**20)
    found = sandbox.exec(["cat"], env={"A": "1"}, stdin=long)
    assert (found.stdout, found.stderr, found.exit_code, found.timed_out) == (long[4:], b"", 0, False)
    assert sandbox.exec(["cat"], env={"A": "1"}, stdin=b"one two").stdout == b"one two"


def test_one_that_was_killed_as_it_waited_is_started_anew(sandbox: EmbeddedSandbox) -> None:
    sandbox.begin(["cat"], head=b"one ", greeting=b"one ")
    assert (
        sandbox.exec(["sh", "-c", "pkill -9 -x cat; while pgrep -x cat; do sleep 0.01; done; sleep 0.3"]).exit_code == 0
    )
    found = sandbox.exec(["cat"], stdin=b"one two")
    assert (found.stdout, found.exit_code) == (b"one two", 0)


def test_its_time_begins_with_the_rest_and_ends_its_whole_tree(sandbox: EmbeddedSandbox) -> None:
    argv = ["sh", "-c", "sleep 300 & read -r line; cat >/dev/null; echo end; wait"]
    sandbox.begin(argv, head=b"line\n")
    assert sandbox.exec(["true"]).exit_code == 0
    found = sandbox.exec(argv, stdin=b"line\nrest", timeout=1)
    assert (found.timed_out, found.stdout) == (True, b"end\n")
    assert sandbox.exec(["pgrep", "sleep"]).exit_code == 1


def test_one_waits_at_a_time_and_none_when_the_sandbox_is_gone(preforked: Lab, base: Snapshot) -> None:
    sandbox = preforked.backend.start(base)
    assert isinstance(sandbox, EmbeddedSandbox)
    sandbox.begin(["cat", "-"])
    sandbox.begin(["cat"])
    assert sandbox.exec(["pgrep", "-c", "-x", "cat"]).stdout == b"1\n"
    assert len(_fifos(sandbox)) == 4
    sandbox.close()
    assert _fifos(sandbox) == []
    with pytest.raises(SandboxClosed):
        sandbox.exec(["cat"])
    with pytest.raises(SandboxClosed):
        sandbox.begin(["cat"])


def settle(lab: Lab) -> None:
    """Wait for what is made ahead."""
    assert lab.spares is not None
    lab.spares.settle()


def _pythons(sandbox: Any) -> set[int]:
    found = sandbox.exec(["pgrep", "-f", "swegym_launch"]).stdout
    return {int(line) for line in found.split()}


def _fifos(sandbox: EmbeddedSandbox) -> list[str]:
    """The FIFOs of a sandbox that this process holds."""
    found = []
    for handle in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{handle}"))
    return [path for path in found if path.startswith(f"{sandbox.folder}/ctl/")]
