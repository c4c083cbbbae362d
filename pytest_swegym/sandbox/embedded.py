"""A running embedded sandbox: commands, a kept shell, files and snapshots over its agent."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SwegymError
from pytest_swegym.sandbox import files
from pytest_swegym.sandbox.agent import Agent
from pytest_swegym.sandbox.agent import Job
from pytest_swegym.sandbox.base import OUTPUT_LIMIT
from pytest_swegym.sandbox.base import READ_LIMIT
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.ground import Ground
from pytest_swegym.sandbox.jail import BASE_ENV
from pytest_swegym.sandbox.layers import remove_tree
from pytest_swegym.sandbox.limits import Group
from pytest_swegym.sandbox.prefork import Begun
from pytest_swegym.sandbox.prefork import Call
from pytest_swegym.sandbox.shell import KeptShell
from pytest_swegym.sandbox.shell import shell_command
from pytest_swegym.sandbox.streams import ShellChannel
from pytest_swegym.sandbox.streams import Streams


log = logging.getLogger("pytest_swegym.sandbox")

#: Seconds for a killed command's exit code to arrive.
_LAST_WORDS = 2.0
#: Seconds in which a command that ended without a word may turn out to have ended with all the sandbox.
_LAST_BREATH = 0.3


class Running(NamedTuple):
    """A jail that runs, with nothing in it but its agent, and what it takes on the host."""

    agent: Agent
    group: Group
    folder: Path
    release: Callable[[], None]
    ground: Ground

    def end(self) -> None:
        """End it without a trace."""
        self.agent.jailed.close()
        self.group.remove()
        remove_tree(self.folder)
        self.release()


class EmbeddedSandbox:
    """A fork of a snapshot in a bubblewrap jail; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""

    def __init__(
        self,
        snapshot: Snapshot,
        running: Running,
        *,
        freeze: Callable[[EmbeddedSandbox], Snapshot],
        forget: Callable[[EmbeddedSandbox], None],
        leave: Callable[[Callable[[], None]], None],
    ) -> None:
        """``leave`` is told how to remove what was left on the host, which may be done later."""
        self.folder = running.folder
        self.id = f"{self.folder.parent.name}-{self.folder.name}"
        self.snapshot_of = snapshot
        self._agent, self._group = running.agent, running.group
        self._freeze = freeze
        self._forget = forget
        self._leave = leave
        self._closing = threading.Lock()
        self._shells: list[KeptShell] = []
        self._begun: Begun | None = None
        self._closed = False
        self._ground = running.ground
        self._trouble = ""
        self._env = {**BASE_ENV, **snapshot.env}

    @property
    def upper(self) -> Path:
        """The host folder of all that was written inside."""
        return self.folder / "upper"

    def exec(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: bytes = b"",
        output_limit: int = OUTPUT_LIMIT,
        env_clear: bool = False,
    ) -> ExecResult:
        """Run a command to its end; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""
        variables, folder = {**({} if env_clear else self._env), **(env or {})}, cwd or "/"
        begun = self._taken(argv, variables, folder, stdin)
        if begun is not None:
            started, oom_before = time.monotonic(), self._oom_kills()
            rest = stdin[len(begun.head) :]
            return self._followed(begun.job, started, oom_before, timeout, output_limit, unsent=rest)
        return self._run(argv, timeout=timeout, env=variables, cwd=folder, stdin=stdin, output_limit=output_limit)

    def begin(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        head: bytes = b"",
        greeting: bytes = b"",
    ) -> None:
        """Start a command ahead of its time; see :class:`~pytest_swegym.sandbox.base.Starter`."""
        call = Call(argv=tuple(argv), env={**self._env, **(env or {})}, cwd=cwd or "/")
        begun = Begun(self._agent, call, head, greeting)
        with self._closing:
            before, self._begun = (begun, None) if self._closed else (self._begun, begun)
        if before is not None:
            before.close()

    def _taken(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, stdin: bytes) -> Begun | None:
        """The command that was begun, if it is this one; nobody else gets it."""
        with self._closing:
            if self._begun is None or not self._begun.fits(argv, env, cwd, stdin):
                return None
            begun, self._begun = self._begun, None
            return begun

    def _run(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None,
        env: Mapping[str, str],
        cwd: str,
        stdin: bytes | Path,
        output_limit: int,
    ) -> ExecResult:
        if not argv:
            raise ValueError("an empty command")
        begin, oom_before = time.monotonic(), self._oom_kills()
        job = self._agent.launch(argv, env=env, cwd=cwd, stdin=stdin)
        return self._followed(job, begin, oom_before, timeout, output_limit)

    def _followed(
        self, job: Job, begin: float, oom_before: int, timeout: float | None, output_limit: int, *, unsent: bytes = b""
    ) -> ExecResult:
        """What a started command comes to, told the rest of its stdin."""
        try:
            streams = Streams(job, self._agent.alive, output_limit, unsent)
            timed_out = not streams.follow(None if timeout is None else begin + timeout)
            if timed_out:
                self._agent.end(job.number)
                streams.follow(time.monotonic() + _LAST_WORDS)
            if streams.code is None and not timed_out and self._agent.jailed.ends(_LAST_BREATH):
                raise SandboxClosed(f"sandbox {self.id} ended while the command ran: closed, or killed from inside")
            return ExecResult(
                exit_code=137 if streams.code is None else streams.code,
                stdout=streams.out.value(),
                stderr=streams.err.value(),
                duration=time.monotonic() - begin,
                timed_out=timed_out,
                truncated=streams.out.truncated or streams.err.truncated,
                oom=self._oom_kills() > oom_before,
            )
        finally:
            job.close()

    def _oom_kills(self) -> int:
        """How many processes were killed for memory; asked before and after each command, as is the disk."""
        self._ground.look()
        return self._group.oom_kills()

    def shell(
        self, *, cwd: str | None = None, env: Mapping[str, str] | None = None, program: str | None = None
    ) -> KeptShell:
        """A persistent shell; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""
        variables, argv = {**self._env, **(env or {})}, shell_command(program)

        def start() -> ShellChannel:
            job = self._agent.launch(argv, env=variables, cwd=cwd or "/", stdin=None, joined=True)
            return ShellChannel(job, self._agent)

        shell = KeptShell(start, oom_kills=self._oom_kills)
        self._shells.append(shell)
        return shell

    def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """A file's bytes; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""
        return files.read(self._file_command, path, limit)

    def write(self, path: str, data: bytes, *, mode: int | None = None) -> None:
        """Write a file; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""
        files.write(self._file_command, path, data, mode)

    def upload(self, source: Path, target: str) -> None:
        """Copy a host folder's content in; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""
        # On the file system of the sandbox's own files, where it is linked into place and not copied again.
        with tempfile.NamedTemporaryFile(dir=self.folder) as archive:
            files.pack(source, archive)
            archive.flush()
            argv = files.unpack_argv(target)
            files.check(self._file_command(argv, stdin=Path(archive.name), timeout=None), target)

    def _file_command(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | Path = b"",
        output_limit: int = 2**16,
        timeout: float | None = files.PATIENCE,
    ) -> ExecResult:
        env = {**self._env, **files.ENV}
        return self._run(argv, timeout=timeout, env=env, cwd="/", stdin=stdin, output_limit=output_limit)

    def snapshot(self) -> Snapshot:
        """Freeze the present file system; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""
        with self._closing:
            if self._closed or self._agent.ended:
                raise SandboxClosed(f"sandbox {self.id} is closed")
            with self._agent.paused():
                return self._freeze(self)

    def kill(self) -> None:
        """Kill every process inside, without waiting until they are gone; ``close`` has still to be called."""
        self._agent.jailed.kill()

    def trouble(self) -> str:
        """What of the machine gave way under it; see :class:`~pytest_swegym.sandbox.scope.Witness`."""
        if not self._closed and not self._trouble:
            killed = self._agent.jailed.killed and not self._group.oom_kills()
            self._trouble = "the sandbox was ended from outside" if killed else self._ground.trouble()
        return self._trouble

    @property
    def guilty(self) -> bool:
        """Whether it filled the disk itself; see :class:`~pytest_swegym.sandbox.scope.Witness`."""
        return self._ground.guilty

    def end(self) -> None:
        """End every process inside; what was written stays until ``close``."""
        self._agent.jailed.close()
        for shell in list(self._shells):
            shell.close()
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.close()

    def close(self) -> None:
        """End every process and remove what the sandbox wrote. Twice is fine; never raises."""
        with self._closing:
            if self._closed:
                return
            self.trouble()
            self._closed = True
            # So that the end of the processes waits for no disk.
            files = self._agent.jailed.files()
            try:
                self.end()
            except (OSError, SwegymError):
                log.warning("sandbox %s was not closed cleanly; 'swegym sweep' removes it", self.id, exc_info=True)
            finally:
                self._leave(lambda: self._remove(files))
                self._forget(self)

    def _remove(self, files: int) -> None:
        if files >= 0:
            os.close(files)
        self._group.remove()
        remove_tree(self.folder)

    def __enter__(self) -> EmbeddedSandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
