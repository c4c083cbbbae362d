"""Processes of the ``unsafe-host`` mode: plain children of this one, known by a variable they inherit."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox import processes
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.output import Capture
from pytest_swegym.sandbox.streams import Outbox


#: The variable, and its file's size limit for ``relocate``.
MARK = "SWEGYM_UNSAFE"
_LARGEST = 2**23


def run(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdin: bytes, timeout: float | None, limit: int
) -> ExecResult:
    """Run a command to its end; its output goes through files, so no background child holds the call."""
    begin, timed_out = time.monotonic(), False
    mark = f"{env[MARK]}.{secrets.token_hex(4)}"
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(stdin)
        source.seek(0)
        try:
            child = subprocess.Popen(
                argv, env={**env, MARK: mark}, cwd=cwd, stdin=source, stdout=out, stderr=err, start_new_session=True
            )
        except OSError as error:
            code = 126 if shutil.which(argv[0], os.F_OK, env.get("PATH", os.defpath)) else 127
            return ExecResult(exit_code=code, stderr=f"{argv[0]}: {error.strerror}\n".encode())
        try:
            code = child.wait(timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            _end_tree(child.pid)
            end(mark)
            code = child.wait()
        kept = _kept(out, limit), _kept(err, limit)
    return ExecResult(
        exit_code=code if code >= 0 else 128 - code,
        stdout=kept[0].value(),
        stderr=kept[1].value(),
        duration=time.monotonic() - begin,
        timed_out=timed_out,
        truncated=kept[0].truncated or kept[1].truncated,
    )


def end(mark: str) -> None:
    """Kill every process that carries the mark, or one that begins so."""
    needle = f"\0{MARK}={mark}".encode()
    for _ in range(20):
        found = [pid for pid in _all() if pid != os.getpid() and needle in b"\0" + _read(pid, "environ")]
        if not found:
            return
        _kill(found, signal.SIGKILL)
        time.sleep(0.01)


class ShellChannel:
    """The channel of a kept shell of the host; ``inside`` translates what is sent."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, inside: Callable[[str], str]) -> None:
        self._inside = inside
        self._cwd = cwd
        self._child = subprocess.Popen(
            argv,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        source, output = self._child.stdin, self._child.stdout
        if source is None or output is None:
            raise SandboxClosed("the shell has no streams")
        self._outbox = Outbox(source.fileno())
        self._out = output.fileno()

    def write(self, data: bytes) -> None:
        if not self._cwd.is_dir():
            raise SandboxClosed("the sandbox was closed")
        self._outbox.send(self._inside(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"))

    def read(self, timeout: float | None) -> bytes | None:
        if self._outbox.poll((self._out,), 0.2 if timeout is None else min(timeout, 0.2)):
            return os.read(self._out, 2**20)
        return b"" if self._child.poll() is not None else None

    def interrupt(self, shell: int, since: float) -> None:
        _kill([shell], signal.SIGSTOP)
        _end_tree(shell, since=since)
        _kill([shell], signal.SIGURG)
        _kill([shell], signal.SIGCONT)

    def close(self) -> int | None:
        # A shell that has just closed its output ends in a moment, by itself.
        try:
            code = self._child.wait(0.2)
        except subprocess.TimeoutExpired:
            _end_tree(self._child.pid)
            self._child.wait()
            return None
        finally:
            for stream in (self._child.stdin, self._child.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()
        return code if code >= 0 else 128 - code


def relocate(tree: Path, old: str, new: str) -> None:
    """Let every file and link in ``tree`` that names the folder ``old`` name ``new``, which is as long."""
    before, after = old.encode(), new.encode()
    for parent, folders, names in os.walk(tree):
        for name in (*folders, *names):
            path = os.path.join(parent, name)
            if os.path.islink(path):
                target = os.readlink(path)
                if target.startswith(old):
                    os.unlink(path)
                    os.symlink(new + target[len(old) :], path)
            elif os.path.isfile(path) and os.path.getsize(path) < _LARGEST:
                _replace(Path(path), before, after)


def _replace(path: Path, before: bytes, after: bytes) -> None:
    data = path.read_bytes()
    if before in data:
        state = path.stat()
        path.write_bytes(data.replace(before, after))
        # Compiled files know their source by its time.
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def _kept(file: IO[bytes], limit: int) -> Capture:
    capture = Capture(limit)
    file.seek(0)
    while data := file.read(2**20):
        capture.add(data)
    return capture


def _end_tree(root: int, *, since: float | None = None) -> None:
    """Kill a process, its descendants and its session, stopped first so that none forks away.

    With ``since``, not itself but what it started from then on.
    """
    for _ in range(50):
        parents = {pid: _stat(pid) for pid in _all()}
        tree = {root}
        while more := {pid for pid, (above, _) in parents.items() if above in tree} - tree:
            tree |= more
        tree |= {pid for pid, (_, session) in parents.items() if session == root}
        chosen = tree if since is None else processes.younger(tree, since, shell=root)
        living = [pid for pid in chosen if pid in parents and _state(pid) != b"Z"]
        if not living:
            return
        _kill(living, signal.SIGSTOP)
        _kill(living, signal.SIGKILL)
        time.sleep(0.01)


def _kill(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> tuple[int, int]:
    """A process's parent and session."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return (int(fields[1]), int(fields[3])) if len(fields) > 3 else (0, 0)


def _state(pid: int) -> bytes:
    return (_read(pid, "stat").rpartition(b")")[2].split() or [b"Z"])[0]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path("/proc", str(pid), name).read_bytes()
    except OSError:
        return b""
