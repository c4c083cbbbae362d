"""Commands straight on this machine with NO isolation, for those who trust what they run where nothing else works.

A sandbox is a folder tree. Paths of ours (``/testbed``, ``/opt/swegym``, ``/.swegym``, ``/srv``, ``/tmp``) mean its
folders, wherever they begin a path in a command line or variable. What it cannot do: hide or protect any file, process
or network of the host; limit memory or processes; translate a path that a program makes up or prints, or a ``workdir``
elsewhere; end a daemon that cleared its environment; keep mounts read-only; run images.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import warnings
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from pytest_swegym._support.keys import content_key
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import host_process
from pytest_swegym.sandbox import layers
from pytest_swegym.sandbox import sweep
from pytest_swegym.sandbox.base import OUTPUT_LIMIT
from pytest_swegym.sandbox.base import READ_LIMIT
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.shell import KeptShell
from pytest_swegym.sandbox.shell import shell_command
from pytest_swegym.sandbox.toolchain import find_interpreter
from pytest_swegym.task.spec import EnvironmentSpec


NAME = "unsafe-host"
_WARNING = "commands and untrusted code run on this machine with NO isolation (--swegym-sandbox=unsafe-host)"
#: Characters of a run's and a tree's name together.
_NAME_LENGTH = 48
_OURS = re.compile(r"(?<![\w./-])/(testbed|opt/swegym|\.swegym|srv|tmp)(?![\w.-])")


class HostSandbox:
    """A folder tree in which commands run; see :class:`~pytest_swegym.sandbox.base.Sandbox`."""

    def __init__(self, snapshot: Snapshot, tree: Path) -> None:
        self.id = tree.name
        self.snapshot_of = snapshot
        self.tree = tree
        self.mark = secrets.token_hex(8)
        self._env = {"PATH": os.defpath, "HOME": str(tree), "LANG": "C.UTF-8", "TMPDIR": "/tmp", **snapshot.env}

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
        """Run a command of the host."""
        variables = self._variables({**({} if env_clear else self._env), **(env or {})})
        words = [self._inside(word) for word in argv]
        return host_process.run(
            words, env=variables, cwd=self._folder(cwd), stdin=stdin, timeout=timeout, limit=output_limit
        )

    def shell(
        self, *, cwd: str | None = None, env: Mapping[str, str] | None = None, program: str | None = None
    ) -> KeptShell:
        """A kept shell of the host."""
        variables, argv = self._variables({**self._env, **(env or {})}), shell_command(program, own_session=False)
        return KeptShell(lambda: host_process.ShellChannel(argv, variables, self._folder(cwd), self._inside))

    def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """A file's bytes; links are followed on the host."""
        with open(self._path(path), "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise ValueError(f"{path} holds more than {limit} bytes")
        return data

    def write(self, path: str, data: bytes, *, mode: int | None = None) -> None:
        """Write a file; links are followed on the host."""
        target = self._path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if mode is not None:
            target.chmod(mode)

    def upload(self, source: Path, target: str) -> None:
        """Copy a folder's content."""
        self._path(target).mkdir(parents=True, exist_ok=True)
        layers.copy_tree(source, self._path(target))

    def snapshot(self) -> Snapshot:
        """Copy the tree; the copy goes when the sandbox's backend is closed."""
        copy = self._folder(None).with_name(f"moment-{secrets.token_hex(8)}")
        layers.copy_tree(self.tree, copy)
        ref = {"layers": [str(copy)], "written": str(self.tree)}
        return Snapshot(key=copy.name, backend=NAME, ref=ref, env=self.snapshot_of.env, python=self.snapshot_of.python)

    def close(self) -> None:
        """End what was started here, and remove the tree."""
        host_process.end(self.mark)
        layers.remove_tree(self.tree)

    def _variables(self, env: Mapping[str, str]) -> dict[str, str]:
        return {name: self._inside(value) for name, value in env.items()} | {host_process.MARK: self.mark}

    def _inside(self, text: str) -> str:
        return _OURS.sub(lambda found: f"{self.tree}/{found[1]}", text)

    def _path(self, path: str) -> Path:
        return self._folder(None) / self._inside(path)

    def _folder(self, cwd: str | None) -> Path:
        if not self.tree.is_dir():
            raise SandboxClosed(f"sandbox {self.id} was closed")
        return Path(self._inside(cwd)) if cwd else self.tree

    def __enter__(self) -> HostSandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class UnsafeHostBackend:
    """No isolation at all; see this module's first lines. Warns as it is made."""

    name = NAME

    def __init__(self, *, offline: bool = False) -> None:
        self._offline = offline
        warnings.warn(_WARNING, stacklevel=2)
        self._run: layers.RunFolder | None = None
        self._sandboxes: list[HostSandbox] = []

    def available(self) -> str | None:
        """Wherever there is a POSIX shell and a /proc."""
        return None if sys.platform.startswith("linux") else f"{NAME} needs Linux (this is {sys.platform})"

    def describe(self) -> str:
        """Loud on purpose."""
        return f"!!! {NAME}: NO ISOLATION, no limits !!!"

    def base(self, environment: EnvironmentSpec) -> Snapshot:
        """An empty tree, and an interpreter of the host."""
        if environment.image is not None:
            raise EnvironmentBuildError(f"image {environment.image!r}: {NAME} runs none; use --swegym-sandbox=docker")
        interpreter = find_interpreter(environment.python, offline=self._offline)
        env = {"PATH": f"{os.path.dirname(interpreter.executable)}:{os.environ.get('PATH', os.defpath)}"}
        key = content_key(NAME, interpreter.executable, interpreter.version)
        return Snapshot(key=key, backend=NAME, ref={"layers": []}, env=env, python=interpreter.executable)

    def find(self, key: str) -> Snapshot | None:
        """The saved snapshot of that key."""
        return layers.find_snapshot(key)

    def save(self, sandbox: Sandbox, key: str, *, env: Mapping[str, str], python: str) -> Snapshot:
        """Keep the tree as the snapshot ``key``."""
        if not isinstance(sandbox, HostSandbox):
            raise SandboxError(f"{type(sandbox).__name__} is not a sandbox of the {NAME} backend")
        host_process.end(sandbox.mark)

        def fill(target: Path) -> None:
            sandbox.tree.rename(target)

        def describe(layer: str) -> Snapshot:
            ref = {"layers": [layer], "written": str(sandbox.tree)}
            return Snapshot(key=key, backend=NAME, ref=ref, env=dict(env), python=python)

        try:
            return layers.find_snapshot(key) or layers.save_layer(key, fill, describe)
        finally:
            sandbox.close()

    def start(
        self,
        snapshot: Snapshot,
        *,
        limits: SandboxLimits | None = None,
        network: bool = False,
        mounts: Mapping[str, Path] | None = None,
    ) -> HostSandbox:
        """A copy of the snapshot's tree; limits and network are as the host's, ``mounts`` are links."""
        self._run = self._run or layers.RunFolder()
        # All trees have paths of one length, so that one can stand for another within any file.
        tree = self._run.path / f"tree-{secrets.token_hex(4)}".ljust(_NAME_LENGTH - len(self._run.id), "_")
        for layer in snapshot.ref["layers"]:
            layers.copy_tree(Path(layer), tree)
            host_process.relocate(tree, str(snapshot.ref["written"]), str(tree))
        for name in ("testbed", "opt/swegym", ".swegym", "srv", "tmp"):
            (tree / name).mkdir(parents=True, exist_ok=True)
        for inside, host in (mounts or {}).items():
            point = tree / inside.lstrip("/")
            point.parent.mkdir(parents=True, exist_ok=True)
            point.unlink(missing_ok=True)
            point.symlink_to(host.resolve())
        sandbox = HostSandbox(snapshot, tree)
        self._sandboxes.append(sandbox)
        return sandbox

    def drop(self, snapshot: Snapshot) -> None:
        """Give up a temporary snapshot: a sandbox is a copy, so nothing lies on it."""
        for layer in map(Path, snapshot.ref["layers"]):
            if self._run is not None and layer.parent == self._run.path and layer.name == snapshot.key:
                layers.remove_tree(layer)

    def sweep(self) -> list[str]:
        """Remove the trees of dead processes."""
        return sweep.sweep()

    def close(self) -> None:
        """End every sandbox of this object. Twice is fine."""
        for sandbox in self._sandboxes:
            sandbox.close()
        if self._run is not None:
            self._run.close()
            self._run = None
