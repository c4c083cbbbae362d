"""What the episodes of an environment share: its tasks, its lab, where its records go."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import defaultdict
from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.loading import load
from pytest_swegym.env.config import EnvConfig
from pytest_swegym.env.tasks import load_tasks
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SandboxUnavailable
from pytest_swegym.lab import Lab
from pytest_swegym.results import ResultStore
from pytest_swegym.rows import row_options
from pytest_swegym.session import load_protocol
from pytest_swegym.task import Task


class Course:
    """Shared by an environment, its forks, and all of a vector; the lab ends with the last of them.

    Raises :class:`ConfigError` for options that are wrong. Safe to use from several threads.
    """

    def __init__(self, config: EnvConfig) -> None:
        self.config = config
        options = row_options(
            split=config.split,
            revision=config.revision,
            filters=config.filters,
            limit=config.limit,
            environments=Path(config.environments) if config.environments is not None else None,
            offline=config.offline,
        )
        self.protocol = load_protocol(config.protocol)
        self.grade_steps = self.protocol.name == "patch" if config.grade_steps is None else config.grade_steps
        self.limits = config.session_limits()
        self.tasks = load_tasks(config.tasks, options)
        self.store = ResultStore(root=Path(config.output).absolute()) if config.output is not None else None
        self.run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{content_key(os.getpid(), time.time_ns())[:4]}"
        self._lab = config.lab
        self._end: weakref.finalize[..., Course] | None = None
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._users = 0
        self._lock = threading.RLock()

    def join(self) -> None:
        """One more environment uses it, until it calls :meth:`leave`."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users and self._end is not None:
                self._end()
                self._lab = self._end = None

    def lab(self) -> Lab:
        """The lab, made when it is first needed. Raises :class:`ConfigError` or :class:`SandboxUnavailable`."""
        with self._lock:
            if self._lab is None:
                self._lab = _make_lab(self.config)
                # Also at the exit of an interpreter in which nobody closed it.
                self._end = weakref.finalize(self, self._lab.close)
            return self._lab

    def claim(self, task: Task) -> tuple[int, Path | None]:
        """The number of the next attempt at ``task``, and the folder of its own: nobody else's, of no other run."""
        with self._lock:
            while True:
                number = self._numbers[task.id]
                self._numbers[task.id] += 1
                if self.store is None:
                    return number, None
                folder = self.store.folder(f"{task.id}.{number}" if number else task.id)
                try:
                    folder.mkdir(parents=True)
                except FileExistsError:
                    continue
                except OSError as error:
                    raise InfraError(f"output={str(self.store.root)!r}: {error}") from error
                return number, folder


def _make_lab(config: EnvConfig) -> Lab:
    from pytest_swegym.results.cache import GradeCache
    from pytest_swegym.sandbox import choose
    from pytest_swegym.tools import Toolset

    tools = Toolset.load(config.tools) if config.tools else None
    if isinstance(config.sandbox, str):
        backend, _ = choose(config.sandbox, offline=config.offline, registry=config.registry)
    else:
        backend = config.sandbox
    if not hasattr(backend, "start"):
        raise ConfigError(f"sandbox={config.sandbox!r}: expected a backend, got {type(backend).__name__}")
    reason = backend.available()
    if reason is not None:
        raise SandboxUnavailable(f"sandbox {backend.name!r} cannot work here: {reason}")
    backend.sweep()
    return Lab(
        backend,
        mirror=Path(config.mirror) if config.mirror is not None else None,
        offline=config.offline,
        grades=GradeCache.default() if config.cache else None,
        tools=tools,
        judge=_function(config.judge, "judge"),
        check_writer=_function(config.check_writer, "check_writer"),
    )


def _function(given: Any, what: str) -> Any:
    return load(given, what=what) if isinstance(given, str) else given
