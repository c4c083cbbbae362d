"""The one kept process of an embedded sandbox: a small shell inside that starts commands, one FIFO each way.

A command's FIFOs and script lie in a folder that is mounted read-only inside; they are unlinked as soon as it has
opened them. The agent ends when this process does: its control pipe is then at its end.
"""

from __future__ import annotations

import itertools
import os
import select
import shlex
import signal
import stat
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import processes
from pytest_swegym.sandbox.jail import CONTROL
from pytest_swegym.sandbox.jailed import PATIENCE
from pytest_swegym.sandbox.jailed import Jailed
from pytest_swegym.sandbox.limits import Group
from pytest_swegym.sandbox.room import crowded
from pytest_swegym.sandbox.room import explain
from pytest_swegym.sandbox.room import first_descriptors


#: Seconds after which a command that has not started may have found a stopped agent.
_STALLED = 1.0
#: Seconds for a process to become free where the limit of processes is reached.
_CROWDED = 3.0
# Each command runs beside the agent, yet not by '&', after which a shell ignores SIGINT for good in all it starts: a
# subshell starts a pipeline whose second part kills that subshell, and the first part goes on as an orphan.
# A shell that cannot fork ends: the trap says so to whoever waits, and becomes a new agent without a fork.
_LOOP = f"""
ulimit -c 0
trap 'echo - >{CONTROL}/$n.st; exec sh -c "$0" "$0" again' EXIT
[ $# = 0 ] && echo ready
while read -r n; do (
read -r me rest </proc/self/stat
{{ . {CONTROL}/$n.sh; }} | kill -9 "$me"
) || [ $? = 137 ] || echo - >{CONTROL}/$n.st; done
trap - EXIT
"""


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

    def __init__(self, argv: Sequence[str], folder: Path, group: Group) -> None:
        """``argv`` is bwrap with its options. Raises :class:`OSError` and :class:`SandboxError`."""
        self._control = str(folder / "ctl")
        self._numbers = itertools.count(1)
        soft, hard = first_descriptors()
        loop = f"exec 2>/dev/null\nulimit -Sn {soft}\nulimit -Hn {hard}\n{_LOOP}"
        own = ["--setenv", processes.OWN.decode()[:-1], "1"]
        #: The processes of the sandbox as a whole.
        self.jailed = Jailed([*argv, *own], ["sh", "-c", loop, loop], group)
        self.init, self.pid, self.namespace = self.jailed.init, self.jailed.pid, self.jailed.namespace
        #: Polled, it is broken when everything inside is gone.
        self.alive = self.jailed.control

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
                reached = crowded() or "its limit of processes is reached"
                raise SandboxError(f"no process can be started in the sandbox: {reached}")
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
                os.link(stdin, f"{self._control}/{number}.in")
            elif stdin:
                self._write(f"{number}.in", stdin)
            script = _script(number, argv, env=env, cwd=cwd, stdin=stdin != b"", joined=joined)
            self._write(f"{number}.sh", script)
            self.jailed.send(b"%d\n" % number)
            started = self._started(job)
        except FileNotFoundError as error:
            raise SandboxClosed("the sandbox was closed") from error
        except OSError as error:
            raise SandboxError(f"no command could be started in the sandbox: {explain(error)}") from error
        finally:
            # Nobody inside can open them by name any more.
            for suffix in {"in", "sh", *names.values()}:
                with suppress(FileNotFoundError):
                    os.unlink(f"{self._control}/{number}.{suffix}")
            if not started:
                job.close()
        return job if started else None

    def _fifo(self, name: str, *, both: bool) -> int:
        path = f"{self._control}/{name}"
        os.mkfifo(path, 0o600)
        flags = os.O_RDWR if both else os.O_RDONLY
        handle = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        if not stat.S_ISFIFO(os.fstat(handle).st_mode):
            os.close(handle)
            raise SandboxError(f"{path} is not the FIFO that was made there")
        return handle

    def _write(self, name: str, data: bytes) -> None:
        handle = os.open(f"{self._control}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(handle, "wb") as file:
            file.write(data)

    def _started(self, job: Job) -> bool:
        """Wait until the command has opened its FIFOs; ``False`` if there was no process for it."""
        poller = select.poll()
        poller.register(job.status, select.POLLIN)
        poller.register(self.alive, select.POLLIN)
        events = {handle for handle, _ in poller.poll(_STALLED * 1000)}
        if not events:
            # ``kill -STOP -1`` inside stops the agent too.
            processes.send(self.pid, signal.SIGCONT, self.namespace)
            events = {handle for handle, _ in poller.poll(PATIENCE * 1000)}
        if self.alive in events:
            raise SandboxClosed("the sandbox is gone: it was closed, or ended from inside")
        if not events:
            raise SandboxError(f"no command could be started in the sandbox within {PATIENCE:.0f} s")
        told = _read_now(job.status, 1)
        if told == b"-":
            # The command runs after all if only the process that should have ended the subshell could not start.
            time.sleep(0.05)
            told = _read_now(job.status, 2)[-1:] if poller.poll(0) else b""
        return told == b"+"

    @property
    def ended(self) -> bool:
        """Whether everything inside is gone."""
        return self.jailed.ended

    def end(self, number: int) -> None:
        """Kill the whole process tree of a command."""
        processes.end_all(lambda: self.tree(number), self.namespace)

    def everything(self) -> list[int]:
        """The living processes of the sandbox."""
        return [] if self.ended else processes.below(self.init, self.namespace)

    def tree(self, number: int) -> list[int]:
        """The living processes of a command."""
        return processes.belonging_to(number, self.namespace, init=self.init, agent=self.pid)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Every process inside stands still meanwhile, so that no file changes."""
        before = {pid for pid in processes.below(self.init, self.namespace) if processes.is_stopped(pid)}
        spared = before | {self.init}
        stopped = processes.stop_all(
            lambda: [pid for pid in processes.below(self.init, self.namespace) if pid not in spared], self.namespace
        )
        try:
            yield
        finally:
            for pid in stopped:
                processes.send(pid, signal.SIGCONT, self.namespace)


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
        # The agent's own kind of shell need not be started to start another: this one is it.
        words[2] if joined and words[:2] == ["sh", "-c"] else "exec " + " ".join(map(quote, words)),
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
