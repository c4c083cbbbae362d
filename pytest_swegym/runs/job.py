"""One attempt as an order: what it takes to make it, here or on another machine, and what comes back.

An order is made of plain values, and of a solver's name wherever it has one: a worker loads the solver itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from pathlib import Path
from typing import Any

from pytest_swegym._support.loading import load
from pytest_swegym.admission import Admission
from pytest_swegym.environments import Disk
from pytest_swegym.episode import Attempt
from pytest_swegym.errors import ConfigError
from pytest_swegym.grading import GRADER_VERSION
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.results.cache import GradeCache
from pytest_swegym.runs.given import check_fields
from pytest_swegym.runs.given import strict
from pytest_swegym.runs.resume import attempt_key
from pytest_swegym.sandbox import choose
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.scope import Scope
from pytest_swegym.session.rewards import make_step_reward
from pytest_swegym.settings import counts_all
from pytest_swegym.settings import parse_shards
from pytest_swegym.solvers import LoadedSolver
from pytest_swegym.solvers import load_solver
from pytest_swegym.solvers import own_solver
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.tools import Toolset
from pytest_swegym.tools import with_folders
from pytest_swegym.workspace import Occasion


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What all attempts of a run are made under; the fields are the ``--swegym-*`` options of that name.

    ``root`` is the folder that relative names (of solvers, repositories, tools) start from.
    Raises :class:`ConfigError` for what the option of a field's name would not take.
    """

    sandbox: str = "auto"
    reward: str = "resolved"
    step_reward: str = "none"
    agent: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    judge: str | None = None
    check_writer: str | None = None
    max_steps: int | None = None
    seed: int = 0
    protect: str = "strict"
    compat: str = "same-run"
    fast_fail: bool = False
    prefork: str = "off"
    shards: int | str = 1
    no_cache: bool = False
    mirror: str | None = None
    offline: bool = False
    registry: str = ""
    disk_budget: float | None = None
    resume: bool = False
    root: str = ""

    def __post_init__(self) -> None:
        for name in ("agent", "tools", "mirror", "root"):  # as they are kept: of what can be sent and compared
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
            elif isinstance(value, os.PathLike):
                object.__setattr__(self, name, os.fspath(value))
        check_fields(self)
        said = "{}={!r}".format
        if self.fast_fail and (problem := counts_all(self.reward, self.step_reward, said=said)):
            raise ConfigError(f"fast_fail=True: {problem}")

    def to_dict(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Conditions:
        return cls(**data)

    @property
    def folder(self) -> Path:
        """The root as a path."""
        return Path(self.root) if self.root else Path.cwd()

    @property
    def processes(self) -> int:
        """The shards as a number, 0 for ``auto``."""
        return parse_shards(str(self.shards))


Conditions.__init__ = strict(Conditions.__init__)  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt to be made. ``solver`` is a name, as for ``--swegym-solver``, or the callable itself.

    Of those that wait, the one with the highest ``priority`` goes first, and of equal ones the one that came first.
    ``content`` names what its result depends on, if that is told here: a machine that lacks the solver's file cannot.
    """

    task: Task
    solver: str | Callable[..., str | None]
    number: int = 0
    priority: float = 0.0
    content: str = ""

    @property
    def key(self) -> str:
        """As :attr:`AttemptRecord.key` of what will come of it."""
        return f"{self.task.id}.{self.number}" if self.number else self.task.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a job. ``files`` are those that the attempt left in its folder, by name, where they must travel.

    ``kept`` is true for what an earlier run had made, which this one continues.
    """

    record: AttemptRecord
    grade: Grade
    tree: bytes | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    kept: bool = False


def solver_of(job: Job, conditions: Conditions) -> LoadedSolver:
    """The job's solver, loaded here. Raises as :func:`load_for`."""
    return load_for(job.solver, conditions)


def load_for(solver: str | Callable[..., str | None], conditions: Conditions) -> LoadedSolver:
    """A solver by its name, or the callable itself. Raises :class:`LoadError` or :class:`ConfigError`."""
    if isinstance(solver, str):
        return load_solver(solver, root=conditions.folder, agent=conditions.agent)
    found: Any = solver
    module = getattr(found, "__module__", "")
    return own_solver(f"{module}:{getattr(found, '__qualname__', type(found).__name__)}", found)


def toolset_of(conditions: Conditions, solver: LoadedSolver | None = None) -> Toolset | None:
    """The tools of the run, and those that the solver brings."""
    tools = Toolset.load(conditions.tools, root=conditions.folder) if conditions.tools else None
    return with_folders(tools, solver.tools) if solver is not None and solver.tools else tools


def make_lab(
    conditions: Conditions,
    *,
    solver: LoadedSolver | None = None,
    backend: Backend | None = None,
    admission: Admission | None = None,
) -> Lab:
    """What the attempts of a run share in this process; left-overs of dead runs are removed first.

    Raises :class:`SandboxError` or :class:`ConfigError`.
    """
    made = backend or choose(conditions.sandbox, offline=conditions.offline, registry=conditions.registry)[0]
    made.sweep()

    def named(option: str) -> Any:
        name = getattr(conditions, option)
        return load(name, what=option, root=conditions.folder) if name else None

    return Lab(
        made,
        mirror=Path(conditions.mirror) if conditions.mirror else None,
        offline=conditions.offline,
        disk=Disk([made], conditions.disk_budget),
        admission=admission,
        root=conditions.folder,
        protect=conditions.protect,
        compat=conditions.compat,
        fast_fail=conditions.fast_fail,
        shards=conditions.processes,
        prefork=conditions.prefork == "on",
        grades=None if conditions.no_cache else GradeCache.default(),
        tools=toolset_of(conditions, solver),
        judge=named("judge"),
        check_writer=named("check_writer"),
    )


def content_of(job: Job, conditions: Conditions, solver: LoadedSolver, tools: Toolset | None) -> str:
    """What the result of a job depends on, as one key."""
    return attempt_key(
        job.task,
        number=job.number,
        seed=conditions.seed + job.number,
        solver=solver.identity,
        sandbox=conditions.sandbox,
        reward=conditions.reward,
        protect=conditions.protect,
        compat=conditions.compat,
        grader=[GRADER_VERSION, *filter(None, (conditions.judge, conditions.check_writer))],
        tools=tools.key if tools is not None else "",
        max_steps=conditions.max_steps,
        step_reward=conditions.step_reward,
        fast_fail=conditions.fast_fail,
        shards=conditions.processes,
    )


def perform(
    job: Job,
    lab: Lab,
    conditions: Conditions,
    *,
    solver: LoadedSolver,
    folder: Path | None = None,
    run_id: str = "",
    on_event: Callable[[Mapping[str, Any]], None] | None = None,
    scope: Scope | None = None,
) -> Done:
    """Make the attempt, from checkout to record. Never raises for what goes wrong in it: the record says so.

    ``folder`` is where its trajectory goes; ``on_event`` hears of it line by line. It ends early when another thread
    closes ``scope``; what is returned then means nothing.
    """
    made: list[Attempt] = []
    attempt = Attempt(
        job.task,
        solver,
        lab,
        number=job.number,
        seed=conditions.seed + job.number,
        reward=lambda task, grade: compute_reward(conditions.reward, grade),
        reward_name=conditions.reward,
        solver_name=solver.name,
        on_stage=(lambda stage, seconds: on_event({"event": "stage", "stage": stage, "seconds": seconds}))
        if on_event
        else None,
        run_id=run_id,
        content_key=job.content or content_of(job, conditions, solver, lab.tools),
        occasion=Occasion(
            folder=folder,
            steps=conditions.max_steps,
            resume=conditions.resume,
            step_reward=_StepReward(conditions.step_reward, made) if conditions.step_reward != "none" else None,
            on_event=on_event,
        ),
        scope=scope,
    )
    made.append(attempt)
    try:
        record = attempt.record()
        return Done(record=record, grade=_grade(attempt, record), tree=attempt.tree)
    finally:
        attempt.close()


class _StepReward:
    """The named reward of an attempt's steps; it is made when the task has its hidden part in full."""

    def __init__(self, name: str, made: list[Attempt]) -> None:
        self._name, self._made = name, made
        self._inner: Any = None

    def begin(self, session: Any) -> None:
        if self._inner is None:
            (attempt,) = self._made
            self._inner = make_step_reward(self._name, attempt.checkout().task, peek=attempt.peek)
        self._inner.begin(session)

    def after(self, session: Any, action: Any, observation: Any) -> float:
        return float(self._inner.after(session, action, observation))


def _grade(attempt: Attempt, record: AttemptRecord) -> Grade:
    try:
        return attempt.grade()
    except Exception:
        return Grade(verdict=record.verdict, reasons=record.reasons)


__all__ = ["Conditions", "Done", "Job", "content_of", "make_lab", "perform", "solver_of", "toolset_of"]
