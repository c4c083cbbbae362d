"""Checks of ``snapshot``, ``save``, ``find`` and of forks."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Dropper
from pytest_swegym.sandbox.base import Keeper
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.contract.expect import Check
from pytest_swegym.sandbox.contract.expect import equal
from pytest_swegym.sandbox.contract.expect import raises
from pytest_swegym.sandbox.contract.expect import sh
from pytest_swegym.sandbox.contract.expect import true


_CHANGES = (
    "mkdir -p /srv && cd /srv && mkdir -p keep gone && echo 1 > keep/a && echo 2 > gone/b && ln keep/a keep/hard "
    "&& ln -s a keep/soft && mkfifo keep/fifo && chmod 700 keep"
)


def forks_are_independent(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as one, backend.start(snapshot) as two:
        one.write("/tmp/one", b"1")
        with raises("a file of another fork", FileNotFoundError):
            two.read("/tmp/one")


def moment_is_frozen_and_forked(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        sh(sandbox, f"{_CHANGES} && mkdir -p /srv/closed/in && echo 3 > /srv/closed/in/f && chmod 0 /srv/closed")
        moment = sandbox.snapshot()
        sh(sandbox, "cd /srv && rm -r gone && echo later > keep/a")
        with backend.start(moment) as fork:
            equal("a file of that moment", fork.read("/srv/keep/a"), b"1\n")
            equal("a link", fork.read("/srv/keep/soft"), b"1\n")
            equal("hard links", sh(fork, "stat -c %h /srv/keep/hard"), "2\n")
            equal("below a closed folder", sh(fork, "chmod 700 /srv/closed; cat /srv/closed/in/f"), "3\n")
            equal("a folder's mode", sh(fork, "stat -c %a /srv/keep"), "700\n")
            sh(fork, "rm -r /srv/gone; echo fork > /srv/keep/a")
            second = fork.snapshot()
        equal("the first sandbox", sandbox.read("/srv/keep/a"), b"later\n")
        with backend.start(moment) as fork:
            equal("a second fork of that moment", fork.read("/srv/gone/b"), b"2\n")
        with backend.start(second) as fork:
            with raises("a file that was removed before the moment", FileNotFoundError):
                fork.read("/srv/gone/b")
            equal("a file changed before the moment", fork.read("/srv/keep/a"), b"fork\n")


def moment_of_a_busy_sandbox(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        shell = sandbox.shell()
        shell.run("mkdir -p /srv; x=1; (while :; do echo tick >> /srv/log; sleep 0.01; done) & sleep 0.2", timeout=60)
        moment = sandbox.snapshot()
        equal("the shell goes on", shell.run("echo $x", timeout=60).stdout, b"1\n")
        with backend.start(moment) as fork:
            before = fork.read("/srv/log")
            sh(fork, "sleep 0.2")
            equal("no process runs on in a fork", fork.read("/srv/log"), before)


@contextmanager
def _fresh_key(backend: Backend) -> Iterator[str]:
    """A key that nothing was saved under; what is saved under it goes, if the backend can remove what it keeps."""
    key = f"contract-{secrets.token_hex(8)}"
    try:
        yield key
    finally:
        if isinstance(backend, Keeper):
            backend.evict(key, unused_for=0)


def saved_snapshot_is_found(backend: Backend, snapshot: Snapshot) -> None:
    with _fresh_key(backend) as key:
        _save_and_find(backend, snapshot, key)


def _save_and_find(backend: Backend, snapshot: Snapshot, key: str) -> None:
    equal("find before save", backend.find(key), None)
    sandbox = backend.start(snapshot)
    sh(sandbox, f"{_CHANGES} && rm -r gone")
    saved = backend.save(sandbox, key, env={**snapshot.env, "SAVED": "yes"}, python=snapshot.python)
    with raises("exec after save", SandboxClosed):
        sandbox.exec(["true"], timeout=10)
    equal("key", saved.key, key)
    equal("find after save", backend.find(key), saved)
    again = Snapshot.from_dict(json.loads(json.dumps(saved.to_dict())))
    equal("through JSON and back", again, saved)
    with backend.start(again) as fork:
        equal("a saved file", fork.read("/srv/keep/a"), b"1\n")
        equal("a saved variable", sh(fork, "echo $SAVED"), "yes\n")
    other = backend.start(snapshot)
    other.write("/srv/other", b"")
    equal("save under a taken key", backend.save(other, key, env={}, python=""), saved)


def saved_on_top_of_a_moment(backend: Backend, snapshot: Snapshot) -> None:
    with _fresh_key(backend) as key:
        with backend.start(snapshot) as first:
            first.write("/srv/first", b"1")
            moment = first.snapshot()
        second = backend.start(moment)
        second.write("/srv/second", b"2")
        backend.save(second, key, env=dict(snapshot.env), python=snapshot.python)
        found = backend.find(key)
        if found is None:
            equal("find after save", found, "a snapshot")
            return
        with backend.start(found) as fork:
            equal("both files", (fork.read("/srv/first"), fork.read("/srv/second")), (b"1", b"2"))


def kept_snapshots_are_told_and_go_when_nobody_uses_them(backend: Backend, snapshot: Snapshot) -> None:
    """For backends whose snapshots count for a disk budget."""
    if not isinstance(backend, Keeper):
        return
    with _fresh_key(backend) as key:
        sandbox = backend.start(snapshot)
        sh(sandbox, "mkdir -p /srv && head -c 3000000 /dev/zero > /srv/large")
        saved = backend.save(sandbox, key, env={}, python="")
        told = [each for each in backend.stored() if each.key == key]
        true("what is saved is told once", len(told) == 1, str(told))
        true("its size is what it adds", 2_900_000 < told[0].bytes < 6_000_000, str(told[0].bytes))
        with backend.start(saved) as fork:
            in_use = [each.in_use for each in backend.stored() if each.key == key]
            equal("in use while a fork runs", in_use, [True])
            equal("evict while a fork runs", backend.evict(key, unused_for=0), False)
            equal("the fork after that", len(fork.read("/srv/large")), 3_000_000)
        release = backend.hold(saved)
        equal("evict while it is held", backend.evict(key, unused_for=0), False)
        release()
        equal("evict what was used just now", backend.evict(key, unused_for=3600), False)
        equal("evict", backend.evict(key, unused_for=0), True)
        equal("find after evict", backend.find(key), None)
        true("it is told no more", all(each.key != key for each in backend.stored()), "still there")


def moments_can_be_dropped(backend: Backend, snapshot: Snapshot) -> None:
    """For backends that drop temporary snapshots one by one."""
    if not isinstance(backend, Dropper):
        return
    with backend.start(snapshot) as sandbox:
        sandbox.write("/tmp/a", b"a")
        first = sandbox.snapshot()
    with backend.start(first) as fork:
        fork.write("/tmp/b", b"b")
        second = fork.snapshot()
        backend.drop(first)
        backend.drop(first)
        equal("a fork of what was dropped", (fork.read("/tmp/a"), fork.read("/tmp/b")), (b"a", b"b"))
    with backend.start(second) as fork:
        equal("a snapshot on top of what was dropped", (fork.read("/tmp/a"), fork.read("/tmp/b")), (b"a", b"b"))
    backend.drop(snapshot)
    backend.start(snapshot).close()


def lower_files_change_and_go(backend: Backend, snapshot: Snapshot) -> None:
    """What a snapshot brought can be changed, renamed and removed in a fork, and is whole in the next."""
    with backend.start(snapshot) as sandbox:
        sh(sandbox, "mkdir -p /srv/d/e && echo low > /srv/d/e/f && echo x > /srv/g")
        moment = sandbox.snapshot()
    with backend.start(moment) as fork:
        sh(fork, "mv /srv/d /srv/moved && rm /srv/g && mkdir /srv/g && echo new > /srv/g/h && chmod 600 /srv/moved/e/f")
        equal("a moved file", fork.read("/srv/moved/e/f"), b"low\n")
        third = fork.snapshot()
    with backend.start(third) as fork:
        listing = sh(fork, "cd /srv && find . | sort").split()
        true("moved, replaced, removed", {"./moved/e/f", "./g/h"} <= set(listing) and "./d" not in listing, listing)
    with backend.start(moment) as fork:
        equal("the first moment", (fork.read("/srv/d/e/f"), fork.read("/srv/g")), (b"low\n", b"x\n"))


def mounts_are_read_only(backend: Backend, snapshot: Snapshot) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "data")
        folder.mkdir()
        (folder / "f").write_bytes(b"mounted")
        tool = Path(name, "tool")
        tool.write_bytes(b"#!/bin/sh\necho tool\n")
        tool.chmod(0o755)
        with backend.start(snapshot, mounts={"/.swegym/bin/tool": tool, "/mnt/data": folder}) as sandbox:
            equal("a mounted program", sandbox.exec(["/.swegym/bin/tool"], timeout=60).stdout, b"tool\n")
            equal("a mounted folder", sandbox.read("/mnt/data/f"), b"mounted")
            with raises("write into a mount", OSError):
                sandbox.write("/mnt/data/f", b"changed")
        equal("the host's file", (folder / "f").read_bytes(), b"mounted")


CHECKS: tuple[Check, ...] = (
    forks_are_independent,
    moment_is_frozen_and_forked,
    moment_of_a_busy_sandbox,
    saved_snapshot_is_found,
    saved_on_top_of_a_moment,
    kept_snapshots_are_told_and_go_when_nobody_uses_them,
    moments_can_be_dropped,
    lower_files_change_and_go,
    mounts_are_read_only,
)
