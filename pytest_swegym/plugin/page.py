"""``index.html`` in the output folder: there from the first attempt on, fresh after each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_swegym.plugin.plan import needs_solver
from pytest_swegym.plugin.solving import RUN


if TYPE_CHECKING:
    from pytest_swegym.results.page import PageWriter
    from pytest_swegym.task import AttemptRecord

_PAGE = pytest.StashKey["PageWriter"]()


def page_of(config: pytest.Config) -> PageWriter:
    """The page of this process's run; each worker of a run writes the same one."""
    if _PAGE not in config.stash:
        from pytest_swegym.plugin.run import run_of
        from pytest_swegym.results.page import PageWriter

        config.stash[_PAGE] = PageWriter(run_of(config).root)
    return config.stash[_PAGE]


@pytest.hookimpl(trylast=True)
def pytest_swegym_attempt_started(item: pytest.Item) -> None:
    if needs_solver(item):
        page_of(item.config).refresh()


@pytest.hookimpl(trylast=True)
def pytest_swegym_attempt_event(item: pytest.Item) -> None:
    """A run that is killed has a page of what had happened a few seconds before."""
    if needs_solver(item):
        page_of(item.config).refresh()


@pytest.hookimpl(trylast=True)
def pytest_swegym_attempt_finished(item: pytest.Item, record: AttemptRecord) -> None:
    page_of(item.config).attempt_ended(record.key)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The totals are written by now, and so is what the workers did."""
    config = session.config
    if RUN in config.stash and not hasattr(config, "workerinput"):
        page_of(config).conclude()
