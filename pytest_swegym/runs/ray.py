"""Attempts on the machines of a Ray cluster: what dies there is made again, what has ended is kept."""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SwegymError
from pytest_swegym.results.cache import grader_digest
from pytest_swegym.runs.executor import Terms
from pytest_swegym.runs.files import files_of
from pytest_swegym.runs.files import place_files
from pytest_swegym.runs.job import Done
from pytest_swegym.runs.job import Job
from pytest_swegym.runs.queue import Queue
from pytest_swegym.runs.ray_catalogue import Shipped
from pytest_swegym.runs.ray_cluster import Cluster
from pytest_swegym.runs.ray_placing import LOOK
from pytest_swegym.runs.ray_placing import Flight
from pytest_swegym.runs.ray_placing import Placing
from pytest_swegym.runs.ray_placing import Worker
from pytest_swegym.runs.ray_placing import fair_share
from pytest_swegym.runs.ray_worker import Post


log = logging.getLogger("pytest_swegym.runs")
#: How often an attempt is made whose worker dies, and how many workers may die at birth one after the other.
TRIES, STILLBORN = 4, 8
#: Seconds of one wait for news, between two looks at the nodes, and until it is told that no worker has come, or tried
#: anew where one could not live.
_WAIT, _LOOK, _LATE = 0.1, 2.0, 60.0
#: Seconds that closing waits for what has ended to be kept.
_ENDING = 10.0
_TELLERS = 8


class RayExecutor:
    """Makes attempts on a cluster; see :class:`~pytest_swegym.runs.executor.Executor`.

    ``address`` and ``share`` are the options ``--swegym-ray-address`` and ``--swegym-share``. With 0 jobs as many
    attempts run as the cluster has cores; with more than it has, a worker makes several at a time.

    Raises :class:`ConfigError` if there is no such cluster.
    """

    def __init__(self, terms: Terms, *, address: str | None = None, share: Path | None = None) -> None:
        self._terms = terms
        left_out = [terms.folder("key").parents[1]] if terms.folder is not None else []
        self._cluster = Cluster(address, root=terms.conditions.folder, left_out=left_out)
        self._share = str(share.absolute()) if share is not None else ""
        self._waiting: Queue[Flight] = Queue()
        self._flights: dict[str, Flight] = {}
        self._workers: list[Worker] = []
        self._placing = Placing()
        self._nodes: set[str] = set()
        self._cores = self._ending = self._stillborn = 0
        self._looked, self._last_worked, self._died = -_LOOK, time.monotonic(), 0.0
        self._failure: Exception | None = None
        self._closed = False
        self._lock = threading.RLock()
        self._news = threading.Event()
        self._results: SimpleQueue[tuple[Flight, Done | Exception] | None] = SimpleQueue()
        for _ in range(_TELLERS):
            # Daemons: whoever ends his program without taking what waits there must not wait for these.
            threading.Thread(target=self._tell, name="swegym-ended", daemon=True).start()
        self._thread = threading.Thread(target=self._drive, name="swegym-ray", daemon=True)
        self._thread.start()
        self._cluster.watch(self._fail)

    # -- the contract ----------------------------------------------------------------------------

    def submit(self, job: Job) -> None:
        """Queue a job. Raises :class:`ConfigError` if one of its key is here, if its solver cannot be sent, or if this
        is closed."""
        with self._lock:
            if self._closed:
                raise ConfigError(f"{job.key}: the run is closed")
            if job.key in self._flights:
                raise ConfigError(f"{job.key}: waits or runs already; another attempt needs another number")
            self._cluster.check_sendable(job.solver)
            flight = self._flights[job.key] = Flight(job=job, task=job.task.key)
            if self._failure is not None:
                self._end(flight, self._failure)
            else:
                self._waiting.put(job.key, flight, job.priority)
        self._news.set()

    def cancel(self, key: str) -> bool:
        """Take a job out of the queue, or end it where it runs; nothing will be told of it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None or flight.cancelled or flight.done is not None:
                return False
            flight.cancelled = True
            del self._flights[key]
            if self._waiting.take(key) is None and flight.at is not None:
                flight.at.actor.cancel.remote(flight.ident)
        return True

    def close(self) -> None:
        """Cancel every job, and end what was started on the cluster. Twice is fine; never raises."""
        with self._lock:
            first, self._closed = not self._closed, True
            self._waiting.clear()
        self._news.set()
        if first:
            self._thread.join(10.0 if self._failure is None else 1.0)  # it may wait for a cluster that is gone
            self._cluster.end()
            until = time.monotonic() + _ENDING
            while self._ending and time.monotonic() < until:  # attempts that have ended are still to be kept
                time.sleep(0.02)
            for _ in range(_TELLERS):
                self._results.put(None)

    def shipped(self) -> tuple[Shipped, dict[tuple[str, str], int]]:
        """What was shipped so far, and how often each snapshot to each node."""
        return self._cluster.shipped()

    # -- the thread that drives ------------------------------------------------------------------

    def _drive(self) -> None:
        while not self._closed and self._failure is None:
            try:
                self._round()
            except BaseException as error:  # whatever it is: others wait for this thread
                if not self._closed and self._failure is None:
                    log.exception("the cluster failed")
                    self._fail(self._cluster.failed(f"{type(error).__name__}: {error}"))
                return

    def _round(self) -> None:
        """Start workers, give them jobs, and hear what they say."""
        self._look_at_nodes()
        if self._failure is not None:  # meanwhile; whoever asks Ray for anything once it was left starts a new cluster
            return
        self._hire()
        self._place()
        calls = {call: worker for worker in self._workers for call in worker.flights}
        probes = {worker.probe: worker for worker in self._workers if not worker.node}
        if not calls and not probes:
            self._news.wait(_WAIT)
            self._news.clear()
            return
        for ref in self._cluster.ready([*calls, *probes], _WAIT):
            if ref in probes:
                self._arrive(probes[ref])
            elif ref in calls[ref].flights:
                self._hear(calls[ref], ref)

    def _look_at_nodes(self) -> None:
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        alive, before = self._cluster.nodes(), self._nodes
        if alive - before:
            self._stillborn = 0  # where a worker may well live
        self._nodes, self._cores = alive, self._cluster.cores()
        for node in before - alive:
            log.warning("node %s is gone: what it was making is made again", node[:8])
            self._cluster.lost(node)
            self._placing.lost(node)
            for worker in [worker for worker in self._workers if worker.node == node]:
                self._bury(worker, InfraError(f"node {node[:8]} is gone"))
        if not self._flights or any(worker.node for worker in self._workers):
            self._last_worked = now
        elif now - self._last_worked > _LATE:
            self._last_worked = math.inf  # told once
            said = "no worker has come yet: none of the cluster's %d cores seems to be free (see ray status)"
            log.warning(said, self._cores)

    def _hire(self) -> None:
        """One worker for each core that there is work for."""
        if self._stillborn > STILLBORN and self._workers:
            if time.monotonic() - self._died < _LATE:
                return  # there is a node where none lives
            self._stillborn = 0
        jobs = self._terms.jobs
        wanted = min(self._cores, len(self._flights), jobs or self._cores)
        for _ in range(wanted - len(self._workers)):
            threads = max(1, math.ceil(jobs / self._cores))
            post = Post(
                who=f"swegym-{secrets.token_hex(8)}",
                conditions=self._terms.conditions,
                run_id=self._terms.run_id,
                share=self._share,
                shipped_root=self._cluster.ships_root,
            )
            actor = self._cluster.hand(post, threads)
            self._workers.append(Worker(actor=actor, probe=actor.ready.remote(), who=post.who, threads=threads))

    def _arrive(self, worker: Worker) -> None:
        """A worker lives, or died at birth."""
        try:
            node, digest = self._cluster.get(worker.probe)
            if digest != grader_digest():
                raise ConfigError(f"node {node[:8]} has another version of pytest-swegym: install the same everywhere")
        except SwegymError as error:
            self._bury(worker, error)
            if isinstance(error, ConfigError):
                self._fail(error)
            else:
                self._unborn(error)
        except self._cluster.failures as error:
            self._bury(worker, error)
            self._unborn(error)
        else:
            worker.node, self._stillborn = node, 0

    def _unborn(self, error: Exception) -> None:
        """A worker died at birth. One bad node ends no run: others live, or may."""
        told = self._stillborn > STILLBORN
        ours = isinstance(error, SwegymError)  # then it says what is amiss, and will be there the next time
        self._stillborn += STILLBORN + 1 if ours else 1
        self._died = time.monotonic()
        if self._stillborn > STILLBORN and not self._workers:
            self._fail(error if ours else InfraError(f"no worker starts on the cluster: {error}"[:3000]))
        elif self._stillborn > STILLBORN and not told:
            log.warning("no more workers are started for now, one could not live on its node: %s", str(error)[:3000])

    def _place(self) -> None:
        """Give each free worker the job that fits it best, the least busy first."""
        with self._lock:
            busy = sum(len(worker.flights) for worker in self._workers) + self._ending
            room = (self._terms.jobs or len(self._workers)) - busy
            share = fair_share(self._workers, len(self._flights))
            upcoming = [*islice(self._waiting.upcoming(), max(0, room) + LOOK)] if room > 0 else []
            while upcoming and room > 0:
                free = [worker for worker in self._workers if worker.free and len(worker.flights) < share]
                if not free:
                    return
                worker = min(free, key=lambda each: len(each.flights))
                flight = self._placing.choose(upcoming, worker.node)
                upcoming.remove(flight)
                self._waiting.take(flight.job.key)
                self._begin(flight, worker)
                room -= 1

    def _begin(self, flight: Flight, worker: Worker) -> None:
        job = flight.job
        folder = self._terms.folder(job.key) if self._terms.folder is not None else None
        again = self._terms.conditions.resume and folder is not None and folder.is_dir()
        files = files_of(folder) if again and folder is not None else {}
        flight.tries, flight.at = flight.tries + 1, worker
        call = worker.actor.perform.options(num_returns="streaming").remote(flight.ident, job, files)
        worker.flights[call] = flight
        self._placing.placed(flight, worker.node)

    # -- what comes back -------------------------------------------------------------------------

    def _hear(self, worker: Worker, call: Any) -> None:
        flight = worker.flights[call]
        try:
            told = self._cluster.next(call)
        except self._cluster.failures as error:
            self._bury(worker, error)
            return
        if isinstance(told, list):
            if not flight.cancelled:
                self._happened(flight.job.key, told)
            return
        del worker.flights[call]
        self._end(flight, told)

    def _happened(self, key: str, events: list[Mapping[str, Any]]) -> None:
        tell = self._terms.on_event
        for event in events:
            try:
                if tell is not None:
                    tell(key, event)
            except BaseException:  # who only listens harms no attempt, however it fails
                log.exception("%s: what happened to it could not be told", key)

    def _end(self, flight: Flight, told: Done | Exception) -> None:
        with self._lock:
            if flight.cancelled or self._closed:
                return
            flight.done = told
            self._ending += 1
        self._results.put((flight, told))

    def _tell(self) -> None:
        while (found := self._results.get()) is not None:
            self._told(*found)

    def _told(self, flight: Flight, told: Done | Exception) -> None:
        try:
            self._terms.ended(flight.job, self._placed(flight.job.key, told))
        except BaseException:
            log.exception("%s could not be reported", flight.job.key)
        finally:
            with self._lock:
                self._flights.pop(flight.job.key, None)
                self._ending -= 1
            self._news.set()

    def _placed(self, key: str, told: Done | Exception) -> Done | Exception:
        """What came of a job, its files where they belong; why not, if they cannot be: somebody waits for it."""
        try:
            if isinstance(told, Done) and self._terms.folder is not None:
                place_files(self._terms.folder(key), told.files)
        except (InfraError, OSError) as error:
            return InfraError(f"{key}: its files could not be written: {error}")
        return told

    def _bury(self, worker: Worker, error: BaseException) -> None:
        """A worker is dead: its attempts are made again, by whoever is free."""
        self._workers.remove(worker)
        self._cluster.bury(worker.actor, worker.who)
        self._looked = -_LOOK
        if worker.node:
            self._stillborn = 0  # another may live in its place
        flights = [*worker.flights.values()]
        worker.flights.clear()
        for flight in flights:
            with self._lock:
                again = flight.tries < TRIES and not flight.cancelled
                if again:
                    log.warning("%s: its worker is gone, it is made again", flight.job.key)
                    flight.at = None
                    # Before all others of its priority.
                    self._waiting.put(flight.job.key, flight, math.nextafter(flight.job.priority, math.inf))
            if not again:
                reason = f"its worker died {flight.tries} times: {type(error).__name__}: {error}"
                self._end(flight, InfraError(reason[:2000]))

    def _fail(self, error: Exception) -> None:
        """Nothing can be made here: everything that waits or runs ends with that."""
        with self._lock:
            self._failure = error
            self._waiting.clear()
            flights = [flight for flight in self._flights.values() if flight.done is None]
            for worker in self._workers:
                worker.flights.clear()
        for flight in flights:
            self._end(flight, error)


__all__ = ["RayExecutor"]
