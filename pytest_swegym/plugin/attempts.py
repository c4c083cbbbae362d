"""From items to attempts: begun here, ahead in threads, or kept from an earlier run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from typing import NoReturn
from typing import TypeVar

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SolverError
from pytest_swegym.errors import SwegymError
from pytest_swegym.plugin.events import recorder_of
from pytest_swegym.plugin.options import SETTINGS
from pytest_swegym.plugin.plan import Planned
from pytest_swegym.plugin.plan import needs_solver
from pytest_swegym.plugin.plan import planned
from pytest_swegym.plugin.solving import COMMAND_LINE
from pytest_swegym.plugin.solving import LIVE
from pytest_swegym.plugin.solving import NO_SOLVER


if TYPE_CHECKING:
    from pytest_swegym.plugin.live import LiveAttempt
    from pytest_swegym.plugin.run import Run
    from pytest_swegym.task import AttemptRecord
    from pytest_swegym.task import Task


T = TypeVar("T")
log = logging.getLogger("pytest_swegym.plugin")
#: Fixtures that a test does not take itself where its attempt is kept from an earlier run, or made elsewhere.
LIVE_FIXTURES = {"swegym_checkout", "swegym_sandbox", "swegym_workspace"}
_PACKAGES = ("pytest_swegym", "pluggy", "_pytest")


def begin(item: pytest.Item, plan: Planned) -> LiveAttempt:
    """The attempt of an item whose fixtures are being set up. Skips the test if nobody solves it."""
    from pytest_swegym.plugin.run import run_of

    if needs_solver(item) and not has_solver(item):
        pytest.skip(NO_SOLVER)
    run = run_of(item.config)
    live = run.live.pop(plan.key, None)
    return make(run, item, plan) if live is None else live


def make(run: Run, item: pytest.Item, plan: Planned) -> LiveAttempt:
    from pytest_swegym.plugin.live import LiveAttempt

    live = item.stash[LIVE] = LiveAttempt(run, item, plan, kept=kept(run, item, plan))
    return live


def kept(run: Run, item: pytest.Item, plan: Planned) -> AttemptRecord | None:
    """The result of an earlier run, if ``--swegym-resume`` may trust it and the test needs nothing that runs."""
    from pytest_swegym.plugin.live import content_of
    from pytest_swegym.runs import finished

    if not run.settings.resume or not needs_solver(item) or LIVE_FIXTURES & direct_fixtures(item):
        return None
    try:
        return finished(run.store, plan.key, content_of(run, item, plan))
    except ConfigError as error:
        log.warning("%s; the attempt is made again", error)
        return None


def end(item: pytest.Item, live: LiveAttempt) -> None:
    """Close the attempt, and tell what came of it to the reports."""
    from pytest_swegym.plugin.run import run_of

    run = run_of(item.config)
    try:
        if live.ended and not run.cancelled:
            outcome = live.finish()
            item.user_properties.extend(properties(run, outcome.record, kept=live.kept is not None))
            if live.kept is not None:
                recorder_of(item).finished(live.kept, kept=True)
    finally:
        live.close()
        if run.progress is not None:
            run.progress.flush()  # what threads of the attempt had to say


def properties(run: Run, record: AttemptRecord, *, kept: bool) -> list[tuple[str, object]]:
    """What reports carry of an attempt: simple values, which also reach the JUnit file and pass between processes."""
    return [
        ("swegym_instance", record.instance_id),
        ("swegym_attempt", record.attempt),
        ("swegym_solver", record.solver),
        ("swegym_verdict", record.verdict.value),
        ("swegym_resolved", record.resolved),
        ("swegym_reward", "" if record.reward is None else record.reward),
        ("swegym_seconds", round(sum(record.stages.values()), 3)),
        ("swegym_kept", kept),
        ("swegym_record", str(run.store.folder(record.key))),
    ]


def told(call: Callable[[], T]) -> T:
    """``call()``; the machinery's failures as a message, a solver's own with its own traceback."""
    __tracebackhide__ = True
    try:
        return call()
    except (InfraError, ConfigError, SolverError) as error:
        found = error
    # Raised anew out here, so that no report says "during handling of another exception".
    cause = found.__cause__
    if isinstance(found, SolverError) and cause is not None:
        raise cause.with_traceback(_own_frames(cause.__traceback__))
    kinds = {InfraError: "infrastructure error: ", SolverError: "solver error: "}
    prefix = next((text for kind, text in kinds.items() if isinstance(found, kind)), "")
    return _fail(f"{prefix}{found}")


def _fail(message: str) -> NoReturn:
    # The one frame that is not hidden: with none to show, pytest would say so below the message.
    pytest.fail(message, pytrace=False)


def rewarded(live: LiveAttempt) -> float:
    """The reward of an attempt that was graded."""
    record = live.outcome().record
    if record.reward is None:
        _fail(record.error or "; ".join(record.reasons))
    return record.reward


def has_solver(item: pytest.Item) -> bool:
    return item.config.pluginmanager.has_plugin(COMMAND_LINE) or bool(item.ihook.pytest_swegym_solve.get_hookimpls())


def direct_fixtures(item: pytest.Item) -> set[str]:
    """The fixtures that the test function itself takes."""
    code = getattr(getattr(item, "function", None), "__code__", None)
    return set(code.co_varnames[: code.co_argcount]) if code is not None else set()


def start_ahead(session: pytest.Session) -> None:
    """With ``--swegym-jobs``: queue the attempts of the selected items, in their order."""
    from pytest_swegym.plugin.run import run_of
    from pytest_swegym.runs import Call
    from pytest_swegym.runs import Threads

    run = run_of(session.config)
    ahead = Threads(
        workers=session.config.stash[SETTINGS].jobs,
        admission=run.admission,
        stop_early=lambda: bool(session.shouldfail or session.shouldstop or run.cancelled),
    )
    waiting = 0
    for item in session.items:
        plan = planned(item)
        if plan is None or not may_start_ahead(item):
            continue
        live = make(run, item, plan)
        run.live[plan.key] = live
        if live.kept is None:
            live.promise()
            prepare = partial(_prefetch, run, plan.task)
            ahead.submit(Call(key=plan.key, run=live.run_ahead, thing=plan.task.key, prepare=prepare))
            waiting += 1
    if not waiting:
        return
    session.config.pluginmanager.register(run.output)
    run.ahead = ahead
    ahead.start()


def _prefetch(run: Run, task: Task) -> None:
    """Prepare a task whose attempt is yet to come; if that fails, the attempt is told."""
    with suppress(SwegymError):
        run.lab().prefetch(task)


def may_start_ahead(item: pytest.Item) -> bool:
    """Whether the item will surely want its attempt: it is graded, has a solver, and nothing may skip it."""
    skipped = item.get_closest_marker("skip") or item.get_closest_marker("skipif")
    return "swegym_grade" in getattr(item, "fixturenames", ()) and has_solver(item) and not skipped


def check_predictions(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Predictions for instances that nobody selected are most likely a mistake in a name: say so before any work."""
    from pytest_swegym.solvers.builtin import Predictions

    loaded = config.pluginmanager.get_plugin(COMMAND_LINE)
    if loaded is not None and isinstance(loaded.solver.function, Predictions):
        try:
            loaded.solver.function.check(plan.task.id for item in items if (plan := planned(item)) is not None)
        except ConfigError as error:
            _warn(config, str(error))


def _warn(config: pytest.Config, message: str) -> None:
    try:
        config.issue_config_time_warning(pytest.PytestConfigWarning(message), stacklevel=2)
    except pytest.PytestConfigWarning as error:  # the user made warnings errors
        raise pytest.UsageError(str(error)) from None


def _own_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is the user's."""
    start = trace
    while start is not None and _is_ours(start.tb_frame.f_code.co_filename):
        start = start.tb_next
    return start or trace


def _is_ours(filename: str) -> bool:
    parts = Path(filename).parts
    return any(name in parts for name in _PACKAGES)
