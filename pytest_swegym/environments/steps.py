"""Running the steps of a build inside a sandbox, with the package index's settings and nothing else of the host."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from pytest_swegym._support.locks import key_lock
from pytest_swegym._support.redact import bare_urls
from pytest_swegym._support.shelf import Shelf
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox.base import HOME
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.base import shell_argv
from pytest_swegym.sandbox.sharing import Shared
from pytest_swegym.sandbox.sharing import Shipper
from pytest_swegym.sandbox.toolchain import uv_program
from pytest_swegym.sources import OFFLINE
from pytest_swegym.sources import ca_bundle
from pytest_swegym.sources import index_environment
from pytest_swegym.task import TaskSpec


log = logging.getLogger("pytest_swegym.environments")

UV = f"{HOME}/bin/uv"
_CA = f"{HOME}/ca.pem"
_CACHE = "/tmp/swegym-cache"
#: An installer that may not fetch anything must not try for minutes.
_NO_INDEX = {"PIP_NO_INDEX": "1", "PIP_RETRIES": "0", "UV_OFFLINE": "1"}
#: What a build in this thread waits for and holds: a run lets no more of them compute than there are cores.
BUILD_SLOT: ContextVar[Callable[[], AbstractContextManager[None]]] = ContextVar("BUILD_SLOT", default=nullcontext)
#: A build needs more than most tests: compilers and resolvers are hungry.
_LIMITS = SandboxLimits(memory_mb=8192, cpus=64, pids=4096)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A sandbox in which something is being built. ``env`` is for install stages only and never saved."""

    sandbox: Sandbox
    timeout: float
    offline: bool = False
    env: dict[str, str] = field(default_factory=dict)

    def run(
        self,
        argv: Sequence[str],
        what: str,
        *,
        cwd: str = "/",
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        level: int = logging.DEBUG,
    ) -> ExecResult:
        """One step. Raises :class:`EnvironmentBuildError` with the end of its output if it fails."""
        started = time.monotonic()
        log.log(level, "%s", what)
        variables = {**self.env, **(env or {})}
        result = self.sandbox.exec(argv, cwd=cwd, env=variables, timeout=self.timeout, stdin=stdin)
        if result.exit_code != 0:
            reason = f"ran out of its {self.timeout:g} s" if result.timed_out else f"exit code {result.exit_code}"
            reason += " (out of memory)" if result.oom else ""
            reason += f"; {OFFLINE}" if self.offline else ""
            raise EnvironmentBuildError(f"{what} failed: {reason}", output=bare_urls(result.output[-6000:]))
        log.debug("%s: %.1f s", what, time.monotonic() - started)
        return result

    def shell(self, command: str, what: str, *, cwd: str = "/") -> ExecResult:
        """One step as the task wrote it, by the sandbox's own shell."""
        return self.run(shell_argv(command), what, cwd=cwd, level=logging.INFO)


def finish(
    build: Build, backend: Backend, key: str, *, env: Mapping[str, str], python: str, kind: str, title: str
) -> Snapshot:
    """Save what was built, without what only the build needed; ``kind`` and ``title`` are for ``swegym disk``."""
    build.sandbox.exec(["rm", "-rf", _CACHE])
    saved = backend.save(build.sandbox, key, env=env, python=python)
    Shelf(backend.name).write(key, kind=kind, title=bare_urls(title))
    return saved


def made_once(backend: Backend, key: str, make: Callable[[], Snapshot]) -> Snapshot:
    """The saved snapshot ``key``; if nobody made it before, ``make`` does, while others that want it wait.

    Others are the processes of this machine, and those of other machines where the backend shares with them.
    """
    found = backend.find(key)
    if found is not None:
        return found
    with key_lock(f"build-{backend.name}-{key}"):
        return backend.find(key) or _shared(backend, key, make)


def _shared(backend: Backend, key: str, make: Callable[[], Snapshot]) -> Snapshot:
    if not isinstance(backend, Shipper) or backend.sharing is None:
        return make()
    (snapshot,) = backend.sharing.once(f"snapshot-{key}", lambda: Shared(snapshots=(make(),))).snapshots
    return snapshot


@contextmanager
def building(
    backend: Backend, start: Snapshot, spec: TaskSpec, *, offline: bool = False, network: bool = True
) -> Iterator[Build]:
    """A sandbox with network and the package index's settings, closed at the end; ``offline``: with neither.

    Without ``network`` it has none either, because nothing of what is built there needs any.
    """
    env, mounts = _index_settings()
    network = network and not offline
    if not network:
        env.update(_NO_INDEX)
    mounts[UV] = Path(uv_program())
    with BUILD_SLOT.get()(), backend.start(start, limits=_LIMITS, network=network, mounts=mounts) as sandbox:
        variables = {**env, **spec.environment.env}
        yield Build(sandbox=sandbox, timeout=spec.limits.build_timeout, offline=offline, env=variables)


def _index_settings() -> tuple[dict[str, str], dict[str, Path]]:
    bundle = ca_bundle()
    env = {
        **index_environment(_CA if bundle else None),
        "PIP_ROOT_USER_ACTION": "ignore",
        # Old pips break on PIP_NO_CACHE_DIR; a folder that is dropped does the same.
        "PIP_CACHE_DIR": _CACHE,
        "UV_NO_CACHE": "1",
        "UV_NO_PROGRESS": "1",
        "UV_COMPILE_BYTECODE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return env, {_CA: bundle} if bundle else {}
