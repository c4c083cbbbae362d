"""``swegym compare``: runs side by side, instance by instance: what changed, what it took, why attempts failed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from pytest_swegym._support.text import one_line
from pytest_swegym.results.compare import ALPHA
from pytest_swegym.results.compare import comparison_lines
from pytest_swegym.results.compare import interval_text
from pytest_swegym.results.gate import FAILED
from pytest_swegym.results.gate import NOTHING
from pytest_swegym.results.gate import PASSED
from pytest_swegym.results.markdown import escape
from pytest_swegym.results.markdown import table_lines
from pytest_swegym.results.side_by_side import SideBySide
from pytest_swegym.results.side_by_side import Table
from pytest_swegym.results.side_by_side import side_by_side
from pytest_swegym.results.sides import Side
from pytest_swegym.results.sides import load_side
from pytest_swegym.results.summary import interval_of
from pytest_swegym.settings import parse_rate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``swegym compare``."""
    parser.add_argument("before", type=Path, metavar="RUN_A", help="the earlier run: output folder or summary.json")
    parser.add_argument(
        "after", type=Path, nargs="+", metavar="RUN_B", help="the later run; more than one are each held against RUN_A"
    )
    parser.add_argument(
        "--alpha",
        type=parse_rate,
        default=ALPHA,
        metavar="P",
        help="a loss counts if chance alone brings it with at most this probability. Default: %(default)s",
    )
    parser.add_argument("--all", action="store_true", help="list instances that did not change as well")
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="Default: %(default)s")
    parser.epilog = "exit status: 0 no loss beyond chance, 1 such a loss, 4 wrong use, 5 nothing in both runs"


def main(options: argparse.Namespace) -> int:
    """Print the comparison; 1 if a later run lost more than chance explains."""
    found = side_by_side([load_side(path) for path in (options.before, *options.after)], alpha=options.alpha)
    if options.format == "json":
        print(json.dumps(found.to_dict(), indent=1))
    else:
        lines = _markdown if options.format == "markdown" else _text
        for line in lines(found, everything=options.all):
            print(line)
    if all(each.test is None for each in found.comparisons):
        return NOTHING
    return FAILED if any(each.worse for each in found.comparisons) else PASSED


def _text(found: SideBySide, *, everything: bool) -> Iterator[str]:
    for letter, side in zip(found.letters, found.sides, strict=True):
        yield f"{letter}: {_run_line(side)}"
    for table in found.tables(everything=everything):
        yield from _table(table)
    for letter, each in zip(found.letters[1:], found.comparisons, strict=True):
        yield ""
        if len(found.comparisons) > 1:
            yield f"{letter} against A:"
        yield from comparison_lines(each)


def _run_line(side: Side) -> str:
    run = side.tally
    rate = "nothing graded" if run.rate is None else f"{run.resolved}/{run.graded} ({run.rate:.1%})"
    infra = f", infra errors {run.infra}" if run.infra else ""
    who = f" ({', '.join(side.solvers)})" if side.solvers else ""
    return f"{one_line(run.where + who, 500)}: resolved {rate}{interval_text(interval_of(run), signed=False)}{infra}"


def _table(table: Table) -> Iterator[str]:
    rows = [[one_line(cell, 200) for cell in row] for row in (table.header, *table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.header))]
    yield from ("", table.title)
    for row in rows:
        yield ("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()


def _markdown(found: SideBySide, *, everything: bool) -> Iterator[str]:
    yield from ("# Runs side by side", "")
    for letter, side in zip(found.letters, found.sides, strict=True):
        yield f"- {letter}: {escape(_run_line(side), 1000)}"
    for table in found.tables(everything=everything):
        yield from table_lines(table.title, table.header, table.rows)
    for letter, each in zip(found.letters[1:], found.comparisons, strict=True):
        yield from ("", f"### {letter} against A", "")
        yield from (f"- {escape(line, 2000)}" for line in comparison_lines(each))
