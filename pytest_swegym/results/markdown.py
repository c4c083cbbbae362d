"""A run in Markdown, for the summary page of any CI. Ids and reasons may be hostile: all is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from pytest_swegym._support.text import one_line
from pytest_swegym.results.compare import Comparison
from pytest_swegym.results.compare import change_rows
from pytest_swegym.results.compare import comparison_lines
from pytest_swegym.results.gate import Judgement
from pytest_swegym.results.summary import Summary
from pytest_swegym.results.text import summary_lines
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Verdict


#: Rows of a table that are shown: a page of CI has a limit, and so has a reader.
ROWS = 200
#: What means something inside a line: also the beginning of a bare link, of a mention, of a formula.
_PUNCTUATION = re.compile(r"([\\`*_\[\]#|~!@$^]|:(?=//)|(?<=www)\.)", re.IGNORECASE)
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: str, limit: int = 300) -> str:
    """``text`` as words in a line of Markdown that show it as it is: no markup, no HTML, no link, no new table cell."""
    safe = "".join(_HTML.get(char, char) for char in one_line(text, limit))
    return _PUNCTUATION.sub(r"\\\1", safe)


def run_markdown(summary: Summary, records: Iterable[AttemptRecord]) -> str:
    """The numbers of a run, and each attempt that did not resolve its task."""
    lines = ["# pytest-swegym", ""]
    lines += [f"- {escape(line)}" for line in summary_lines(summary)]
    missed = [record for record in records if not record.resolved]
    wrong = [record for record in missed if record.verdict is not Verdict.INFRA_ERROR]
    infra = [record for record in missed if record.verdict is Verdict.INFRA_ERROR]
    for title, found in (("Not resolved", wrong), ("Infra errors, not counted", infra)):
        rows = [(record.key, record.verdict.value, (record.reasons or ("",))[0]) for record in found]
        lines += table_lines(f"{title}: {len(rows)}", ("attempt", "verdict", "reason"), rows)
    return "\n".join(lines) + "\n"


def gate_markdown(judgement: Judgement) -> str:
    """What the gate says."""
    lines = ["", "## Gate: passed" if judgement.passed else "## Gate: failed", ""]
    lines += [f"- {escape(failure)}" for failure in judgement.failures]
    if judgement.comparison is not None:
        lines += _comparison(judgement.comparison)
    return "\n".join(lines) + "\n"


def _comparison(found: Comparison) -> Iterator[str]:
    yield from ("", f"### Against {escape(found.before.where or 'the baseline')}", "")
    yield from (f"- {escape(line, 2000)}" for line in comparison_lines(found))
    header = ("instance", "resolved before", "resolved now", "verdicts")
    for title, changes in (("Lost", found.lost), ("Gained", found.gained)):
        yield from table_lines(f"{title}: {len(changes)}", header, list(change_rows(changes)))


def table_lines(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table below its title; nothing if it has no row. What is in its cells is escaped."""
    if not rows:
        return
    yield from ("", f"### {title}", "")
    yield _row([escape(cell) for cell in header])
    yield _row(["---"] * len(header))
    for row in rows[:ROWS]:
        yield _row([escape(cell) for cell in row])
    if len(rows) > ROWS:
        yield from ("", f"... and {len(rows) - ROWS} more")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
