"""A run that goes on: what comes of its attempts, as they end, to a loop or to an async one."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.results import Summary
from pytest_swegym.runs.executor import Executor
from pytest_swegym.runs.given import check_kind
from pytest_swegym.runs.given import check_number
from pytest_swegym.runs.given import check_whole
from pytest_swegym.runs.given import strict
from pytest_swegym.runs.inbox import Inbox
from pytest_swegym.runs.job import Conditions
from pytest_swegym.runs.job import Done
from pytest_swegym.runs.job import Job
from pytest_swegym.runs.job import content_of
from pytest_swegym.runs.job import solver_of
from pytest_swegym.runs.job import toolset_of
from pytest_swegym.runs.kept import RunFolder
from pytest_swegym.task import Task


log = logging.getLogger("pytest_swegym.runs")


class Ledger:
    """What a run and its executor share: which attempts are to come, and what has come of others.

    An attempt of an earlier run that this one keeps is in the inbox by its key, until it is read.
    """

    def __init__(self, size: int, folder: RunFolder | None) -> None:
        self.folder = folder
        self.inbox: Inbox[Done | Exception | str] = Inbox(size)
        self._keys: Counter[str] = Counter()
        self._lock = threading.Lock()

    def expect(self, key: str) -> None:
        """An attempt is about to be submitted."""
        with self._lock:
            self._keys[key] += 1
        self.inbox.expect()

    def forget(self, key: str) -> None:
        """Nothing will come of an attempt that was expected."""
        self._gone(key)
        self.inbox.expect(-1)

    def running(self) -> list[str]:
        """The attempts that wait or run, by their keys."""
        with self._lock:
            return list(self._keys)

    def _gone(self, key: str) -> None:
        with self._lock:
            self._keys[key] -= 1
            if not self._keys[key]:
                del self._keys[key]

    def ended(self, job: Job, what: Done | Exception) -> None:
        """Keep what came of a job, and let it wait to be taken. See :class:`~pytest_swegym.runs.executor.Terms`."""
        self._gone(job.key)
        if isinstance(what, Done) and self.folder is not None:
            try:
                self.folder.keep(what)
            except Exception as error:  # whatever it is: somebody waits for this attempt
                what = InfraError(f"{job.key}: its record could not be written: {error}")
                what.__cause__ = error
        self.inbox.put(what)

    def happened(self, key: str, event: Mapping[str, Any]) -> None:
        if self.folder is not None:
            self.folder.happened(key, event)

    def end(self, executor: Executor) -> None:
        """End what runs, and write the totals."""
        self.inbox.close()
        executor.close()
        if self.folder is not None:
            self.folder.end()


class Rollouts:
    """Attempts that go on, and an iterator of what came of them, in the order in which they end; also an async one.

    Leaving its ``with`` (or ``async with``), or dropping it, ends what still runs; leaving a loop over it does not, and
    another loop goes on. What the machinery could not do raises here; what went wrong in an attempt is in its record.
    """

    def __init__(self, executor: Executor, ledger: Ledger, conditions: Conditions, solver: Any) -> None:
        self._executor, self._ledger, self._conditions, self._solver = executor, ledger, conditions, solver
        self._close = weakref.finalize(self, ledger.end, executor)
        self._loaded: dict[Any, Any] = {}

    @strict
    def submit(
        self,
        task: Task,
        *,
        number: int = 0,
        priority: float = 0.0,
        solver: str | Callable[..., str | None] | None = None,
    ) -> str:
        """One more attempt, which is called by the key that is returned; the highest priority begins first.

        Raises :class:`ConfigError` if an attempt of that key waits or runs, or if the run is closed.
        """
        check_kind("task", task, Task, "a Task, as runs.tasks_of gives them")
        check_whole("number", number, 0)
        check_number("priority", priority)
        job = Job(task=task, solver=solver or self._solver, number=number, priority=priority)
        ledger = self._ledger
        if not self._close.alive:
            raise ConfigError(f"{job.key}: the run is closed")
        if ledger.folder is not None:
            job = replace(job, content=self._content(job))
        if self._is_kept(job):
            ledger.inbox.expect()
            ledger.inbox.put(job.key, wait=False)
            return job.key
        ledger.expect(job.key)
        try:
            self._executor.submit(job)
        except BaseException:
            ledger.forget(job.key)
            raise
        return job.key

    def cancel(self, key: str | None = None) -> bool:
        """End the attempt called ``key``, or all of them; nothing will come of it. False if it has ended already."""
        ledger = self._ledger
        cancelled = [each for each in ([key] if key is not None else ledger.running()) if self._executor.cancel(each)]
        for each in cancelled:
            ledger.forget(each)
        return bool(cancelled)

    def next(self, timeout: float | None = None) -> Done | None:
        """What came of the next attempt that ends; ``None`` when all have ended, or after ``timeout`` seconds.

        Raises what the machinery failed with.
        """
        found = self._opened(self._ledger.inbox.get(timeout))
        if found is None and not self._ledger.inbox.due:
            self.conclude()
        return found

    def conclude(self) -> Summary | None:
        """With ``output``, write the totals of what has ended so far, and return them. Done at the end in any case."""
        folder = self._ledger.folder
        return folder.conclude() if folder is not None else None

    def close(self) -> None:
        """End what still runs, its sandboxes too; what has ended stays in the output folder. Twice is fine."""
        self._close()

    def _opened(self, found: Done | Exception | str | None) -> Done | None:
        if isinstance(found, Exception):
            raise found
        if isinstance(found, str) and self._ledger.folder is not None:
            return self._ledger.folder.read(found)
        return found if isinstance(found, Done) else None

    def _content(self, job: Job) -> str:
        name = job.solver if isinstance(job.solver, str) else id(job.solver)
        if name not in self._loaded:
            solver = solver_of(job, self._conditions)
            # The callable is held, so that no other gets its id.
            self._loaded[name] = job.solver, solver, toolset_of(self._conditions, solver)
        _, solver, tools = self._loaded[name]
        return content_of(job, self._conditions, solver, tools)

    def _is_kept(self, job: Job) -> bool:
        """Whether an earlier run has finished it, of the same content."""
        folder = self._ledger.folder
        if folder is None or not self._conditions.resume:
            return False
        try:
            return folder.kept(job.key, job.content)
        except ConfigError as error:
            log.warning("%s; the attempt is made again", error)
            return False

    # -- as an iterator --------------------------------------------------------------------------

    def __iter__(self) -> Rollouts:
        return self

    def __next__(self) -> Done:
        found = self.next()
        if found is None:
            raise StopIteration
        return found

    def __aiter__(self) -> Rollouts:
        return self

    async def __anext__(self) -> Done:
        found = self._opened(await self._ledger.inbox.aget())
        if found is None:
            await asyncio.to_thread(self.conclude)
            raise StopAsyncIteration
        return found

    def __enter__(self) -> Rollouts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Rollouts:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The loop goes on while sandboxes end.
        await asyncio.shield(asyncio.to_thread(self.close))


__all__ = ["Ledger", "Rollouts"]
