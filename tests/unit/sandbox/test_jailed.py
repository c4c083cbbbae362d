"""The processes of a jail: in their control group before anything runs, and all gone at the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.jail import find_bwrap
from pytest_swegym.sandbox.jailed import Jailed
from pytest_swegym.sandbox.registry import required


class Folder:
    """A control group that takes processes by their number alone, as in version 2; a plain file stands for it."""

    visit: tuple[tuple[str, str], ...] = ()

    def __init__(self, folder: Path) -> None:
        self.members = folder / "cgroup.procs"
        self.members.touch()
        self.join = (str(self.members),)

    def attach(self, init: int, agent: int) -> None:
        """Nothing to do."""

    def oom_kills(self) -> int:
        return 0

    def remove(self) -> None:
        self.members.unlink()


@pytest.fixture(scope="module")
def bwrap() -> str:
    backend = make_backend("bubblewrap")
    reason = backend.available()
    if reason is not None:
        pytest.fail(reason) if required("bubblewrap") else pytest.skip(reason)
    return find_bwrap() or ""


def jailed(bwrap: str, group: Folder, script: str) -> Jailed:
    argv = [bwrap, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc"]
    return Jailed(argv, ["sh", "-c", script], group)


def test_the_first_process_is_a_member_before_any_other_runs(bwrap: str, tmp_path: Path) -> None:
    group = Folder(tmp_path)
    running = jailed(bwrap, group, f"[ -s {group.members} ] && echo ready; read line")
    assert group.members.read_text() == str(running.init)
    assert not running.ended
    assert running.pid > 0
    running.close()
    running.close()
    assert running.ended
    assert not os.path.exists(f"/proc/{running.init}")
    assert running.files() == -1
    with pytest.raises(SandboxClosed):
        running.send(b"x\n")


def test_one_that_ends_by_itself_is_seen_to_be_gone(bwrap: str, tmp_path: Path) -> None:
    running = jailed(bwrap, Folder(tmp_path), "echo ready; read line")
    running.send(b"go\n")
    assert running.ends(30)
    assert running.ended
    running.close()


@pytest.mark.parametrize(("script", "said"), [("echo no >&2; exit 3", "no"), ("exit 0", "bwrap gave no reason")])
def test_one_that_does_not_come_up_says_why_and_leaves_nothing(
    bwrap: str, tmp_path: Path, script: str, said: str
) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SandboxError, match=f"did not start: {said}"):
        jailed(bwrap, Folder(tmp_path), script)
    assert len(os.listdir("/proc/self/fd")) == len(before)
