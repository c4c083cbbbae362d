"""Checks of ``read``, ``write`` and ``upload``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.contract.expect import Check
from pytest_swegym.sandbox.contract.expect import equal
from pytest_swegym.sandbox.contract.expect import raises
from pytest_swegym.sandbox.contract.expect import sh
from pytest_swegym.sandbox.contract.expect import true


def write_then_read(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        for data in (b"", b"text, no newline", bytes(range(256)) * 1000):
            sandbox.write("/tmp/new folder/d/f", data)
            equal("what was written", sandbox.read("/tmp/new folder/d/f"), data)
        sandbox.write("/tmp/script", b"#!/bin/sh\necho ran\n", mode=0o755)
        equal("a written program", sandbox.exec(["/tmp/script"], timeout=60).stdout, b"ran\n")
        equal("its mode", sh(sandbox, "stat -c %a /tmp/script"), "755\n")
        for name in ("-n", "a'b", "$x", "é 漢", "new\nline"):
            sandbox.write(f"/tmp/odd/{name}", name.encode())
            equal(f"the file {name!r}", sandbox.read(f"/tmp/odd/{name}"), name.encode())


def file_errors(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        with raises("read of an absent file", FileNotFoundError):
            sandbox.read("/tmp/absent")
        with raises("read of a folder", IsADirectoryError):
            sandbox.read("/tmp")
        with raises("write over a folder", IsADirectoryError, OSError):
            sandbox.write("/tmp", b"")
        sandbox.write("/tmp/file", b"x")
        with raises("read below a file", NotADirectoryError, FileNotFoundError):
            sandbox.read("/tmp/file/below")
        with raises("write below a file", OSError):
            sandbox.write("/tmp/file/below", b"")
        sh(sandbox, "ln -s loop /tmp/loop")
        with raises("read of a link to itself", OSError):
            sandbox.read("/tmp/loop")


def files_over_the_cap(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        sandbox.write("/tmp/ten", b"0123456789")
        equal("a file of exactly the limit", sandbox.read("/tmp/ten", limit=10), b"0123456789")
        with raises("a file one byte over the limit", ValueError):
            sandbox.read("/tmp/ten", limit=9)
        sh(sandbox, "truncate -s 1T /tmp/huge 2>/dev/null || dd if=/dev/zero of=/tmp/huge bs=1 count=1 seek=2000000")
        with raises("a huge sparse file", ValueError):
            sandbox.read("/tmp/huge", limit=1000)
        with raises("a file without end", ValueError):
            sandbox.read("/dev/zero", limit=1000)


def links_resolve_inside_only(backend: Backend, snapshot: Snapshot) -> None:
    """A symlink or ``..`` means what it means inside; the host's files are never reached."""
    with tempfile.TemporaryDirectory() as name:
        secret = Path(name, "secret")
        secret.write_text("host secret")
        with backend.start(snapshot) as sandbox:
            sandbox.exec(["ln", "-s", str(secret), "/tmp/link"], timeout=60)
            with raises("read through a link to a host path", FileNotFoundError):
                sandbox.read("/tmp/link")
            with raises("read through ..", FileNotFoundError):
                sandbox.read(f"/tmp/{'../' * 40}{secret}")
            sh(sandbox, f"mkdir -p /tmp/in {secret.parent} && ln -s {secret.parent} /tmp/folder")
            sandbox.write("/tmp/folder/secret", b"written inside")
            equal("the file on the host", secret.read_text(), "host secret")
            equal("the file inside", sandbox.read(str(secret)), b"written inside")
            sandbox.write("/tmp/in/../up", b"up")
            equal("..", sandbox.read("/tmp/up"), b"up")


def upload_keeps_modes_and_links(backend: Backend, snapshot: Snapshot) -> None:
    with tempfile.TemporaryDirectory() as name, backend.start(snapshot) as sandbox:
        source = Path(name)
        (source / "bin").mkdir()
        (source / "bin" / "tool").write_bytes(b"#!/bin/sh\necho tool\n")
        (source / "bin" / "tool").chmod(0o755)
        (source / "plain é").write_bytes(bytes(range(256)))
        (source / "link").symlink_to("bin/tool")
        (source / "dangling").symlink_to("/no/such/target")
        (source / "empty").mkdir()
        sandbox.upload(source, "/srv/up")
        equal("a program", sandbox.exec(["/srv/up/link"], timeout=60).stdout, b"tool\n")
        equal("a binary file", sandbox.read("/srv/up/plain é"), bytes(range(256)))
        links = sh(sandbox, "readlink /srv/up/link; readlink /srv/up/dangling")
        equal("the links", links.split(), ["bin/tool", "/no/such/target"])
        equal("an empty folder", sandbox.exec(["test", "-d", "/srv/up/empty"], timeout=60).exit_code, 0)
        sandbox.upload(source, "/srv/up")  # once more, over what is there


def thousands_of_files(backend: Backend, snapshot: Snapshot) -> None:
    with tempfile.TemporaryDirectory() as name, backend.start(snapshot) as sandbox:
        for number in range(3000):
            folder = Path(name, f"{number % 50}")
            folder.mkdir(exist_ok=True)
            (folder / f"{number}.txt").write_text(str(number))
        sandbox.upload(Path(name), "/srv/many")
        equal("files inside", sh(sandbox, "find /srv/many -type f | wc -l").split(), ["3000"])
        equal("one of them", sandbox.read("/srv/many/49/2999.txt"), b"2999")


def deep_folders(backend: Backend, snapshot: Snapshot) -> None:
    deep = "/".join(["d"] * 400)
    with tempfile.TemporaryDirectory() as name:
        os.makedirs(f"{name}/{deep}")
        Path(name, deep, "f").write_text("deep")
        with backend.start(snapshot) as sandbox:
            sandbox.upload(Path(name), "/srv/deep")
            equal("a file in 400 folders", sandbox.read(f"/srv/deep/{deep}/f"), b"deep")
            # Deeper than any path can name: closing must cope with it.
            sandbox.exec(
                ["sh", "-c", "cd /tmp; i=0; while [ $i -lt 2500 ]; do mkdir dd && cd dd || exit; i=$((i+1)); done"]
            )
            sh(sandbox, "mkdir -p /tmp/shut/in && touch /tmp/shut/in/f && chmod 0 /tmp/shut/in /tmp/shut")
            true("the sandbox goes on", sh(sandbox, "echo on"))


CHECKS: tuple[Check, ...] = (
    write_then_read,
    file_errors,
    files_over_the_cap,
    links_resolve_inside_only,
    upload_keeps_modes_and_links,
    thousands_of_files,
    deep_folders,
)
