"""What runs on the machines of a cluster: hands that make attempts, and ship snapshots to each other."""

from __future__ import annotations

import logging
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.prints import Prints
from pytest_swegym.admission import Admission
from pytest_swegym.errors import SandboxError
from pytest_swegym.lab import Lab
from pytest_swegym.results.cache import grader_digest
from pytest_swegym.runs.files import files_of
from pytest_swegym.runs.files import place_files
from pytest_swegym.runs.job import Conditions
from pytest_swegym.runs.job import Done
from pytest_swegym.runs.job import Job
from pytest_swegym.runs.job import make_lab
from pytest_swegym.runs.job import perform
from pytest_swegym.runs.job import solver_of
from pytest_swegym.runs.ray_sharing import NodeSharing
from pytest_swegym.runs.ray_sharing import SharedFolder
from pytest_swegym.sandbox import choose
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.docker_owner import is_dead
from pytest_swegym.sandbox.docker_owner import own_name
from pytest_swegym.sandbox.scope import Scope
from pytest_swegym.sandbox.sharing import Shipper
from pytest_swegym.solvers import LoadedSolver


log = logging.getLogger("pytest_swegym.runs")
#: Seconds for which events are gathered before they travel.
_GATHER = 0.25
#: Bytes of what a solver prints that are kept.
_PRINTED = 256 * 2**10


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a worker is given: its name for Ray, and its orders. ``share`` is the folder that all machines see."""

    who: str
    conditions: Conditions
    run_id: str = ""
    share: str = ""
    shipped_root: bool = False


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


class _Other:
    """A worker on another node, which has what this one lacks."""

    def __init__(self, name: str) -> None:
        self._name = name

    def parcels(self, key: str) -> list[str]:
        import ray
        from ray.exceptions import RayError

        try:
            return list(ray.get(ray.get_actor(self._name).parcels.remote(key)))
        except (RayError, ValueError) as error:
            raise SandboxError(f"worker {self._name} cannot be asked: {error}"[:500]) from error

    def chunks(self, key: str) -> Iterator[bytes]:
        import ray
        from ray.exceptions import RayError

        try:
            send = ray.get_actor(self._name).send
            sent: Any = send.options(num_returns="streaming", _generator_backpressure_num_objects=4).remote(key)
            for ref in sent:
                yield ray.get(ref)
        except (RayError, ValueError) as error:
            raise SandboxError(f"worker {self._name} did not send snapshot {key}: {error}"[:500]) from error


class Hand:
    """Makes attempts on its node, some at a time, each in a thread of its own; ships what its node has to others."""

    def __init__(self, post: Post, catalogue: Any) -> None:
        self._post, self._catalogue = post, catalogue
        # The folder that the driver sent is where this process was started.
        self._conditions = replace(post.conditions, root="") if post.shipped_root else post.conditions
        # A hand is one core's worth of computing; what waits for a model is not counted.
        self._admission = Admission(slots=1)
        self._labs: dict[str, Lab] = {}
        self._backend: Backend | None = None
        self._scopes: dict[str, Scope] = {}
        self._lock, self._loading = threading.Lock(), threading.RLock()
        self._prints = Prints()
        self._prints.route()

    def ready(self) -> tuple[str, str]:
        """Its node, and the code that it grades by. What dead workers left there is removed."""
        os.getcwd()  # raises if the folder that was sent is gone again: another worker is started then
        backend = self._shared_backend()
        _sweep_folders()
        backend.sweep()
        self._ask("joined", self._post.who, _node(), backend.kept() if isinstance(backend, Shipper) else [])
        return _node(), grader_digest()

    def parcels(self, key: str) -> list[str]:
        """What must be brought of a snapshot; empty if it is not here."""
        backend = self._shared_backend()
        found = backend.find(key) if isinstance(backend, Shipper) else None
        return backend.parcels(found) if found is not None and isinstance(backend, Shipper) else []

    def send(self, key: str) -> Iterator[bytes]:
        """One parcel, in chunks. Raises :class:`SandboxError`."""
        backend = self._shared_backend()
        if not isinstance(backend, Shipper):
            raise SandboxError(f"the sandboxes of {backend.name} cannot be shipped")
        yield from backend.pack(key)

    def perform(self, ident: str, job: Job, files: Mapping[str, bytes]) -> Iterator[list[Mapping[str, Any]] | Done]:
        """Make the attempt: lists of what happens to it, and what came of it last. Raises as :func:`solver_of`."""
        told: queue.SimpleQueue[Mapping[str, Any] | Done | BaseException] = queue.SimpleQueue()

        def work() -> None:
            try:
                told.put(self._performed(ident, job, files, told.put))
            except BaseException as error:
                told.put(error)

        threading.Thread(target=work, name=f"swegym-{job.key}", daemon=True).start()
        began = {"event": "attempt_started", "instance_id": job.task.id, "number": job.number, "node": _node()}
        yield [began]
        while True:
            events: list[Mapping[str, Any]] = []
            last = _gather(told, events)
            if events:
                yield events
            if isinstance(last, BaseException):
                raise last
            if isinstance(last, Done):
                yield last
                return

    def cancel(self, ident: str) -> None:
        """End the attempt that was given under ``ident``, its sandboxes too; also if it is only about to begin."""
        self._scope(ident).close()

    def _scope(self, ident: str) -> Scope:
        with self._lock:
            return self._scopes.setdefault(ident, Scope())

    def close(self) -> None:
        """End every attempt and sandbox. Twice is fine."""
        for ident in list(self._scopes):
            self.cancel(ident)
        with self._loading:
            labs, self._labs = self._labs, {}
        for lab in labs.values():
            lab.close()

    def _performed(
        self, ident: str, job: Job, files: Mapping[str, bytes], tell: Callable[[Mapping[str, Any]], None]
    ) -> Done:
        scope = self._scope(ident)
        folder = Path(tempfile.mkdtemp(prefix=_own_prefix(), dir=_folders()))
        try:
            solver, lab = self._lab_of(job)
            place_files(folder, files)
            collected = replace(solver, function=self._collecting(solver.function, tell))
            with self._admission.place():
                scope.check()
                done = perform(
                    job, lab, self._conditions, solver=collected, folder=folder, run_id=self._post.run_id,
                    on_event=tell, scope=scope,
                )  # fmt: skip
            return replace(done, files=files_of(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with self._lock:
                self._scopes.pop(ident, None)

    def _lab_of(self, job: Job) -> tuple[LoadedSolver, Lab]:
        # One at a time: a module that another thread is just importing is half there.
        with self._loading:
            solver = solver_of(job, self._conditions)
            key = "\n".join(map(str, solver.tools))
            if key not in self._labs:
                backend = self._shared_backend()
                self._labs[key] = make_lab(self._conditions, solver=solver, backend=backend, admission=self._admission)
            return solver, self._labs[key]

    def _shared_backend(self) -> Backend:
        with self._loading:
            if self._backend is None:
                conditions = self._conditions
                backend = choose(conditions.sandbox, offline=conditions.offline, registry=conditions.registry)[0]
                if isinstance(backend, Shipper):
                    backend.sharing = self._sharing(backend)
                self._backend = backend
            return self._backend

    def _sharing(self, backend: Backend) -> NodeSharing:
        share = self._post.share
        folder = SharedFolder(Path(share), backend.name) if share else None
        given: Any = {"ask": self._ask, "place_of": _Other, "folder": folder}
        return NodeSharing(backend, node=_node(), who=self._post.who, **given)

    def _ask(self, method: str, *given: Any) -> Any:
        import ray

        return ray.get(getattr(self._catalogue, method).remote(*given))

    def _collecting(
        self, function: Callable[..., Any], tell: Callable[[Mapping[str, Any]], None]
    ) -> Callable[..., Any]:
        def solve(task: Any, workspace: Any) -> Any:
            with self._prints.collect() as buffer:
                try:
                    return function(task, workspace)
                finally:
                    if text := buffer.getvalue():
                        tell({"event": "printed", "text": text[-_PRINTED:]})

        return solve


def _gather(told: queue.SimpleQueue[Any], events: list[Mapping[str, Any]]) -> Done | BaseException | None:
    """Add what is told in the next moment to ``events``; the end, if it is told."""
    given = told.get()
    while isinstance(given, Mapping):
        events.append(given)
        try:
            given = told.get(timeout=_GATHER)
        except queue.Empty:
            return None
        if len(events) >= 64:
            break
    if isinstance(given, Mapping):
        events.append(given)
        return None
    return given  # type: ignore[no-any-return]


def _folders() -> Path:
    """Where running attempts have their folders on this node."""
    return cache_dir("attempts")


def _own_prefix() -> str:
    """Names this process: several machines may see one cache, and another's attempts look dead from here."""
    return own_name().replace("/", "~") + "~"


def _sweep_folders() -> None:
    for folder in _folders().iterdir():
        if is_dead("/".join(folder.name.split("~")[:-1])):
            shutil.rmtree(folder, ignore_errors=True)


__all__ = ["Hand", "Post"]
