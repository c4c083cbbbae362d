"""Attempts in threads of this process. Fulfils :class:`~pytest_swegym.runs.executor.Executor`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pytest_swegym.admission import Admission
from pytest_swegym.admission import Machine
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.lab import Lab
from pytest_swegym.runs.executor import Terms
from pytest_swegym.runs.job import Done
from pytest_swegym.runs.job import Job
from pytest_swegym.runs.job import make_lab
from pytest_swegym.runs.job import perform
from pytest_swegym.runs.job import solver_of
from pytest_swegym.runs.threads import Call
from pytest_swegym.runs.threads import Threads
from pytest_swegym.sandbox.scope import Scope
from pytest_swegym.solvers import LoadedSolver


#: Seconds that closing waits for what is ending.
ENDING = 10.0


class LocalExecutor:
    """Makes attempts here, as many as are asked for and as the machine bears.

    Raises :class:`ConfigError` or :class:`SandboxError` if there can be no sandboxes. ``lab`` is what the attempts
    share; without one it is made, and closed at the end.
    """

    def __init__(self, terms: Terms, *, lab: Lab | None = None) -> None:
        if terms.jobs < 1:
            raise ConfigError(f"jobs={terms.jobs}: expected 1 or more")
        self._terms = terms
        self._lab = lab or make_lab(terms.conditions, admission=Admission(Machine(_written(terms))))
        self._owned = lab is None
        self._lock = threading.RLock()
        #: Of every attempt that waits or runs.
        self._scopes: dict[str, Scope] = {}
        self._solvers: dict[Any, LoadedSolver] = {}
        self._labs: dict[tuple[Path, ...], Lab] = {(): self._lab}
        self._closed = False
        self._threads = Threads(workers=terms.jobs, admission=self._lab.admission)
        self._threads.start()

    def submit(self, job: Job) -> None:
        """Queue a job. Raises :class:`ConfigError` if one of its key waits or runs here, or after :meth:`close`."""
        scope = Scope()
        with self._lock:
            if self._closed:
                raise ConfigError(f"{job.key}: the run is closed")
            if job.key in self._scopes:
                raise ConfigError(f"{job.key}: waits or runs already; another attempt needs another number")
            self._scopes[job.key] = scope
        prepare = partial(self._lab.prefetch, job.task)
        self._threads.submit(
            Call(
                key=f"{job.key}@{id(scope)}",  # a cancelled one of this key may be ending still
                run=partial(self._make, job, scope),
                thing=job.task.key,
                prepare=prepare,
                priority=job.priority,
            )
        )

    def cancel(self, key: str) -> bool:
        """Take a job out of the queue, or end it where it runs; false if there is none."""
        with self._lock:
            scope = self._scopes.pop(key, None)
        if scope is None:
            return False
        self._threads.take(f"{key}@{id(scope)}")
        scope.close()
        return True

    def close(self) -> None:
        """Cancel every job, and end what was started here. Twice is fine."""
        with self._lock:
            self._closed = True
            keys = list(self._scopes)
        self._threads.stop()
        for key in keys:
            self.cancel(key)
        if self._owned:
            self._end_labs()
            self._threads.join(ENDING)
            self._end_labs()  # what was just starting then
        else:
            self._threads.join(ENDING)

    def _end_labs(self) -> None:
        for lab in list(self._labs.values()):
            lab.close()

    def _make(self, job: Job, scope: Scope) -> None:
        """Make the attempt, in the calling thread, and tell what came of it."""
        ended: Done | Exception = InfraError(f"{job.key}: its own code (a reward, a judge, a hook) called for an exit")
        try:
            self._tell(job.key, {"event": "attempt_started", "instance_id": job.task.id, "number": job.number})
            solver = self._solver(job)
            ended = perform(
                job,
                self._lab_of(solver),
                self._terms.conditions,
                solver=solver,
                folder=self._terms.folder(job.key) if self._terms.folder is not None else None,
                run_id=self._terms.run_id,
                on_event=partial(self._tell, job.key),
                scope=scope,
            )
        except Exception as error:
            ended = error
        finally:  # whatever it was: somebody waits for this attempt
            with self._lock:
                cancelled = self._scopes.get(job.key) is not scope
                if not cancelled:
                    del self._scopes[job.key]
            if not cancelled:
                self._terms.ended(job, ended)

    def _tell(self, key: str, event: Mapping[str, Any]) -> None:
        if self._terms.on_event is not None:
            self._terms.on_event(key, event)

    def _solver(self, job: Job) -> LoadedSolver:
        """Loaded once for all attempts that name it."""
        with self._lock:
            if job.solver not in self._solvers:
                self._solvers[job.solver] = solver_of(job, self._terms.conditions)
            return self._solvers[job.solver]

    def _lab_of(self, solver: LoadedSolver) -> Lab:
        """The lab whose workspaces have the tools that the solver brings."""
        with self._lock:
            if solver.tools not in self._labs:
                shared: Any = {"backend": self._lab.backend, "admission": self._lab.admission}
                self._labs[solver.tools] = make_lab(self._terms.conditions, solver=solver, **shared)
            return self._labs[solver.tools]


def _written(terms: Terms) -> list[Path]:
    """The folders that attempts write to, besides the cache."""
    return [terms.folder("any")] if terms.folder is not None else []


__all__ = ["LocalExecutor"]
