"""Checks of what a sandbox can see and reach: nothing of the host."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import tempfile
from pathlib import Path

from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.contract.expect import Check
from pytest_swegym.sandbox.contract.expect import ContractError
from pytest_swegym.sandbox.contract.expect import equal
from pytest_swegym.sandbox.contract.expect import sh
from pytest_swegym.sandbox.contract.expect import true


#: Tried with the first Python inside, as a POSIX shell opens no sockets.
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)
    print("connected")
except OSError as error:
    print("refused", error)
"""
_LOOPBACK = """
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname(), timeout=5)
peer, _ = server.accept()
client.sendall(b"hello")
print(peer.recv(5).decode(), socket.gethostbyname("localhost"))
"""


def no_network_but_loopback(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        if not snapshot.python:
            interfaces = sh(sandbox, "cat /proc/net/dev")
            true("no interface but lo", interfaces.count(":") == 1 and "lo:" in interfaces, interfaces)
            return
        looped = sandbox.exec([snapshot.python, "-c", _LOOPBACK], timeout=60)
        equal("loopback", looped.output, "hello 127.0.0.1\n")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = str(server.getsockname()[1])
            reached = sandbox.exec([snapshot.python, "-c", _CONNECT, "127.0.0.1", port], timeout=60)
            true("a server of the host is not reached", reached.output.startswith("refused"), reached)
        for address in _addresses():
            reached = sandbox.exec([snapshot.python, "-c", _CONNECT, address, "22"], timeout=60)
            true(f"{address} is not reached", "unreachable" in reached.output, reached)


def _addresses() -> list[str]:
    """Documentation addresses (RFC 5737): nobody answers, but without a network there is no way there at all."""
    return ["192.0.2.1", "203.0.113.1"]


def no_host_file_is_visible(backend: Backend, snapshot: Snapshot) -> None:
    secret = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="swegym-secret-") as name:
        Path(name, "secret").write_text(secret)
        with backend.start(snapshot) as sandbox:
            paths = [f"{name}/secret", str(Path.cwd()), *(str(path) for path in _private_files())]
            # The path to the interpreter is visible, what lies beside it is not.
            for path in paths:
                if snapshot.python.startswith(f"{path}/"):
                    continue
                found = sandbox.exec(["test", "-e", path], timeout=60)
                equal(f"'test -e {path}' inside", found.exit_code, 1)
            found = sandbox.exec(
                ["sh", "-c", 'find / -xdev -name "$0*" 2>/dev/null | head', Path(name).name], timeout=120
            )
            equal("a planted folder, searched for", found.stdout, b"")


def _private_files() -> list[Path]:
    home = Path.home()
    return [path for path in (home / ".ssh", home / ".cache") if path.exists()]


def no_host_variable_is_visible(backend: Backend, snapshot: Snapshot) -> None:
    secret = secrets.token_hex(16)
    os.environ["SWEGYM_CONTRACT_SECRET"] = secret
    try:
        with backend.start(snapshot) as sandbox:
            everywhere = sh(sandbox, "env; cat /proc/*/environ 2>/dev/null; cat /proc/*/cmdline 2>/dev/null; true")
            true("a planted variable is in no environment inside", secret not in everywhere, everywhere)
            shown = sandbox.shell().run("env", timeout=60)
            true("nor in a kept shell's", secret not in shown.output, shown)
    finally:
        del os.environ["SWEGYM_CONTRACT_SECRET"]


def no_host_process_is_visible(backend: Backend, snapshot: Snapshot) -> None:
    word = f"swegym-{secrets.token_hex(8)}"
    planted = subprocess.Popen(["sh", "-c", "read x", word], stdin=subprocess.PIPE)
    try:
        with backend.start(snapshot) as sandbox:
            seen = sh(sandbox, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\000' '\\n'; true")
            true("a planted process is not seen", word not in seen, seen)
            result = sandbox.exec(["sh", "-c", f"kill -9 {planted.pid} {os.getpid()}"], timeout=60)
            true("a host's process cannot be killed", planted.poll() is None, result)
            count = len(sh(sandbox, "echo /proc/[0-9]*").split())
            true("only a handful of processes is there", count < 12, count)
    finally:
        planted.kill()
        planted.communicate()


def kernel_settings_cannot_be_written(backend: Backend, snapshot: Snapshot) -> None:
    """A sandbox that root started has no capability, but is the owner of what root owns; it must not write that."""
    script = (
        "for f in /proc/sys/vm/swappiness /proc/sys/kernel/core_pattern; do "
        'v=$(cat $f) && { echo "$v" > $f; } 2>/dev/null && echo "$f"; done; '
        "for f in /proc/sysrq-trigger /proc/sys /proc/mtrr; do "
        "[ -f $f ] && { true >>$f; } 2>/dev/null && echo $f; done; true"
    )
    with backend.start(snapshot) as sandbox:
        equal("kernel settings that could be written", sh(sandbox, script), "")


def no_privilege_can_be_had(backend: Backend, snapshot: Snapshot) -> None:
    with backend.start(snapshot) as sandbox:
        status = dict(
            line.split(":\t", 1) for line in sh(sandbox, "cat /proc/self/status").splitlines() if ":\t" in line
        )
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            equal(f"capabilities ({name})", int(status[name], 16), 0)
        equal("NoNewPrivs", status.get("NoNewPrivs"), "1")
        for command in ("mount -t tmpfs none /mnt", "unshare -Ur true", "mknod /tmp/dev b 8 0"):
            result = sandbox.exec(["sh", "-c", command], timeout=60)
            if result.exit_code == 0:
                raise ContractError(f"{command!r} succeeded inside")


CHECKS: tuple[Check, ...] = (
    no_network_but_loopback,
    no_host_file_is_visible,
    no_host_variable_is_visible,
    no_host_process_is_visible,
    kernel_settings_cannot_be_written,
    no_privilege_can_be_had,
)
