"""The contract of a sandbox backend: snapshots, and running isolated forks of them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from types import TracebackType
from typing import Any
from typing import Protocol
from typing import runtime_checkable

from pytest_swegym.task.spec import EnvironmentSpec


#: Bytes of stdout, and of stderr, that one ``exec`` keeps unless told otherwise. The rest is drained and dropped.
OUTPUT_LIMIT = 16 * 2**20
#: Bytes that ``read`` returns unless told otherwise; a larger file is an error.
READ_LIMIT = 64 * 2**20
#: The folder of our own files inside every sandbox. Outside the repository; nothing of it enters a patch.
HOME = "/.swegym"
#: Where a built Python environment lies inside every sandbox.
VENV = "/opt/swegym/venv"


def shell_argv(command: str, program: str | None = None) -> list[str]:
    """The command line that runs ``command`` by ``program``, else by the sandbox's bash, or its sh without one."""
    if program is not None:
        return [program, "-c", command]
    return ["sh", "-c", 'command -v bash >/dev/null && exec bash -c "$1"; exec sh -c "$1"', "sh", command]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """What one command came to. ``duration`` in seconds.

    ``timed_out``: its time was up, and its whole process tree was ended. ``truncated``: some output was dropped
    (the first half and the last half of the limit are kept, with a line between them that says how much is gone).
    ``oom``: the kernel (or the watchdog) killed a process of the sandbox for memory while the command ran.
    ``exit_code`` is ``128 + N`` for a command ended by signal N. ``ended``: the command ended the kept shell it ran in,
    and the next one runs in a fresh shell.
    """

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""
    duration: float = 0.0
    timed_out: bool = False
    truncated: bool = False
    oom: bool = False
    ended: bool = False

    @property
    def output(self) -> str:
        """stdout, then stderr, as text (undecodable bytes replaced)."""
        return (self.stdout + self.stderr).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """Limits of a running sandbox; ``memory_mb`` in MiB, for the whole sandbox."""

    memory_mb: int = 4096
    cpus: float = 2.0
    pids: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A prepared, immutable file-system state.

    ``key`` names its content, ``ref`` is the backend's own JSON (folders, or an image id), ``env`` is set for every
    command in its forks, ``python`` is the task's interpreter inside (empty if there is none).
    """

    key: str
    backend: str
    ref: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)
    python: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "backend": self.backend,
            "ref": dict(self.ref),
            "env": dict(self.env),
            "python": self.python,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Snapshot:
        return cls(**data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One thing kept on this machine, and how many ``bytes`` would be free without it.

    ``key`` names it, ``kind`` and ``title`` say what it is, ``place`` who keeps it (a backend, or the cache). ``used``
    is when it was used last, in seconds since the epoch. It can go only after everything that has its key in ``under``.
    """

    key: str
    kind: str
    title: str = ""
    place: str
    bytes: int
    used: float
    in_use: bool = False
    under: tuple[str, ...] = ()


@runtime_checkable
class Shell(Protocol):
    """One persistent shell: cwd, variables, functions and background jobs live on between commands.

    ``generation`` is the number of shells started so far: it is raised when a fresh one takes an ended one's place.
    """

    @property
    def generation(self) -> int: ...

    def run(self, command: str, *, timeout: float | None = None, output_limit: int = OUTPUT_LIMIT) -> ExecResult:
        """Run ``command`` (any number of lines). stdin is empty; stdout and stderr come back joined, in ``stdout``.

        A time-out ends the running command; the shell, its variables and older background jobs live on. A command that
        ends the shell (``exit``, ``exec``, ``kill -9 $$``) gives a result, which says so, and the next ``run`` starts a
        fresh shell. What background jobs write during a command is part of its output, what they write between two is
        dropped. ``set -e`` holds for the command that says it.

        Raises :class:`SandboxClosed` if the sandbox is gone, :class:`ValueError` for a NUL character.
        """
        ...

    def state(self) -> bytes:
        """Its folder, variables, functions, aliases, options and umask, for another shell of a fork; at most 16 MiB.

        Readonly variables are left out, and functions by a shell that cannot tell them (dash, busybox).
        Raises :class:`SandboxClosed`, or :class:`SandboxError` if the shell does not tell.
        """
        ...

    def restore(self, state: bytes) -> None:
        """Become like the shell whose :meth:`state` this is. Raises as that, and :class:`ValueError` for other data."""
        ...

    def close(self) -> None:
        """End the shell and what runs in it. Twice is fine."""
        ...


@runtime_checkable
class Sandbox(Protocol):
    """A running, isolated, copy-on-write fork of a snapshot. Safe to call from several threads."""

    id: str
    snapshot_of: Snapshot

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
        """Run a command to its end, stdout and stderr apart.

        ``env`` is added to the snapshot's. A command that cannot start gives exit code 127 (not found) or 126, as in a
        shell. Background children that keep the output open do not hold the call: it returns when the
        command itself ends. A time-out ends the whole process tree, daemonised children too, within a second.

        Raises :class:`SandboxClosed` if the sandbox is gone, :class:`SandboxError` if the backend failed.
        """
        ...

    def shell(
        self, *, cwd: str | None = None, env: Mapping[str, str] | None = None, program: str | None = None
    ) -> Shell:
        """A persistent shell: ``program``, else bash where there is one, else sh.

        Its first command raises :class:`SandboxError` if there is no such program.
        """
        ...

    def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """A file's bytes; symlinks are followed inside the sandbox only.

        Raises :class:`FileNotFoundError`, :class:`IsADirectoryError`, :class:`PermissionError`, and
        :class:`ValueError` if it holds more than ``limit`` bytes.
        """
        ...

    def write(self, path: str, data: bytes, *, mode: int | None = None) -> None:
        """Write a file, making its parent folders. Raises as :meth:`read`, or :class:`OSError` naming the path."""
        ...

    def upload(self, source: Path, target: str) -> None:
        """Copy a host folder's content into the folder ``target`` (made if absent), modes and symlinks kept."""
        ...

    def snapshot(self) -> Snapshot:
        """Freeze the present file system (processes are not part of it); the sandbox goes on, independent of it.

        The snapshot is temporary: it lives until the backend object's ``close``, unless it is dropped before (see
        :class:`Dropper`).
        """
        ...

    def close(self) -> None:
        """End every process and remove what the sandbox wrote. Twice is fine; never raises."""
        ...

    def __enter__(self) -> Sandbox: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class Backend(Protocol):
    """A kind of sandbox. Cheap to make: nothing starts before it is asked for. Safe to call from several threads."""

    name: str

    def available(self) -> str | None:
        """``None`` if sandboxes can be started here, else the reason and the way out, in a sentence."""
        ...

    def describe(self) -> str:
        """A short phrase for the run's header: version, and how limits are enforced."""
        ...

    def base(self, environment: EnvironmentSpec) -> Snapshot:
        """The state where an environment build starts: the image, or the toolchain with a Python that fits.

        ``python`` of the result is an interpreter that exists inside. Images are pulled (progress is logged) if absent.

        Raises :class:`EnvironmentBuildError` if there is no such Python or image (names what was looked for and the
        choices), :class:`SandboxError` if the backend failed.
        """
        ...

    def find(self, key: str) -> Snapshot | None:
        """The saved snapshot of that key, if it is there and whole."""
        ...

    def save(self, sandbox: Sandbox, key: str, *, env: Mapping[str, str], python: str) -> Snapshot:
        """Freeze the sandbox as the immutable snapshot ``key``, kept across runs. The sandbox is closed.

        Atomic: an interrupted ``save`` leaves nothing that ``find`` would return. ``env`` and ``python`` are
        stored with it. A snapshot already saved under that key is returned instead.
        """
        ...

    def start(
        self,
        snapshot: Snapshot,
        *,
        limits: SandboxLimits | None = None,
        network: bool = False,
        mounts: Mapping[str, Path] | None = None,
    ) -> Sandbox:
        """A running fork of ``snapshot``.

        ``mounts`` puts host files or folders (path inside -> path on the host) into it, read-only. With ``network``
        the sandbox shares a way out to the network, for environment builds and for tasks that ask.
        """
        ...

    def sweep(self) -> list[str]:
        """Remove what dead processes left (sandboxes, containers, mounts, cgroups); says what, a line each."""
        ...

    def close(self) -> None:
        """End every sandbox that this object started, and drop temporary snapshots. Twice is fine."""
        ...


@runtime_checkable
class Keeper(Protocol):
    """What a backend offers besides, so that what it keeps counts for a disk budget."""

    def stored(self) -> list[Stored]:
        """Everything of ours that it keeps: saved snapshots, and images that it pulled itself; never a user's own."""
        ...

    def hold(self, snapshot: Snapshot) -> Callable[[], None]:
        """Keep a snapshot, and what it lies on, until the returned function is called or this process ends."""
        ...

    def evict(self, key: str, *, unused_for: float) -> bool:
        """Remove a kept thing, unless it is in use or was in the last seconds; whether it is gone."""
        ...


@runtime_checkable
class Starter(Protocol):
    """What a sandbox offers besides, so that a program is up before there is work for it."""

    def begin(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        head: bytes = b"",
        greeting: bytes = b"",
    ) -> None:
        """Start a command that finds ``head`` on its stdin, and waits there for the rest.

        It returns when the command has written ``greeting``, which is then no part of its output.

        The next :meth:`Sandbox.exec` of the same command line, variables and folder whose stdin begins with ``head``
        is that command: it is told the rest, and its time begins then. At most one is kept; another takes its place.
        Raises as :meth:`Sandbox.exec`.
        """
        ...


@runtime_checkable
class Dropper(Protocol):
    """What a backend offers besides, so that a long search does not fill the disk."""

    def drop(self, snapshot: Snapshot) -> None:
        """Give up a temporary snapshot of this object, which must not be started any more. Twice is fine.

        Sandboxes that were started from it, and snapshots of those, live on; a saved snapshot stays.
        """
        ...
