"""``--swegym-log``: the numbers of the run, as its attempts are reported, to the loggers that were chosen."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.plugin.options import SETTINGS
from pytest_swegym.plugin.plan import PLANNED
from pytest_swegym.plugin.plan import needs_solver
from pytest_swegym.plugin.session import will_run


if TYPE_CHECKING:
    from pytest_swegym.plugin.run import Run
    from pytest_swegym.results.loggers import Logger


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the loggers at once: one that is missing must not cost a run."""
    names = config.stash[SETTINGS].log
    if not names or hasattr(config, "workerinput") or config.option.help or config.option.version:
        return
    if not will_run(config):
        return
    from pytest_swegym.plugin.solving import import_from
    from pytest_swegym.results.loggers import load_logger

    import_from(config, str(config.invocation_params.dir))
    try:
        found = {name: load_logger(name, root=config.invocation_params.dir) for name in dict.fromkeys(names)}
    except ConfigError as error:
        raise pytest.UsageError(f"--swegym-log: {error}") from error
    config.pluginmanager.register(LoggerPlugin(config, found), "swegym-loggers")


class LoggerPlugin:
    """Tells the loggers from reports alone, so that it is the same with and without workers.

    They hear of a run when its first attempt is about to be made, or of a suite without attempts never.
    """

    def __init__(self, config: pytest.Config, loggers: dict[str, Logger]) -> None:
        from pytest_swegym.results.loggers import Loggers

        self._config = config
        self._loggers = Loggers(loggers, self._complain)
        self._items: list[pytest.Item] = []
        self._started = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._items = [item for item in session.items if PLANNED in item.stash and needs_solver(item)]

    def pytest_runtest_logstart(self) -> None:
        from pytest_swegym.plugin.attempts import has_solver

        if not self._started and any(has_solver(item) for item in self._items):
            self._start()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        kept = dict(report.user_properties).get("swegym_record") if report.when == "teardown" else None
        if kept is None:
            return
        try:
            record = self._run.store.read(Path(str(kept)).name)
        except ConfigError as error:
            self._complain("--swegym-log", error)
            return
        if record is not None:
            self._start()
            self._loggers.attempt(record)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        reporter = self._config.pluginmanager.get_plugin("swegym-reporter")
        summary = getattr(reporter, "summary", None)
        if self._started:
            self._loggers.finished(getattr(reporter, "records", ()), summary.to_dict() if summary is not None else {})

    @property
    def _run(self) -> Run:
        from pytest_swegym.plugin.run import run_of

        return run_of(self._config)

    def _complain(self, what: str, error: Exception) -> None:
        self._run.complain_once(what, error)

    def _start(self) -> None:
        from pytest_swegym._support.redact import redacted
        from pytest_swegym.plugin.recorder import plain_settings
        from pytest_swegym.results.loggers import RunFacts

        if self._started:
            return
        self._started = True
        run = self._run
        config = redacted({**plain_settings(run.settings), "run_id": run.run_id})
        with suppress(OSError):  # whoever needs it will say so
            run.root.mkdir(parents=True, exist_ok=True)
        self._loggers.started(RunFacts(name=run.run_id, folder=run.root, config=config))
