from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox.base import VENV
from pytest_swegym.sandbox.unsafe_host import UnsafeHostBackend
from pytest_swegym.task import EnvironmentSpec


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UnsafeHostBackend]:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path / "cache"))
    with pytest.warns(UserWarning, match="NO isolation"):
        backend = UnsafeHostBackend()
    yield backend
    backend.close()


def test_our_paths_mean_folders_of_the_tree(backend: UnsafeHostBackend) -> None:
    with backend.start(backend.base(EnvironmentSpec())) as sandbox:
        sandbox.write("/testbed/src/f", b"text")
        assert (sandbox.tree / "testbed/src/f").read_bytes() == b"text"
        result = sandbox.exec(["sh", "-c", 'cat /testbed/src/f; cat "$WHERE/f"'], env={"WHERE": "/testbed/src"})
        assert result.stdout == b"texttext"
        assert sandbox.exec(["cat", "f"], cwd="/testbed/src").stdout == b"text"
        assert sandbox.exec(["echo", "/usr/testbed /testbeds x/tmp"]).stdout == b"/usr/testbed /testbeds x/tmp\n"
        shell = sandbox.shell(cwd="/testbed")
        assert shell.run("cd src; cat /testbed/src/f").stdout == b"text"
        shell.close()


def test_a_virtualenv_works_in_a_fork(backend: UnsafeHostBackend) -> None:
    base = backend.base(EnvironmentSpec())
    sandbox = backend.start(base)
    assert sandbox.exec([base.python, "-m", "venv", "--without-pip", VENV], timeout=120).exit_code == 0
    sandbox.write(f"{VENV}/bin/tool", f"#!{sandbox.tree}{VENV}/bin/python\nprint('ran')\n".encode(), mode=0o755)
    saved = backend.save(sandbox, "venv", env={**base.env}, python=f"{VENV}/bin/python")
    assert backend.find("venv") == saved
    with backend.start(saved) as fork:
        assert fork.exec([f"{VENV}/bin/tool"], timeout=60).stdout == b"ran\n"
        prefix = fork.exec([saved.python, "-c", "import sys; print(sys.prefix)"], timeout=60)
        assert prefix.output.strip() == f"{fork.tree}{VENV}"


def test_a_timeout_ends_children(backend: UnsafeHostBackend) -> None:
    with backend.start(backend.base(EnvironmentSpec())) as sandbox:
        result = sandbox.exec(["sh", "-c", "setsid sleep 86381 & echo begun; sleep 86381"], timeout=0.5)
        assert (result.timed_out, result.exit_code, result.stdout) == (True, 137, b"begun\n")
        running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        assert b"sleep\x0086381\x00" not in running


def test_errors_are_as_everywhere(backend: UnsafeHostBackend) -> None:
    sandbox = backend.start(backend.base(EnvironmentSpec()))
    assert sandbox.exec(["no-such-program"]).exit_code == 127
    with pytest.raises(FileNotFoundError):
        sandbox.read("/tmp/absent")
    sandbox.close()
    sandbox.close()
    with pytest.raises(SandboxClosed):
        sandbox.exec(["true"])
    with pytest.raises(EnvironmentBuildError, match="runs none"):
        backend.base(EnvironmentSpec(image="python:3.11"))
