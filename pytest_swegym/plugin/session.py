"""The course of a run: its header, attempts ahead of their items, failure reports, the end."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.plugin.github import defuse_report
from pytest_swegym.plugin.github import in_github
from pytest_swegym.plugin.options import SETTINGS
from pytest_swegym.plugin.plan import PLANNED
from pytest_swegym.plugin.plan import needs_solver
from pytest_swegym.plugin.solving import LIVE
from pytest_swegym.plugin.solving import RUN
from pytest_swegym.plugin.solving import WHY


if TYPE_CHECKING:
    from pytest_swegym.sandbox.base import Backend
    from pytest_swegym.settings import Settings


def pytest_report_header(config: pytest.Config) -> str | None:
    settings = config.stash[SETTINGS]
    return header(config, solver="none") if settings.solver or settings.tasks else None


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> str | None:
    settings = config.stash[SETTINGS]
    tasks = [item for item in items if PLANNED in item.stash]
    if settings.solver or settings.tasks or not tasks or config.get_verbosity() < 0:
        return None
    from pytest_swegym.plugin.attempts import has_solver

    found = any(has_solver(item) for item in tasks)
    return header(config, solver="of the conftest" if found else "none (give --swegym-solver)")


def header(config: pytest.Config, *, solver: str) -> str:
    """``swegym: solver=gold (option), sandbox=bubblewrap 0.11 (default)``: what is used, and who said so.

    ``solver`` says who solves if no option does.
    """
    settings = config.stash[SETTINGS]
    solver = f"{settings.solver} ({settings.source('solver')})" if settings.solver else solver
    rows = ("tasks", "split", "revision", "filter", "shuffle", "limit", "environments")
    rewards = ("reward", "step_reward", "judge", "check_writer")
    cluster = ("executor", "ray_address", "share")
    many = ("agent", "tools", "attempts", "jobs", *cluster)
    names = (*rows, *many, *rewards, "timeout", "max_steps", "seed", "output", "resume")
    chosen = [
        f"{name}={_shown(settings, name)} ({settings.source(name)})"
        for name in names
        if settings.source(name) != "default"
    ]
    return "swegym: " + ", ".join([f"solver={solver}", f"sandbox={_sandbox(config)}", *chosen])


def _shown(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _sandbox(config: pytest.Config) -> str:
    """The sandbox that will be used, asked at once: a run that cannot work should not start."""
    settings = config.stash[SETTINGS]
    if not will_run(config) or settings.executor != "local":
        return f"{settings.sandbox} ({settings.source('sandbox')})"
    return f"{_backend(config).describe()} ({config.stash.get(WHY, settings.source('sandbox'))})"


def _backend(config: pytest.Config) -> Backend:
    from pytest_swegym.plugin.run import run_of

    try:
        return run_of(config).backend()
    except (ConfigError, InfraError) as error:
        raise pytest.UsageError(f"--swegym-sandbox={config.stash[SETTINGS].sandbox}: {error}") from None


def will_run(config: pytest.Config) -> bool:
    """Whether tests will run at all."""
    return not any(config.getoption(name, False) for name in ("collectonly", "setupplan", "setuponly"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    config = session.config
    items = [item for item in session.items if PLANNED in item.stash]
    if not items or not will_run(config) or session.testsfailed:
        return
    from pytest_swegym.plugin import attempts
    from pytest_swegym.plugin.progress import show_progress
    from pytest_swegym.plugin.run import run_of
    from pytest_swegym.plugin.solving import NO_SOLVER

    settings = config.stash[SETTINGS]
    solved = any(attempts.has_solver(item) for item in items if needs_solver(item))
    if settings.tasks and not solved:
        raise pytest.UsageError(f"--swegym-tasks: {NO_SOLVER}")
    if solved and settings.executor == "local":
        _backend(config)  # with -q there was no header to ask for it
    attempts.check_predictions(config, items)
    run_of(config).progress = show_progress(config)
    # An xdist worker is told its items one by one: which it will get, it cannot know ahead.
    if settings.executor == "ray":
        from pytest_swegym.plugin.remote import start_remote

        start_remote(session)
    elif settings.jobs > 1 and not hasattr(config, "workerinput"):
        attempts.start_ahead(session)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if LIVE in item.stash and report.failed and report.when != "teardown":
        report.sections.extend(item.stash[LIVE].sections())
    if LIVE in item.stash and in_github():
        defuse_report(report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End every sandbox now: what is left to do needs none, and an interrupted run must not wait for them."""
    run = session.config.stash.get(RUN, None)
    if run is not None:
        run.close()
