"""``swegym new``: write a task file from two releases of a package."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import write_atomic
from pytest_swegym.authoring.from_release import Measured
from pytest_swegym.authoring.from_release import from_release
from pytest_swegym.errors import ConfigError
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import EnvironmentSpec
from pytest_swegym.task import Hidden
from pytest_swegym.task import Limits
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task.spec import RUNNERS


_STATEMENT = "Describe here what goes wrong, what should happen instead, and how to see it, without the solution.\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``swegym new``."""
    parser.add_argument(
        "--from-release",
        nargs=3,
        required=True,
        metavar=("NAME", "OLD", "NEW"),
        help="package on the index, the release with the bug, the release that fixed it",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="task file to write. Default: ID.swegym.toml here")
    parser.add_argument("--id", metavar="ID", help="instance id. Default: NAME__OLD")
    parser.add_argument("--title", default="", metavar="TEXT", help="one-line title")
    parser.add_argument("--statement", type=Path, metavar="FILE", help="file with the problem statement")
    parser.add_argument(
        "--python",
        default=f"{sys.version_info[0]}.{sys.version_info[1]}",
        metavar="X.Y,...",
        help="Pythons to measure with; only ids on which all agree are kept. Default: %(default)s",
    )
    parser.add_argument(
        "--package", action="append", default=[], metavar="REQ", help="requirement to install first (repeatable)"
    )
    parser.add_argument(
        "--install", action="append", metavar="CMD", help="install command in the repository. Default: pip install -e ."
    )
    parser.add_argument("--runner", choices=RUNNERS, default="pytest", help="test runner. Default: %(default)s")
    parser.add_argument("--test-command", metavar="CMD", help="test command, if not the runner's plain one")
    parser.add_argument("--tag", action="append", default=[], metavar="TAG", help="tag of the task (repeatable)")
    parser.add_argument("--repeats", type=int, default=2, metavar="N", help="runs of each suite. Default: %(default)s")
    parser.add_argument(
        "--timeout", type=float, default=600.0, metavar="SECONDS", help="limit of one run. Default: %(default)s"
    )
    parser.add_argument("--sandbox", default="auto", metavar="NAME", help="sandbox backend. Default: %(default)s")


def main(options: argparse.Namespace) -> int:
    """Build both releases, run both suites, write the task file. Returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    pythons = [version.strip() for version in options.python.split(",") if version.strip()]
    draft = _draft(options, pythons)
    out = options.out or Path(f"{draft.id}.swegym.toml")
    lab = Lab(make_backend(options.sandbox))
    try:
        measured = from_release(draft, pythons, lab, repeats=options.repeats)
    finally:
        lab.close()
    write_atomic(out, to_toml(measured.task))
    _report(measured, out)
    return 0


def _draft(options: argparse.Namespace, pythons: list[str]) -> Task:
    name, old, new = options.from_release
    if not pythons:
        raise ConfigError("--python: give at least one version, such as 3.11")
    statement = options.statement.read_text(encoding="utf-8") if options.statement else _STATEMENT
    environment = EnvironmentSpec(
        python=python_range(pythons),
        packages=tuple(options.package),
        install=tuple(options.install if options.install is not None else ["pip install -e ."]),
    )
    spec = TaskSpec(
        instance_id=options.id or f"{name}__{old}",
        repo=f"sdist:{name}=={old}",
        title=options.title,
        problem_statement=statement,
        environment=environment,
        runner=options.runner,
        test_command=options.test_command,
        limits=Limits(timeout=options.timeout),
        tags=tuple(options.tag),
    )
    return Task(spec=spec, hidden=Hidden(fixed_by=f"sdist:{name}=={new}"))


def python_range(pythons: list[str]) -> str:
    """``3.11`` for one version, ``>=3.10,<3.14`` for several: what was measured, and what lies between."""
    from packaging.version import InvalidVersion
    from packaging.version import Version

    try:
        versions = sorted(Version(python) for python in pythons)
    except InvalidVersion as error:
        raise ConfigError(f"--python: {error}; give versions such as 3.10,3.13") from None
    if len(versions) == 1:
        return pythons[0]
    low, high = versions[0], versions[-1]
    return f">={low.major}.{low.minor},<{high.major}.{high.minor + 1}"


def to_toml(task: Task) -> str:
    """The task as the text of a ``.swegym.toml`` file."""
    import tomli_w

    data = {name: value for name, value in task.to_dict().items() if name != "environment" and name != "limits"}
    tables: dict[str, Any] = {k: _without_none(v) for k, v in task.to_dict().items() if k in ("environment", "limits")}
    return tomli_w.dumps({**_without_none(data), **tables}, multiline_strings=True)


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None and value != [] and value != {}}


def _report(measured: Measured, out: Path) -> None:
    hidden = measured.task.hidden
    counts = f"{len(hidden.fail_to_pass)} FAIL_TO_PASS, {len(hidden.pass_to_pass)} PASS_TO_PASS"
    print(f"{out}: {counts}; the gold patch resolves it")
    print(f"gold patch: {', '.join(measured.gold_files)}")
    for title, ids in (("not stable", measured.unstable), ("not the same on every Python", measured.differing)):
        if ids:
            print(f"left out, {title}: {', '.join(ids[:10])}{f' and {len(ids) - 10} more' if len(ids) > 10 else ''}")
    if measured.task.spec.problem_statement == _STATEMENT:
        print(f"next: write the problem statement in {out}")
