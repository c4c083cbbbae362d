"""What all attempts of a run share: the backend, and every task prepared once."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.locks import key_lock
from pytest_swegym._support.paths import cache_dir
from pytest_swegym.admission import Admission
from pytest_swegym.admission.machine import idle_cores
from pytest_swegym.environments import BUILD_SLOT
from pytest_swegym.environments import Disk
from pytest_swegym.environments import prepare
from pytest_swegym.environments import with_base_patch
from pytest_swegym.environments import with_setup
from pytest_swegym.environments import with_variables
from pytest_swegym.errors import SwegymError
from pytest_swegym.errors import UnrunnableTask
from pytest_swegym.grading import Baseline
from pytest_swegym.grading import Judge
from pytest_swegym.grading import check_task
from pytest_swegym.grading import kept
from pytest_swegym.grading import measure_baseline
from pytest_swegym.grading.compiled import gather
from pytest_swegym.grading.run import begin_tests
from pytest_swegym.prepared import Prepared as Prepared
from pytest_swegym.prepared import prepared_once
from pytest_swegym.results.cache import GradeCache
from pytest_swegym.results.cache import grader_digest
from pytest_swegym.rows.check_writer import UNDECIDED
from pytest_swegym.rows.check_writer import CheckWriter
from pytest_swegym.rows.check_writer import written_checks
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Dropper
from pytest_swegym.sandbox.base import Keeper
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.scope import Scope
from pytest_swegym.sandbox.spares import Spares
from pytest_swegym.sources import Source
from pytest_swegym.sources import make_source
from pytest_swegym.sources import release_pair
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task.spec import with_checks
from pytest_swegym.tools import Toolset
from pytest_swegym.workspace import Occasion
from pytest_swegym.workspace import Workspace


log = logging.getLogger("pytest_swegym.lab")


@dataclass(slots=True, kw_only=True)
class _Hold:
    """A snapshot that is kept for so many attempts; one lease for all of them."""

    release: Callable[[], None]
    users: int = 0


class Lab:
    """What all attempts of a run share: the backend, and every task prepared once. Safe to use from several threads.

    ``mirror`` names a folder of bare repositories, ``root`` the folder that relative repositories start from. With
    ``grades``, a patch that the same tests graded before keeps its grade; ``disk`` holds a budget. ``tools`` are
    installed in the workspaces of solvers, and of nobody else. Tasks that are checked by nothing but prose get their
    checks from ``check_writer``, or are graded by ``judge``. ``admission`` says who computes when.
    ``fast_fail`` and ``shards`` are those of
    :func:`~pytest_swegym.grading.grade`; 0 shards are as many as cores are idle. With ``prefork`` the tests' Python is
    started ahead of each grade.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        mirror: Path | None = None,
        offline: bool = False,
        root: Path | None = None,
        protect: str = "strict",
        compat: str = "same-run",
        fast_fail: bool = False,
        shards: int = 1,
        prefork: bool = False,
        grades: GradeCache | None = None,
        disk: Disk | None = None,
        admission: Admission | None = None,
        tools: Toolset | None = None,
        judge: Judge | None = None,
        check_writer: CheckWriter | None = None,
    ) -> None:
        self.backend = backend
        self.tools = tools
        self._check_writer = check_writer
        self.protect = protect
        self.compat = compat
        self.fast_fail = fast_fail
        self.shards = shards
        self.spares = Spares() if prefork else None
        self._ordinary: set[str] = set()
        self.grades = grades
        self._offline = offline
        self._source_options: dict[str, Any] = {"mirror": mirror, "offline": offline, "root": root}
        self._prepared: dict[str, Prepared] = {}
        self._failed: dict[str, SwegymError] = {}
        self._disk = disk or Disk([backend], None)
        self.admission = admission or Admission()
        self.admission.make_room = self._disk.make_room
        self.judge = judge and self.admission.turns.lent(judge)
        self._holds: dict[str, _Hold] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def prepare(self, task: Task) -> Prepared:
        """Tree, environment, snapshot and baseline of ``task``; each is made once and cached across runs.

        Raises :class:`SourceError`, :class:`EnvironmentBuildError`, :class:`GradingError`, :class:`SandboxError`, or
        :class:`UnrunnableTask`.
        """
        if task.problem:
            raise UnrunnableTask(f"{task.id}: {task.problem}")
        name = _name(task)
        self.admission.require_disk()
        with self._locks[name]:
            failed, prepared = self._failed.pop(name, None), self._prepared.get(name)
            if failed is not None and prepared is None:
                raise failed
            if prepared is None or not self._hold(name, prepared, again=True):
                tools = self.tools.key if self.tools is not None else ""
                prepared = prepared_once(self.backend, task, tools, lambda: self._prepare(task))
                self._prepared[name] = prepared
                self._hold(name, prepared)
        self._disk.make_room()
        return prepared

    def _hold(self, name: str, prepared: Prepared, *, again: bool = False) -> bool:
        """Keep the snapshot for one more attempt; false if it went since an earlier one, to make room on the disk."""
        if not isinstance(self.backend, Keeper):
            return True
        hold = self._holds.get(name)
        if hold is None:
            hold = _Hold(release=self.backend.hold(prepared.solving))
            if again and self.backend.find(prepared.solving.key) is None:
                hold.release()
                return False
            self._holds[name] = hold
        hold.users += 1
        return True

    def release(self, task: Task) -> None:
        """One attempt has ended that called :meth:`prepare`: what it was prepared from may go for a disk budget."""
        name = _name(task)
        with self._locks[name]:
            hold = self._holds.get(name)
            if hold is not None:
                hold.users -= 1
                if not hold.users:
                    self._holds.pop(name).release()

    def prefetch(self, task: Task) -> None:
        """As :meth:`prepare`, for an attempt that is yet to come, and is told what went wrong. Tried once."""
        try:
            self.prepare(task)
        except SwegymError as error:
            self._failed[_name(task)] = error
        else:
            self.release(task)

    def _prepare(self, task: Task) -> Prepared:
        before = BUILD_SLOT.set(self.admission.turns.take)
        try:
            concrete, snapshot, environment = self.located(task)
            tooled = None
            if self.tools is not None:
                tooled = self.tools.install(self.backend, snapshot, task.spec, offline=self._offline)
        finally:
            BUILD_SLOT.reset(before)
        return replace(self.measured(concrete, snapshot), environment=environment, tooled=tooled)

    def located(self, task: Task) -> tuple[Task, Snapshot, str]:
        """``task`` with its hidden part in full, its repository snapshot, and what that was made of; nothing measured.

        Raises as :meth:`prepare`, except for :class:`GradingError`.
        """
        if task.problem:
            raise UnrunnableTask(f"{task.id}: {task.problem}")
        self._disk.make_room()
        spec = task.spec
        concrete, pair = task, None
        if task.hidden.fixed_by:
            pair = release_pair(spec.repo, task.hidden.fixed_by, **self._source_options)
            hidden = replace(task.hidden, fixed_by=None, patch=pair.patch, test_patch=pair.test_patch)
            concrete = replace(task, hidden=hidden)

        if task.hidden.teacher and not task.hidden.checks:
            concrete = self._decidable(task)

        def source() -> Source:
            return pair.base if pair else make_source(spec.repo, spec.base_commit, **self._source_options)

        ready = prepare(spec, source, self.backend, offline=self._offline)
        snapshot = ready.snapshot
        if concrete.hidden.base_patch:
            snapshot = with_base_patch(spec, snapshot, concrete.hidden.base_patch, self.backend)
        if concrete.hidden.setup:
            snapshot = with_setup(spec, snapshot, concrete.hidden.setup, self.backend)
        return concrete, snapshot, ready.environment

    def _decidable(self, task: Task) -> Task:
        """A task that only prose says how to check, with checks written for it, or for the judge."""
        checks = written_checks(task, self._check_writer if self.judge is None else None)
        if checks:
            return replace(task, hidden=with_checks(task.hidden, checks))
        if self.judge is None:
            raise UnrunnableTask(f"{task.id}: {UNDECIDED}")
        return task

    def measured(self, task: Task, snapshot: Snapshot) -> Prepared:
        """Add the baseline: what the tests say before any patch, measured once per task and grader."""
        key = content_key("prepared", grader_digest(), snapshot.key, self.backend.name, task.to_dict())
        path = cache_dir("baselines") / f"{key}.json"
        baseline = kept.load(path)
        if baseline is None:
            with key_lock(f"baseline-{key}"):  # of several processes one measures, the others wait
                baseline = kept.load(path) or self._measured(task, snapshot, path)
        return Prepared(task=task, snapshot=snapshot, baseline=baseline, key=key)

    def _measured(self, task: Task, snapshot: Snapshot, path: Path) -> Baseline:
        log.info("measuring the baseline of %s", task.id)
        with self.computing(task.spec, snapshot) as workspace:
            baseline = measure_baseline(task, workspace)
            archive = gather(task, workspace, baseline)
        check_task(task, baseline)
        return kept.save(path, baseline, archive)

    def workspace(
        self,
        spec: TaskSpec,
        snapshot: Snapshot,
        *,
        network: bool = False,
        occasion: Occasion | None = None,
        begin: Snapshot | None = None,
        scope: Scope | None = None,
        tests: Task | None = None,
    ) -> Workspace:
        """A fresh fork of a repository snapshot; with ``begin`` it starts from that moment of an earlier workspace.

        Its sandbox, and those that it starts, end with ``scope``. ``tests`` names the task whose hidden tests are about
        to be run in it: with ``prefork``, their Python may be up already.
        """
        limits = SandboxLimits(memory_mb=spec.limits.memory_mb, cpus=spec.limits.cpus, pids=spec.limits.pids)
        base = with_variables(snapshot, spec)

        def start(at: Snapshot | None = None) -> Sandbox:
            return self.backend.start(at or base, limits=limits, network=network)

        def fork(at: Snapshot | None = None) -> Sandbox:
            return start(at) if scope is None else scope.start(lambda: start(at))

        def first() -> Sandbox:
            return start(begin) if tests is None else self._ahead(tests, base, start)

        drop = self.backend.drop if isinstance(self.backend, Dropper) else None
        sandbox = first() if scope is None else scope.start(first)
        return Workspace(sandbox, spec.workdir, fork=fork, drop=drop, program=spec.shell, occasion=occasion)

    def _ahead(self, task: Task, snapshot: Snapshot, start: Callable[[], Sandbox]) -> Sandbox:
        """A sandbox in which the Python of the task's tests waits, if one was made ready meanwhile."""
        name = content_key(snapshot.key, task.to_dict())
        if self.spares is None or name in self._ordinary:
            return start()

        def ready() -> Sandbox:
            sandbox = start()
            try:
                if not begin_tests(task, sandbox):
                    self._ordinary.add(name)
                    log.info("%s: its tests' Python is started when it is needed", task.id)
            except BaseException:
                sandbox.close()
                raise
            return sandbox

        return self.spares.take(name, start, ready)

    @contextmanager
    def computing(
        self, spec: TaskSpec, snapshot: Snapshot, scope: Scope | None = None, tests: Task | None = None
    ) -> Iterator[Workspace]:
        """A fresh fork in which tests are about to run: one of as many at a time as there are cores."""
        with self.admission.turns.take(scope), self.workspace(spec, snapshot, scope=scope, tests=tests) as workspace:
            yield workspace

    @contextmanager
    def dividing(self, baseline: Baseline) -> Iterator[int]:
        """In how many processes the tests of a grade may run at once; held until it ends."""
        if self.shards:
            yield self.shards
            return
        turns = self.admission.turns
        # A process takes about a second to get to its tests: it is to have as much to do.
        worth = int(sum(baseline.seconds.values())) - 1
        with turns.spare(min(worth, idle_cores(turns.count))) as idle:
            yield 1 + idle

    def __deepcopy__(self, memo: object) -> Lab:
        """A lab is shared, whoever copies the options that it is one of."""
        return self

    def close(self) -> None:
        """End every sandbox of the run. Twice is fine."""
        self.admission.close()
        if self.spares is not None:
            self.spares.close()
        while self._holds:
            self._holds.popitem()[1].release()
        self.backend.close()


def _name(task: Task) -> str:
    """Two tasks of one id, in other folders or environments, are not prepared the same."""
    return content_key("lab", task.to_dict())
