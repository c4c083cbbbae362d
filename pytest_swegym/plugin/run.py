"""What one pytest process knows of its run: where records go, and the lab, made when the first attempt needs it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from pytest_swegym._support.loading import load
from pytest_swegym.admission import Admission
from pytest_swegym.admission import Machine
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SandboxUnavailable
from pytest_swegym.plugin.options import SETTINGS
from pytest_swegym.plugin.output import SolverOutput
from pytest_swegym.plugin.solving import RUN
from pytest_swegym.plugin.solving import TOOLS
from pytest_swegym.results import ResultStore
from pytest_swegym.results.folder import new_run_id
from pytest_swegym.results.recorder import Recorder


if TYPE_CHECKING:
    from pytest_swegym.lab import Lab
    from pytest_swegym.plugin.live import LiveAttempt
    from pytest_swegym.plugin.progress import Progress
    from pytest_swegym.plugin.remote import Remote
    from pytest_swegym.runs import Threads
    from pytest_swegym.sandbox.base import Backend
    from pytest_swegym.sandbox.spares import Spares


log = logging.getLogger("pytest_swegym.plugin")
WORKER_KEY = "swegym"


class Run:
    """The run of this process. An xdist worker gets ``run_id`` and the folder from its controller."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.settings = config.stash[SETTINGS]
        given = getattr(config, "workerinput", {}).get(WORKER_KEY, {})
        self.run_id: str = given.get("run_id") or new_run_id()
        self.root = Path(given["root"]) if given else self._root()
        self.store = ResultStore(root=self.root)
        self.tools = config.stash.get(TOOLS, None)
        self.live: dict[str, LiveAttempt] = {}
        self.ahead: Threads | Remote | None = None
        self.progress: Progress | None = None
        self.output = SolverOutput()
        self.recorder = Recorder(self.root, self.run_id)
        self.cancelled = False
        self._lock = threading.Lock()
        #: What was told once, by what failed.
        self.complaints: dict[str, str] = {}
        self._backend: Backend | None = None
        self._lab: Lab | None = None
        self.admission = Admission(Machine([self.root]))

    def _root(self) -> Path:
        return self.settings.output or self.config.rootpath / "swegym-results" / self.run_id

    def workerinput(self) -> dict[str, str]:
        """What a worker needs to be part of this run."""
        return {"run_id": self.run_id, "root": str(self.root)}

    def backend(self) -> Backend:
        """The sandbox backend. Raises :class:`SandboxUnavailable` or :class:`ConfigError`."""
        if self._backend is None:
            name = self.settings.sandbox
            made = self.config.hook.pytest_swegym_make_sandbox(config=self.config, name=name)
            if not hasattr(made, "start"):
                raise ConfigError(f"sandbox {name!r}: expected a backend, got {type(made).__name__}")
            reason = made.available()
            if reason is not None:
                raise SandboxUnavailable(f"sandbox {made.name!r} cannot work here: {reason}")
            self._backend = made
        return self._backend

    def lab(self) -> Lab:
        """Made once; before its first sandbox, what dead runs left is removed. Raises as :meth:`backend`."""
        from pytest_swegym.environments import Disk
        from pytest_swegym.lab import Lab
        from pytest_swegym.results.cache import GradeCache

        with self._lock:
            if self._lab is None:
                backend = self.backend()
                for line in backend.sweep():
                    log.info("left by a dead run: %s", line)
                self._lab = Lab(
                    backend,
                    mirror=self.settings.mirror,
                    offline=self.settings.offline,
                    disk=Disk([backend], self.settings.disk_budget),
                    admission=self.admission,
                    root=self.config.rootpath,
                    protect=self.settings.protect,
                    compat=self.settings.compat,
                    fast_fail=self.settings.fast_fail,
                    shards=self.settings.shards,
                    prefork=self.settings.prefork == "on",
                    grades=None if self.settings.no_cache else GradeCache.default(),
                    tools=self.tools,
                    judge=self._named("judge"),
                    check_writer=self._named("check_writer"),
                )
            return self._lab

    @property
    def spares(self) -> Spares | None:
        """What this process made ready ahead of its grades, with ``--swegym-prefork``."""
        return self._lab.spares if self._lab is not None else None

    def _named(self, setting: str) -> Any:
        """The user's function that a setting names. Raises :class:`LoadError`."""
        name = getattr(self.settings, setting)
        option = f"--swegym-{setting.replace('_', '-')}"
        return load(name, what=option, root=self.config.invocation_params.dir) if name else None

    def complain_once(self, what: str, error: Exception) -> None:
        """A part that only listens has failed: that is told, and the run goes on."""
        text = f"{what} failed, and the run goes on (told once): {type(error).__name__}: {error}"
        with self._lock:
            first = self.complaints.setdefault(what, text) is text
        if first:
            log.warning("%s", text)

    def close(self) -> None:
        """End what runs, and every sandbox. Twice is fine."""
        self.cancelled = True
        if self.ahead is not None:
            self.ahead.stop()
        self.admission.close()
        if self._lab is not None:
            self._lab.close()
        elif self._backend is not None:
            self._backend.close()
        if self.ahead is not None:
            self.ahead.join(2.0)


def run_of(config: pytest.Config) -> Run:
    """The run of this process, made at its first use: an ordinary suite has none."""
    if RUN not in config.stash:
        run = Run(config)
        config.stash[RUN] = run
        config.add_cleanup(run.close)
    return config.stash[RUN]
