"""Attempts of items on a cluster: what a test looks at comes back, and what needs a live workspace runs here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SolverError
from pytest_swegym.plugin.attempts import LIVE_FIXTURES
from pytest_swegym.plugin.attempts import direct_fixtures
from pytest_swegym.plugin.attempts import kept
from pytest_swegym.plugin.attempts import may_start_ahead
from pytest_swegym.plugin.live import STAGES
from pytest_swegym.plugin.live import LiveAttempt
from pytest_swegym.plugin.live import content_of
from pytest_swegym.plugin.options import SETTINGS
from pytest_swegym.plugin.plan import planned
from pytest_swegym.plugin.solving import COMMAND_LINE
from pytest_swegym.plugin.solving import LIVE
from pytest_swegym.plugin.solving import ItemReward
from pytest_swegym.plugin.solving import ItemSolver
from pytest_swegym.settings.options import SANDBOXES
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Verdict
from pytest_swegym.task.record import failed_fields


if TYPE_CHECKING:
    from pytest_swegym.plugin.run import Run
    from pytest_swegym.runs.executor import Executor
    from pytest_swegym.runs.job import Conditions
    from pytest_swegym.runs.job import Done
    from pytest_swegym.runs.job import Job
    from pytest_swegym.task import TaskSpec
    from pytest_swegym.workspace import Workspace


log = logging.getLogger("pytest_swegym.plugin")
#: What an answer to ``pytest_swegym_solve`` may ask for that can be sent to another machine.
_SENT = {"task", "workspace"}


class RemoteAttempt(LiveAttempt):
    """The attempt of one item, made on another machine."""

    def heard(self, event: Mapping[str, Any]) -> None:
        """What happens to it there, told here as if it were here."""
        kind = event.get("event")
        if kind == "attempt_started":
            self._start()
        elif kind == "printed":
            self._printed += str(event.get("text", ""))
        elif kind == "stage":
            self._stage_ended(str(event["stage"]), float(event["seconds"]))
        else:
            self._happened(event)

    def arrived(self, what: Done | Exception) -> None:
        """It has ended: whoever waits for a stage of it goes on. Its record is completed and written here."""
        try:
            if isinstance(what, Exception):
                record, grade, tree = self._without_lab(f"{type(what).__name__}: {what}"), None, None
            else:
                record, grade, tree = self._completed(what.record, what.grade), what.grade, what.tree
            grade = grade or Grade(verdict=record.verdict, reasons=record.reasons)
            outcome = self._outcome = self._keep(record, grade, tree)
        except BaseException as error:
            for future in self._futures.values():
                future.set_exception(error)
            return
        failure = _failure(outcome.record)
        for stage, future in self._futures.items():
            if failure is not None and stage != "record" and _reached(stage, outcome.record.error_stage):
                future.set_exception(failure)
            else:
                future.set_result({"solve": outcome.record.patch, "grade": grade, "record": outcome}.get(stage))

    def _completed(self, record: AttemptRecord, grade: Grade) -> AttemptRecord:
        """With what only this side knows: the solver's name here, what the record depends on, a conftest's reward."""
        key = content_of(self._run, self._item, self.plan)
        record = replace(record, solver=self._solver.name, content_key=key)
        if record.error_stage or not self._reward.own:
            return record
        try:
            return replace(record, reward=self._reward(self.plan.task.spec, grade))
        except Exception as error:
            return replace(record, reward=None, **failed_fields(error), error_stage="grade")


def _failure(record: AttemptRecord) -> Exception | None:
    told = record.error or "; ".join(record.reasons)
    if record.verdict is Verdict.SOLVER_ERROR:
        return SolverError(told)
    return InfraError(told) if record.verdict is Verdict.INFRA_ERROR else None


def _reached(stage: str, failed: str) -> bool:
    """Whether ``stage`` is the one that failed, or one after it."""
    stages = list(STAGES)
    return stages.index(stage) >= (stages.index(failed) if failed in stages else 0)


class Remote:
    """The attempts of a run that are made on a cluster. In the place of the threads that make them here."""

    def __init__(self, run: Run) -> None:
        from pytest_swegym.runs import Terms
        from pytest_swegym.runs.ray import RayExecutor

        self._attempts: dict[str, RemoteAttempt] = {}
        settings = run.settings
        terms = Terms(
            conditions=conditions_of(run),
            jobs=0 if settings.source("jobs") == "default" else settings.jobs,
            ended=self._ended,
            run_id=run.run_id,
            folder=run.store.folder,
            on_event=self._happened,
        )
        self._executor: Executor = RayExecutor(terms, address=settings.ray_address, share=settings.share)

    def submit(self, job: Job, live: RemoteAttempt) -> None:
        """Raises :class:`ConfigError` if its solver cannot be sent."""
        self._attempts[job.key] = live
        self._executor.submit(job)

    def stop(self) -> None:
        """End what runs there, its sandboxes too."""
        self._executor.close()

    def join(self, timeout: float) -> bool:
        """Nothing runs any more."""
        return True

    def _ended(self, job: Job, what: Done | Exception) -> None:
        self._attempts[job.key].arrived(what)

    def _happened(self, key: str, event: Mapping[str, Any]) -> None:
        self._attempts[key].heard(event)


def conditions_of(run: Run) -> Conditions:
    """The run's options as plain values. Paths below the folder that is sent are relative to it."""
    from pytest_swegym.runs.job import Conditions

    settings, root = run.settings, run.config.invocation_params.dir
    same = ("sandbox", "reward", "step_reward", "judge", "check_writer", "max_steps", "seed", "protect", "compat",
            "fast_fail", "prefork", "no_cache", "offline", "registry", "disk_budget", "resume")  # fmt: skip
    return Conditions(
        **{name: getattr(settings, name) for name in same},
        agent=tuple(_below(word, root) for word in settings.agent),
        tools=tuple(_below(word, root) for word in settings.tools),
        mirror=str(settings.mirror) if settings.mirror else None,
        shards=settings.shards or "auto",
        root=str(root),
    )


def _below(word: str, root: Path) -> str:
    path = Path(word)
    return str(path.relative_to(root)) if path.is_absolute() and path.is_relative_to(root) else word


def start_remote(session: pytest.Session) -> None:
    """With ``--swegym-executor=ray``: send the attempts of the selected items, in their order.

    Raises :class:`pytest.UsageError` if there is no such cluster.
    """
    from pytest_swegym.plugin.run import run_of
    from pytest_swegym.runs.job import Job

    run = run_of(session.config)
    given = [(item, plan) for item in session.items if (plan := planned(item)) is not None and may_start_ahead(item)]
    here = {why: item for item, _ in given if (why := stays(item))}
    for why, item in here.items():
        log.info("%s runs here, and so do others like it: %s", item.name, why)
    given = [(item, plan) for item, plan in given if not stays(item)]
    _check_root(run, [plan.task.spec.repo for _, plan in given])
    try:
        run.ahead = remote = Remote(run)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None
    for item, plan in given:
        live = item.stash[LIVE] = RemoteAttempt(run, item, plan, kept=kept(run, item, plan))
        run.live[plan.key] = live
        if live.kept is not None:
            continue
        live.promise()
        try:
            remote.submit(Job(task=plan.task, solver=_solver(item), number=plan.number), live)
        except ConfigError as error:
            log.warning("%s runs here: %s", item.name, error)
            live.withdraw()


def _check_root(run: Run, repos: Sequence[str]) -> None:
    """Relative repositories start at the rootdir, solvers where pytest was started: one folder is sent."""
    config = run.config
    if config.rootpath != config.invocation_params.dir and any(repo.startswith(".") for repo in repos):
        raise pytest.UsageError(
            f"--swegym-executor=ray sends one folder to the nodes: start pytest in its rootdir, {config.rootpath}"
        )


def stays(item: pytest.Item) -> str:
    """Why the attempt of an item cannot be made on another machine; empty if it can."""
    settings = item.config.stash[SETTINGS]
    hooks = item.ihook
    loaded = item.config.pluginmanager.get_plugin(COMMAND_LINE)
    if LIVE_FIXTURES & (direct_fixtures(item) | _through_fixtures(item)):
        return "its test looks at the workspace itself"
    if settings.sandbox not in SANDBOXES and ":" not in settings.sandbox:
        return f"the sandbox {settings.sandbox} is a conftest's"
    if hooks.pytest_swegym_step_reward.get_hookimpls():
        return "its steps are rewarded by a conftest"
    if ItemReward(item).own and ItemSolver(item, None).graded:
        return "it searches by a conftest's reward"
    if loaded is None and any(not set(found.argnames) <= _SENT for found in _solving(item)):
        return "its conftest's pytest_swegym_solve takes the item"
    return ""


def _through_fixtures(item: pytest.Item) -> set[str]:
    """What fixtures of others take that the test takes."""
    info = getattr(item, "_fixtureinfo", None)
    found = getattr(info, "name2fixturedefs", {})
    return {arg for name, defs in found.items() if not name.startswith("swegym_") for arg in defs[-1].argnames}


def _solving(item: pytest.Item) -> list[Any]:
    """The answers to ``pytest_swegym_solve``, in the order in which they are asked."""
    return list(reversed(item.ihook.pytest_swegym_solve.get_hookimpls()))


def _solver(item: pytest.Item) -> Any:
    """The name of the solver, or what carries a conftest's to another machine."""
    loaded = item.config.pluginmanager.get_plugin(COMMAND_LINE)
    if loaded is not None:
        kind, colon, rest = loaded.solver.name.partition(":")
        return f"{kind}{colon}{_below(rest, item.config.invocation_params.dir)}"
    return ConftestSolver(functions=tuple((found.function, tuple(found.argnames)) for found in _solving(item)))


@dataclass(frozen=True)
class ConftestSolver:
    """The answers of conftest files to ``pytest_swegym_solve``, with the names that each one takes."""

    functions: tuple[tuple[Any, tuple[str, ...]], ...]

    @property
    def graded(self) -> bool:
        return any(getattr(function, "graded", False) is True for function, _ in self.functions)

    @property
    def oracle(self) -> bool:
        return any(getattr(function, "oracle", False) is True for function, _ in self.functions)

    def __call__(self, task: TaskSpec, workspace: Workspace) -> Any:
        given = {"task": task, "workspace": workspace}
        for function, names in self.functions:
            patch = function(**{name: given[name] for name in names})
            if patch is not None:
                return None if patch == "" else patch
        raise SolverError(f"no solver took {task.instance_id}: every pytest_swegym_solve returned None")
