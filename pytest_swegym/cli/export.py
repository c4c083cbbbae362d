"""``swegym export``: trajectories as chats for supervised fine-tuning, or as tables."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import replacing
from pytest_swegym.errors import ConfigError
from pytest_swegym.results.export import SYSTEM
from pytest_swegym.results.export import Wanted
from pytest_swegym.results.export import chat
from pytest_swegym.results.export import step_rows
from pytest_swegym.rows.parquet import EPISODES
from pytest_swegym.rows.parquet import STEPS
from pytest_swegym.rows.parquet import write_parquet
from pytest_swegym.trajectory import Trajectory
from pytest_swegym.trajectory import find_trajectories
from pytest_swegym.trajectory import read_trajectory


FORMATS = ("chat", "jsonl", "parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``swegym export``."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs, or trajectories")
    parser.add_argument(
        "--format", choices=FORMATS, default="chat",
        help="chat: JSON lines of messages; jsonl and parquet: rows. Default: %(default)s",
    )  # fmt: skip
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="file to write")
    parser.add_argument(
        "--rows", choices=("steps", "episodes"), default="steps",
        help="a row of jsonl and parquet is a step, or an episode with its messages. Default: %(default)s",
    )  # fmt: skip
    parser.add_argument("--resolved-only", action="store_true", help="only episodes whose task is resolved")
    parser.add_argument("--min-reward", type=float, metavar="X", help="only episodes of at least this reward")
    parser.add_argument("--system", default=SYSTEM, metavar="TEXT", help="system message of chats; empty for none")
    parser.epilog = "exit status: 0 all exported, 1 a trajectory is damaged or nothing was left, 2 wrong use"


def main(options: argparse.Namespace) -> int:
    """Write the file; tell how much went into it, and what could not be read."""
    reading = _Reading(options.runs, Wanted(resolved_only=options.resolved_only, min_reward=options.min_reward))
    episodes = options.format == "chat" or options.rows == "episodes"
    rows: Iterable[Mapping[str, Any]]
    if episodes:
        rows = (chat(each, system=options.system) for each in reading)
    else:
        rows = (row for each in reading for row in step_rows(each))
    try:
        if options.format == "parquet":
            count = write_parquet(options.output, rows, EPISODES if episodes else STEPS)
        else:
            count = _write_lines(options.output, rows)
    except OSError as error:
        raise ConfigError(f"--output={options.output}: {error.strerror or error}; choose another file") from None
    print(f"{options.output}: {count} rows of {reading.taken} episodes; {reading.left_out} were not wanted")
    return int(bool(reading.damaged) or not count)


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for count, row in enumerate(rows, 1):  # noqa: B007
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count


class _Reading:
    """The wanted trajectories, one at a time; damaged ones of a folder are told and left out."""

    def __init__(self, runs: Iterable[Path], wanted: Wanted) -> None:
        self._paths = [path for run in runs for path in (find_trajectories(run) if run.is_dir() else [run])]
        self._wanted = wanted
        self.taken = self.left_out = self.damaged = 0

    def __iter__(self) -> Iterator[Trajectory]:
        for path in self._paths:
            try:
                trajectory = read_trajectory(path)
            except ConfigError as error:
                self.damaged += 1
                print(f"left out: {error}", file=sys.stderr)
                continue
            if self._wanted.takes(trajectory):
                self.taken += 1
                yield trajectory
            else:
                self.left_out += 1
