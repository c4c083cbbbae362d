"""A running container as a sandbox: commands, a kept shell and files over exec sockets."""

from __future__ import annotations

import functools
import mmap
import tempfile
import threading
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import docker_scripts as scripts
from pytest_swegym.sandbox import files
from pytest_swegym.sandbox.base import OUTPUT_LIMIT
from pytest_swegym.sandbox.base import READ_LIMIT
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.docker_exec import Agent
from pytest_swegym.sandbox.docker_exec import Run
from pytest_swegym.sandbox.docker_shell import ShellChannel
from pytest_swegym.sandbox.shell import KeptShell
from pytest_swegym.sandbox.shell import shell_command


if TYPE_CHECKING:
    from pytest_swegym.sandbox.docker_container import Container
    from pytest_swegym.sandbox.docker_ground import Ground


#: Seconds for the processes of a command to be found and ended, and for a question to be answered.
_PATIENCE, _ANSWER = 10.0, 3.0


class DockerSandbox:
    """A fork of a snapshot in a container; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""

    def __init__(
        self,
        snapshot: Snapshot,
        container: Container,
        freeze: Callable[[DockerSandbox], Snapshot],
        *,
        release: Callable[[], None] = lambda: None,
        ground: Ground | None = None,
    ) -> None:
        self.id = container.name
        self.snapshot_of = snapshot
        self.container = container
        self._freeze = freeze
        self._release = release
        self._ground = ground
        self._trouble = ""
        #: It lies on no disk that can be told from others'; see :class:`~pytest_swegym.sandbox.scope.Witness`.
        self.guilty = False
        self._lock = threading.Lock()
        self._closed = False
        self._env = dict(snapshot.env)
        self._shells: list[KeptShell] = []

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

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
        env = {**({} if env_clear else self._env), **(env or {})}
        return self._run(argv, timeout, env, cwd or "/", stdin, output_limit, env_clear)

    def _run(
        self,
        argv: Sequence[str],
        timeout: float | None,
        env: Mapping[str, str],
        cwd: str,
        stdin: bytes | mmap.mmap,
        output_limit: int,
        env_clear: bool = False,
    ) -> ExecResult:
        if not argv:
            raise ValueError("an empty command")
        agent = self._agent()
        run = Run(agent, output_limit=output_limit)
        try:
            body = scripts.command(argv, owner=run.owner, env=env, cwd=cwd, env_clear=env_clear, stdin=bool(stdin))
            run.start(body, stdin)
            timed_out = not run.wait(timeout)
            if timed_out:
                self._do(functools.partial(scripts.end_command, run.owner, run.seconds))
                run.drain()
            elif not run.told:
                self._oom_kills()
            return run.result(timed_out=timed_out)
        finally:
            agents = self.container.agents
            (agents.give if run.clean else agents.drop)(agent)

    def shell(
        self, *, cwd: str | None = None, env: Mapping[str, str] | None = None, program: str | None = None
    ) -> KeptShell:
        """A persistent shell; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""
        variables, argv = {**self._env, **(env or {})}, shell_command(program)

        def start() -> ShellChannel:
            def body(owner: str) -> str:
                return scripts.command(argv, owner=owner, env=variables, cwd=cwd or "/", env_clear=False, stdin=True)

            return ShellChannel(self._agent(), body, self._do)

        shell = KeptShell(start, oom_kills=self._oom_kills)
        with self._lock:
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
        with tempfile.TemporaryFile() as archive:
            files.pack(source, archive)
            archive.flush()
            with mmap.mmap(archive.fileno(), 0, access=mmap.ACCESS_READ) as content:
                files.check(self._file_command(files.unpack_argv(target), stdin=content), target)

    def _file_command(
        self, argv: Sequence[str], *, stdin: bytes | mmap.mmap = b"", output_limit: int = 2**16
    ) -> ExecResult:
        return self._run(argv, files.PATIENCE, {**self._env, **files.ENV}, "/", stdin, output_limit)

    def snapshot(self) -> Snapshot:
        """Freeze the present file system; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""
        self.check_open()
        return self._freeze(self)

    def check_open(self) -> None:
        """Raise :class:`SandboxClosed` if this sandbox was closed."""
        if self._closed:
            raise SandboxClosed(f"sandbox {self.id} is closed")

    def _agent(self) -> Agent:
        self.check_open()
        return self.container.agent()

    def _oom_kills(self) -> int:
        """How many processes were killed for memory. Raises :class:`SandboxClosed` if the container is gone."""
        self.check_open()
        answer = self.container.ask(scripts.oom_count, timeout=_ANSWER)
        if answer is None:
            raise SandboxError("cannot tell whether a process was killed for memory: no answer from the container")
        return answer[0]

    def _do(self, text: Callable[[str], str]) -> None:
        """Run a text that ends processes; when it cannot be done, the whole container is ended."""
        self.check_open()
        if self.container.ask(text, timeout=_PATIENCE) is None:
            self.trouble()  # once it is ended from here, the daemon tells of that
            self.container.end()
            raise SandboxClosed(f"sandbox {self.id}: its processes did not end, so the container was removed")

    def trouble(self) -> str:
        """What of the machine gave way under it; see :class:`~pytest_swegym.sandbox.scope.Witness`."""
        if self._ground is not None and not self._trouble and not self._closed:
            # Ended from here: of that the daemon tells as of an end from outside, but not that it was restarted before.
            self._trouble = self._ground.restarted() if self.container.ended else self._ground.trouble()
        return self._trouble

    def close(self) -> None:
        """End every process and remove what the sandbox wrote. Twice is fine; never raises."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._ground is not None and not self._trouble:
            # Nothing ended it whose first process is there: that is known without the daemon.
            known = self.container.alive or self.container.ended
            self._trouble = self._ground.restarted() if known else self._ground.trouble()
        self.container.end()
        for shell in self._shells:
            shell.close()
        self._release()

    def __enter__(self) -> DockerSandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
