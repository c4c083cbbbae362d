"""The one kept process of an embedded sandbox: a small shell inside that starts commands, one FIFO each way.

A command's FIFOs and script lie in a folder that is mounted read-only inside; they are unlinked as soon as it has
opened them. The agent ends when this process does: its control pipe is then at its end.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import shlex
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import processes
from pytest_swegym.sandbox.jail import CONTROL
from pytest_swegym.sandbox.spawn import spawn


#: Seconds for the sandbox to come up, and for a command to open its FIFOs.
_PATIENCE = 30.0
#: Seconds after which a command that has not started may have found a stopped agent.
_STALLED = 1.0
#: Seconds for a process to become free where the limit of processes is reached.
_CROWDED = 3.0
# Each command runs beside the agent, yet not by '&', after which a shell ignores SIGINT for good in all it starts: a
# subshell starts a pipeline whose second part kills that subshell, and the first part goes on as an orphan.
# A shell that cannot fork ends: the trap says so to whoever waits, and becomes a new agent without a fork.
_LOOP = f"""
exec 2>/dev/null
ulimit -c 0
trap 'echo - >{CONTROL}/$n.st; exec sh -c "$0" "$0" again' EXIT
[ $# = 0 ] && echo ready
while read -r n; do (
read -r me rest </proc/self/stat
{{ . {CONTROL}/$n.sh; }} | kill -9 "$me"
) || [ $? = 137 ] || echo - >{CONTROL}/$n.st; done
trap - EXIT
"""
# Joins the cgroups named before '--', then becomes what is named after it.
_JOIN = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 97; shift; done; shift; exec "$@"'


@dataclass(slots=True)
class Job:
    """A started command: our ends of its FIFOs. ``status`` tells its exit code."""

    number: int
    out: int
    status: int
    err: int = -1
    stdin: int = -1

    def close(self) -> None:
        """Give the descriptors back. Twice is fine."""
        for name in ("out", "status", "err", "stdin"):
            handle = getattr(self, name)
            if handle >= 0:
                os.close(handle)
                setattr(self, name, -1)


class Agent:
    """Starts a jail and commands in it. Safe to call from several threads."""

    def __init__(self, argv: Sequence[str], folder: Path, info: int, info_inside: int, join: Sequence[str]) -> None:
        """``info`` is our end of the pipe whose other end, ``info_inside``, the command line ``argv`` names."""
        self._control = folder / "ctl"
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._closed = False
        full = ["/bin/sh", "-c", _JOIN, "sh", *join, "--", *argv, "--setenv", processes.OWN.decode()[:-1], "1"]
        full += ["sh", "-c", _LOOP, _LOOP]
        self._process = spawn(full, keep=info_inside)
        os.close(info_inside)
        try:
            self._greet(info)
        except BaseException:
            self._process.kill()
            self._reap()
            raise
        finally:
            os.close(info)

    def _greet(self, info: int) -> None:
        """Wait for the jail to be up; learn which processes are in it."""
        hello = _read_until(b"\n", self._process.stdout)
        if hello != b"ready\n":
            self._process.kill()
            text = (hello + _read_until(b"", self._process.stderr)).decode(errors="replace").strip()
            raise SandboxError(f"the sandbox did not start: {text or 'bwrap gave no reason'}")
        self._init = int(json.loads(_read_until(b"}", info))["child-pid"])
        self.namespace = processes.namespace_of(self._init) or 0
        inside = processes.below(self._init, self.namespace)
        self.pid = next((pid for pid in inside if processes.parent(pid) == self._init), 0)
        self.alive = os.pidfd_open(self._process.pid)
        if not self.namespace or not self.pid:
            os.close(self.alive)
            raise SandboxError("the sandbox ended as it started")

    def launch(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        stdin: bytes | Path | None = b"",
        joined: bool = False,
    ) -> Job:
        """Start a command. ``stdin`` is data, a file on the same file system, or ``None`` to keep it open for
        ``Job.stdin``; ``joined`` drops stderr.

        Raises :class:`SandboxClosed` if the sandbox is gone.
        """
        deadline = time.monotonic() + _CROWDED
        while (job := self._launch(argv, env, cwd, stdin, joined)) is None:
            if time.monotonic() > deadline:
                raise SandboxError("no process can be started in the sandbox: its limit of processes is reached")
            time.sleep(0.05)
        return job

    def _launch(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: str, stdin: bytes | Path | None, joined: bool
    ) -> Job | None:
        number = next(self._numbers)
        names = {"out": "out", "status": "st"} | ({} if joined else {"err": "err"})
        names |= {"stdin": "in"} if stdin is None else {}
        job = Job(number=number, out=-1, status=-1)
        started = False
        try:
            for name, suffix in names.items():
                setattr(job, name, self._fifo(f"{number}.{suffix}", both=name == "stdin"))
            if isinstance(stdin, Path):
                os.link(stdin, self._control / f"{number}.in")
            elif stdin:
                (self._control / f"{number}.in").write_bytes(stdin)
            script = _script(number, argv, env=env, cwd=cwd, stdin=stdin != b"", joined=joined)
            (self._control / f"{number}.sh").write_bytes(script)
            self._send(b"%d\n" % number)
            started = self._started(job)
        except FileNotFoundError as error:
            raise SandboxClosed("the sandbox was closed") from error
        finally:
            # Nobody inside can open them by name any more.
            for suffix in ("in", "out", "err", "st", "sh"):
                (self._control / f"{number}.{suffix}").unlink(missing_ok=True)
            if not started:
                job.close()
        return job if started else None

    def _fifo(self, name: str, *, both: bool) -> int:
        path = self._control / name
        os.mkfifo(path, 0o600)
        flags = os.O_RDWR if both else os.O_RDONLY
        handle = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        if not stat.S_ISFIFO(os.fstat(handle).st_mode):
            os.close(handle)
            raise SandboxError(f"{path} is not the FIFO that was made there")
        return handle

    def _send(self, line: bytes) -> None:
        with self._lock:
            if self._closed or self._process.stdin is None:
                raise SandboxClosed("the sandbox was closed")
            try:
                self._process.stdin.write(line)
                self._process.stdin.flush()
            except OSError as error:
                raise SandboxClosed("the sandbox is gone: everything in it was ended from inside") from error

    def _started(self, job: Job) -> bool:
        """Wait until the command has opened its FIFOs; ``False`` if there was no process for it."""
        poller = select.poll()
        poller.register(job.status, select.POLLIN)
        poller.register(self.alive, select.POLLIN)
        events = {handle for handle, _ in poller.poll(_STALLED * 1000)}
        if not events:
            # ``kill -STOP -1`` inside stops the agent too.
            processes.send(self.pid, signal.SIGCONT, self.namespace)
            events = {handle for handle, _ in poller.poll(_PATIENCE * 1000)}
        if self.alive in events:
            raise SandboxClosed("the sandbox is gone: it was closed, or ended from inside")
        if not events:
            raise SandboxError(f"no command could be started in the sandbox within {_PATIENCE:.0f} s")
        told = _read_now(job.status, 1)
        if told == b"-":
            # The command runs after all if only the process that should have ended the subshell could not start.
            time.sleep(0.05)
            told = _read_now(job.status, 2)[-1:] if poller.poll(0) else b""
        return told == b"+"

    @property
    def ended(self) -> bool:
        """Whether everything inside is gone."""
        return self._closed or self._process.poll() is not None

    def end(self, number: int) -> None:
        """Kill the whole process tree of a command."""
        processes.end_all(lambda: self.tree(number), self.namespace)

    def tree(self, number: int) -> list[int]:
        """The living processes of a command."""
        return processes.belonging_to(number, self.namespace, init=self._init, agent=self.pid)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Every process inside stands still meanwhile, so that no file changes."""
        before = {pid for pid in processes.below(self._init, self.namespace) if processes.is_stopped(pid)}
        spared = before | {self._init}
        stopped = processes.stop_all(
            lambda: [pid for pid in processes.below(self._init, self.namespace) if pid not in spared], self.namespace
        )
        try:
            yield
        finally:
            for pid in stopped:
                processes.send(pid, signal.SIGCONT, self.namespace)

    def close(self) -> None:
        """Kill everything inside and wait until it is gone. Twice is fine."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        # The first process of a PID namespace takes all others with it, and is gone only after the last of them.
        processes.send(self._init, signal.SIGKILL, self.namespace)
        self._reap()
        os.close(self.alive)

    def _reap(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                # An unsent line to an agent that is gone is of no interest.
                with suppress(BrokenPipeError):
                    stream.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _script(number: int, argv: Sequence[str], *, env: Mapping[str, str], cwd: str, stdin: bool, joined: bool) -> bytes:
    """The shell script that runs one command: every word quoted, none of them interpreted."""
    here = f"{CONTROL}/{number}"
    redirections = f"<{here}.in " if stdin else "</dev/null "
    redirections += f">{here}.out " + ("2>/dev/null" if joined else f"2>{here}.err")
    own, mark = processes.OWN.decode()[:-1], processes.MARK.decode()
    odd = {name: value for name, value in env.items() if not _is_name(name)}
    exports = "".join(f"export {name}={quote(value)}\n" for name, value in env.items() if name not in odd)
    words = [*(["env", *(f"{name}={value}" for name, value in odd.items())] if odd else []), *argv]
    lines = (
        f"exec 3>{here}.st",
        f"( exec {redirections} || exit 126",
        "echo + >&3",
        "exec 3>&-",
        # Where memory runs out, a command goes before the agent, and before anything of the host.
        "{ echo 500 >/proc/self/oom_score_adj; } 2>/dev/null",
        f"cd {quote(cwd)} || exit 126",
        f"unset {own} OLDPWD",
        exports + f"export {mark}{number}",
        "exec " + " ".join(map(quote, words)),
        ")",
        "echo $? >&3",
    )
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def quote(word: str) -> str:
    """``word`` as one word of a shell script. Raises :class:`ValueError` for a NUL character."""
    if "\0" in word:
        raise ValueError(f"a NUL character in {word[:40]!r}: no command line or variable can hold one")
    return shlex.quote(word)


def _is_name(name: str) -> bool:
    return name.isidentifier() and name.isascii()


def _read_now(handle: int, count: int) -> bytes:
    """What lies in a FIFO: nothing where a writer left without a word, though another may have come since."""
    try:
        return os.read(handle, count)
    except BlockingIOError:
        return b""


def _read_until(end: bytes, source: int | IO[bytes] | None) -> bytes:
    """Bytes of a pipe up to ``end`` (at most 64 KiB), or to the pipe's end, or until the patience is at its end."""
    if source is None:
        return b""
    handle = source if isinstance(source, int) else source.fileno()
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    deadline = time.monotonic() + _PATIENCE
    data = b""
    while not (end and end in data) and len(data) < 2**16:
        if not poller.poll(max(deadline - time.monotonic(), 0) * 1000):
            break
        piece = os.read(handle, 4096)
        if not piece:
            break
        data += piece
    return data
