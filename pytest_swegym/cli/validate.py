"""``swegym validate``: measure tasks before they are believed."""

from __future__ import annotations

import argparse
import json
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pytest_swegym._support.paths import write_atomic
from pytest_swegym._support.text import one_line
from pytest_swegym.authoring.validate import REPEATS
from pytest_swegym.authoring.validate import validate_all
from pytest_swegym.authoring.validation import FORMAT
from pytest_swegym.authoring.validation import UNMEASURED
from pytest_swegym.authoring.validation import USABLE
from pytest_swegym.authoring.validation import Status
from pytest_swegym.authoring.validation import TaskReport
from pytest_swegym.authoring.validation import mended
from pytest_swegym.cli.common import add_shared
from pytest_swegym.cli.common import chosen_tasks
from pytest_swegym.cli.common import open_lab
from pytest_swegym.errors import ConfigError
from pytest_swegym.settings import parse_count
from pytest_swegym.task import Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``swegym validate``."""
    parser.add_argument(
        "--repeats", type=parse_count, default=REPEATS, metavar="N", help="runs of each kind. Default: %(default)s"
    )
    parser.add_argument(
        "--jobs", type=parse_count, default=1, metavar="N", help="tasks at the same time. Default: %(default)s"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("swegym-validation"), metavar="DIR",
        help="folder of the reports; what it holds of the same tasks is not measured again. Default: %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the usable tasks (.jsonl), without tests to be quarantined"
    )
    add_shared(parser)
    parser.epilog = "exit status: 0 all valid, 1 some not, 3 some not measured, 4 wrong use, 5 no task"


def main(options: argparse.Namespace) -> int:
    """Measure every task, print a table, write ``validation.json``."""
    tasks = chosen_tasks(options)
    if options.write is not None and options.write.suffix != ".jsonl":
        raise ConfigError(f"--write={options.write}: expected the name of a .jsonl file")
    lab = open_lab(options)
    progress = _Progress(len(tasks))
    try:
        reports = validate_all(
            tasks, lab, options.out, repeats=options.repeats, jobs=options.jobs, on_report=progress.heard
        )
    finally:
        lab.close()
    counts = _conclude(reports, options.out, options.repeats, lab.backend.name)
    if options.write is not None:
        _write(tasks, reports, options.write)
    if not reports:
        return 5
    if any(Status(name) not in UNMEASURED | {Status.VALID} for name in counts):
        return 1
    return 3 if any(Status(name) in UNMEASURED for name in counts) else 0


class _Progress:
    """A line for each task as it ends, from any thread."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._lock = total, 0, threading.Lock()

    def heard(self, report: TaskReport, kept: bool) -> None:
        with self._lock:
            self._done += 1
            what = "measured before" if kept else f"{report.seconds:.1f} s"
            print(f"[{self._done}/{self._total}] {report.instance_id}: {report.status.value} ({what})", flush=True)


def _conclude(reports: Sequence[TaskReport], folder: Path, repeats: int, sandbox: str) -> Counter[str]:
    counts = Counter(report.status.value for report in reports)
    whole = {
        "format": FORMAT,
        "repeats": repeats,
        "sandbox": sandbox,
        "statuses": dict(counts),
        "tasks": {report.instance_id: report.to_dict() for report in reports},
    }
    write_atomic(folder / "validation.json", json.dumps(whole, indent=1) + "\n")
    _print_table(reports)
    print(f"\n{', '.join(f'{name} {count}' for name, count in counts.items()) or 'no task'}")
    print(f"report: {folder / 'validation.json'}")
    return counts


def _print_table(reports: Sequence[TaskReport]) -> None:
    rows = [("task", "status", "gold", "F2P", "P2P", "quarantined", "why")]
    for report in reports:
        gold = f"{sum(v.value == 'resolved' for v in report.gold)}/{len(report.gold)}" if report.gold else "-"
        f2p, p2p = (str(len(report.kept.get(name, ()))) for name in ("fail_to_pass", "pass_to_pass"))
        unstable, why = str(len(report.quarantined)), one_line(report.problem, 200)
        rows.append((report.instance_id, report.status.value, gold, f2p, p2p, unstable, why))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    print()
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[6]]).rstrip())
    for report in reports:
        for test in report.quarantined:
            what = "FAIL_TO_PASS" if test.fail_to_pass else "PASS_TO_PASS"
            print(
                f"quarantined in {report.instance_id}: {what} {one_line(test.id)} held in {test.rate:.0%} of its runs"
            )


def _write(tasks: Sequence[Task], reports: Sequence[TaskReport], path: Path) -> None:
    lines, left_out = [], []
    for task, report in zip(tasks, reports, strict=True):
        if report.status in USABLE:
            lines.append(json.dumps(mended(task, report, path.parent.resolve()).to_dict()) + "\n")
        else:
            left_out.append(f"{task.id} ({report.status.value})")
    write_atomic(path, "".join(lines))
    print(f"{path}: {len(lines)} tasks")
    if left_out:
        print(f"left out of it: {', '.join(left_out)}")
