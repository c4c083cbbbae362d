"""``swegym export``: trajectories as chats for supervised fine-tuning, as tables, or in the formats of others."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from itertools import chain
from itertools import count
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import replacing
from pytest_swegym._support.paths import write_atomic
from pytest_swegym._support.redact import redacted
from pytest_swegym.errors import ConfigError
from pytest_swegym.results import export_atif
from pytest_swegym.results import export_mini
from pytest_swegym.results.export import Wanted
from pytest_swegym.results.export import chat
from pytest_swegym.results.export import step_rows
from pytest_swegym.results.harness import path_name
from pytest_swegym.results.store import PATCH
from pytest_swegym.results.store import READ_LIMIT
from pytest_swegym.rows.parquet import EPISODES
from pytest_swegym.rows.parquet import STEPS
from pytest_swegym.rows.parquet import write_parquet
from pytest_swegym.trajectory import Trajectory
from pytest_swegym.trajectory import find_trajectories
from pytest_swegym.trajectory import read_trajectory


FORMATS = ("chat", "jsonl", "parquet", "mini", "atif")
#: Formats that have a file for each episode.
FILES = {"mini": export_mini.SUFFIX, "atif": export_atif.SUFFIX}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``swegym export``."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs, or trajectories")
    parser.add_argument(
        "--format", choices=FORMATS, default="chat",
        help="chat: JSON lines of messages; jsonl and parquet: rows; mini: mini-swe-agent's .traj.json; atif: Harbor's"
        " interchange format. Default: %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--output", required=True, type=Path, metavar="PATH",
        help="file to write; for mini and atif the folder of a file for each episode",
    )  # fmt: skip
    parser.add_argument(
        "--rows", choices=("steps", "episodes"), default="steps",
        help="a row of jsonl and parquet is a step, or an episode with its messages. Default: %(default)s",
    )  # fmt: skip
    parser.add_argument("--resolved-only", action="store_true", help="only episodes whose task is resolved")
    parser.add_argument("--min-reward", type=float, metavar="X", help="only episodes of at least this reward")
    parser.add_argument(
        "--system", metavar="TEXT",
        help="system message; empty for none. Default: the one that the model was given, if the trajectory tells it",
    )  # fmt: skip
    parser.epilog = "exit status: 0 all exported, 1 a trajectory is damaged or nothing was left, 2 wrong use"


def main(options: argparse.Namespace) -> int:
    """Write what was asked for; tell how much it was, and what could not be read."""
    wanted = Wanted(resolved_only=options.resolved_only, min_reward=options.min_reward)
    files = options.format in FILES
    reading = _Reading(options.runs, wanted, played=not files)
    try:
        written = _write_files(options, reading) if files else _write_rows(options, reading)
    except OSError as error:
        raise ConfigError(f"--output={options.output}: {error.strerror or error}; choose another file") from None
    told = f"{written} {'files' if files else 'rows'} of {reading.taken} episodes; {reading.left_out} were not wanted"
    empty = f"; {reading.empty} have no step: nothing was played that could be a row" if reading.empty else ""
    print(f"{options.output}: {told}{empty}")
    return int(bool(reading.damaged) or not written)


def _write_rows(options: argparse.Namespace, reading: _Reading) -> int:
    episodes = options.format == "chat" or options.rows == "episodes"
    rows: Iterable[Mapping[str, Any]]
    if episodes:
        rows = (chat(each.trajectory, system=options.system) for each in reading)
    else:
        rows = (row for each in reading for row in step_rows(each.trajectory))
    if options.format == "parquet":
        return write_parquet(options.output, rows, EPISODES if episodes else STEPS)
    return _write_lines(options.output, rows)


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    written = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for written, row in enumerate(rows, 1):  # noqa: B007
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return written


def _write_files(options: argparse.Namespace, reading: _Reading) -> int:
    """A file for each episode, named by its attempt; a name that comes again gets a number."""
    names: set[str] = set()
    for each in reading:
        numbered = (f"{each.name}-{number}" for number in count(2))
        name = next(name for name in chain([each.name], numbered) if name not in names)
        names.add(name)
        if options.format == "mini":
            told = export_mini.mini(each.trajectory, each.submission(), system=options.system)
        else:
            told = export_atif.atif(each.trajectory, name, system=options.system)
        text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
        write_atomic(options.output / f"{name}{FILES[options.format]}", text)
    return len(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Episode:
    path: Path
    trajectory: Trajectory

    @property
    def name(self) -> str:
        """The attempt's name, as a part of a path."""
        header = self.trajectory.header
        attempt = header.get("attempt")
        tried = f".candidate-{self.path.parent.name}" if self.path.parent.parent.name == "candidates" else ""
        return path_name(f"{header.get('instance_id', '')}{f'.{attempt}' if attempt else ''}{tried}")

    def submission(self) -> str:
        """The patch that was graded, or without it the last diff that was seen."""
        try:
            with self.path.with_name(PATCH).open("rb") as file:
                return file.read(READ_LIMIT).decode("utf-8", "surrogateescape")
        except OSError:
            steps = self.trajectory.steps
            return str(steps[-1]["observation"]["diff"]) if steps else ""


class _Reading:
    """The wanted trajectories, one at a time and without secrets; damaged ones of a folder are told and left out.

    ``played`` leaves out those without a step as well. A search that has chosen no candidate has those of all of them.
    """

    def __init__(self, runs: Iterable[Path], wanted: Wanted, *, played: bool) -> None:
        found = (find_trajectories(run, candidates=True) if run.is_dir() else [run] for run in runs)
        self._paths = list(chain.from_iterable(found))
        self._wanted = wanted
        self._played = played
        self.taken = self.left_out = self.damaged = self.empty = 0

    def __iter__(self) -> Iterator[_Episode]:
        for path in self._paths:
            try:
                trajectory = read_trajectory(path)
            except ConfigError as error:
                self.damaged += 1
                print(f"left out: {error}", file=sys.stderr)
                continue
            if not self._wanted.takes(trajectory):
                self.left_out += 1
            elif self._played and not trajectory.steps:
                self.empty += 1
            else:
                self.taken += 1
                yield _Episode(path=path, trajectory=_safe(trajectory))


def _safe(trajectory: Trajectory) -> Trajectory:
    """What was written before secrets were looked for has them still."""
    header, events, end = (redacted(each) for each in (trajectory.header, trajectory.events, trajectory.end))
    return replace(trajectory, header=header, events=tuple(events), end=end)
