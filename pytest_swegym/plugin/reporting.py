"""What came of the run: summary, predictions, what CI shows of it, and the exit status of the gate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_swegym._support.paths import write_atomic
from pytest_swegym._support.text import one_line
from pytest_swegym.errors import ConfigError
from pytest_swegym.plugin.github import in_github
from pytest_swegym.plugin.options import SETTINGS
from pytest_swegym.plugin.plan import planned
from pytest_swegym.plugin.session import will_run
from pytest_swegym.plugin.solving import RUN


if TYPE_CHECKING:
    from pytest_swegym.plugin.github import Place
    from pytest_swegym.plugin.run import Run
    from pytest_swegym.results import Summary
    from pytest_swegym.results.gate import Gate
    from pytest_swegym.results.gate import Judgement
    from pytest_swegym.task import AttemptRecord


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(Reporter(config, _gate(config)), "swegym-reporter")
    if config.stash[SETTINGS].output is not None and (config.stash[SETTINGS].solver or config.stash[SETTINGS].tasks):
        _check_output(config)


def _gate(config: pytest.Config) -> Gate | None:
    """What the run will be held against; a baseline that cannot be read is told before anything is done."""
    settings = config.stash[SETTINGS]
    if (settings.fail_under, settings.max_infra, settings.baseline) == (None, None, None) or not will_run(config):
        return None
    if config.option.help or config.option.version:
        return None
    from pytest_swegym.results.gate import Gate
    from pytest_swegym.results.tally import load_tally

    try:
        baseline = load_tally(settings.baseline) if settings.baseline is not None else None
    except ConfigError as error:
        raise pytest.UsageError(f"--swegym-baseline: {error}") from None
    return Gate(fail_under=settings.fail_under, max_infra=settings.max_infra, baseline=baseline, alpha=settings.alpha)


def _check_output(config: pytest.Config) -> None:
    """A folder that cannot be written, or that holds another run, is told before anything is done."""
    from pytest_swegym.results.folder import check_folder

    settings = config.stash[SETTINGS]
    if settings.output is None or not will_run(config):
        return
    try:
        check_folder(
            settings.output,
            resume=settings.resume,
            solver=settings.solver or "",
            options=("--swegym-output", "--swegym-resume"),
        )
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None


class Reporter:
    """Gathers attempts from reports alone, so that it is the same with and without workers."""

    def __init__(self, config: pytest.Config, gate: Gate | None) -> None:
        self._config, self._gate = config, gate
        self._settings = config.stash[SETTINGS]
        #: By the name of each attempt that was reported, where its item stands.
        self._places: dict[str, Place] = {}
        #: Items that came to their end, with an attempt or without.
        self._ended: set[str] = set()
        #: How many attempts at selected tasks nobody came to make: the run was cut short.
        self._missed = 0
        self.records: list[AttemptRecord] = []
        #: What the run came to, when it has ended.
        self.summary: Summary | None = None
        self._judgement: Judgement | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self._ended.add(report.nodeid)
            found = dict(report.user_properties)
            if "swegym_record" in found:
                file, line, _ = report.location
                key = Path(str(found["swegym_record"])).name
                self._places[key] = self._config.rootpath / file, (line or 0) + 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the totals; whatever was recorded is in them, also after Ctrl-C."""
        if self._places or RUN in self._config.stash:
            self._conclude()
            self._missed = self._not_made(session.items)
        if self._gate is not None and (self.summary or self._settings.solver or self._settings.tasks):
            self._judge(self._gate, session)
        if self.summary or self._judgement:
            self._write_page()

    def _not_made(self, items: Sequence[pytest.Item]) -> int:
        from pytest_swegym.plugin.attempts import may_start_ahead

        made = {record.key for record in self.records}
        left = (item for item in items if item.nodeid not in self._ended and may_start_ahead(item))
        return sum((plan := planned(item)) is not None and plan.key not in made for item in left)

    def _judge(self, gate: Gate, session: pytest.Session) -> None:
        from pytest_swegym.results.gate import PASSED
        from pytest_swegym.results.gate import UNTRUSTED
        from pytest_swegym.results.tally import RunTally

        self._judgement = gate.judge(self.summary.tally if self.summary else RunTally())
        status = self._judgement.status
        # A session that was cut short, or could not be used at all, keeps its own status.
        ended = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
        if status != PASSED and session.exitstatus in (ended if status == UNTRUSTED else ended[:1]):
            session.exitstatus = status

    def _write_page(self) -> None:
        """``summary.md`` beside the records, for any CI; in GitHub Actions it is the job summary as well."""
        from pytest_swegym.plugin.run import run_of
        from pytest_swegym.results.github import add_summary
        from pytest_swegym.results.markdown import gate_markdown
        from pytest_swegym.results.markdown import run_markdown

        page = run_markdown(self.summary, self.records) if self.summary else ""
        page += gate_markdown(self._judgement) if self._judgement else ""
        if self.summary:
            write_atomic(run_of(self._config).root / "summary.md", page)
        if in_github():
            add_summary(page)

    def _conclude(self) -> None:
        from pytest_swegym.plugin.run import run_of
        from pytest_swegym.results.folder import conclude
        from pytest_swegym.results.summary import ENOUGH

        run = run_of(self._config)
        store = run.store
        # By the run's id, an attempt also counts whose item did not come to report it before Ctrl-C. A continued run
        # is one run: what it finished earlier counts, whatever was selected this time.
        self.records = [
            record
            for record in store.records()
            if record.key in self._places or record.run_id == run.run_id or self._settings.resume
        ]
        if not self.records:
            return
        self.summary = conclude(store, self.records, run.run_id, enough=1 if self._gate else ENOUGH)
        if self._settings.output is None:
            _point(store.root.parent / "latest", store.root.name)

    def _course(self) -> Iterator[str]:
        """What to know where the numbers are not those of one run from its beginning to its end."""
        from pytest_swegym.plugin.run import run_of

        run = run_of(self._config)
        if kept := sum(record.run_id != run.run_id for record in self.records):
            yield f"kept from an earlier run: {kept}"
        if self._missed:
            again = "--swegym-resume" if self._settings.output else f"--swegym-output={run.root} --swegym-resume"
            yield f"attempts not made: {self._missed} ({again} makes them)"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if (self.summary or self._judgement) and in_github():
            self._annotate(terminalreporter)
        verbosity = self._config.get_verbosity()
        for failure in self._judgement.failures if self._judgement else ():
            terminalreporter.write_line(f"swegym: {failure}", red=True)
        run = self._config.stash.get(RUN, None)
        # With -q nobody has heard of them when they happened.
        for complaint in run.complaints.values() if run is not None and verbosity < 0 else ():
            terminalreporter.write_line(one_line(f"swegym: {complaint}", 5000), yellow=True)
        if self.summary is None:
            return
        from pytest_swegym.plugin.run import run_of
        from pytest_swegym.results.text import explain
        from pytest_swegym.results.text import summary_lines

        if verbosity < 0:
            said = "; ".join((next(summary_lines(self.summary)), *self._course()))
            terminalreporter.write_line(f"swegym: {said}; records: {run_of(self._config).root}")
            return

        terminalreporter.section("swegym")
        if verbosity > 0:
            for record in self.records:
                seconds = sum(record.stages.values())
                reward = "-" if record.reward is None else f"{record.reward:.2f}"
                terminalreporter.write_line(one_line(f"{explain(record)} (reward {reward}, {seconds:.1f} s)", 5000))
        judged = self._judgement.lines() if self._judgement else ()
        for line in (*summary_lines(self.summary), *_preforked(run), *self._course(), *judged):
            terminalreporter.write_line(one_line(line, 5000))
        root = run_of(self._config).root
        terminalreporter.write_line(f"records: {root}")
        terminalreporter.write_line(f"page: {root / 'index.html'}, or: swegym view {root}")

    def _annotate(self, terminalreporter: pytest.TerminalReporter) -> None:
        from pytest_swegym.plugin.github import annotate

        terminalreporter.ensure_newline()
        for line in annotate(self._judgement, self.records, self._places):
            terminalreporter.write_line(line)


def _preforked(run: Run | None) -> Iterator[str]:
    """Whether ``--swegym-prefork`` was of use; what other processes made ready is not known here."""
    if run is not None and run.spares is not None:
        yield f"grades that found their Python waiting (prefork): {run.spares.found}"


def _point(link: Path, target: str) -> None:
    """Let ``link`` name the newest run; a convenience, so a file system without links does without."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    try:
        if link.is_symlink() or not link.exists():
            temporary.symlink_to(target)
            temporary.replace(link)
    except OSError:
        temporary.unlink(missing_ok=True)
