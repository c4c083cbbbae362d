"""Do observers show the files that a fix changes? Recall among the first so many files, over all tasks of a folder.

    python benchmarks/observers.py [task_specs] [--readers raw,skeleton,ast] [--selectors bm25] [--files 1,3,5,10]
                                   [--agent KEY=VALUE ...] [--sandbox bubblewrap] [--only 'django*'] [--online]

Takes the tasks whose snapshots are there already; ``--online`` builds the others. What counts is the source files that
the known solution changes, and a task without any is left out. ``--agent`` names the model for the selectors that need
one. Prints one line per task, then the table.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import fmean

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.config import read_config
from pytest_swegym.agents.model.client import ModelClient
from pytest_swegym.agents.observers import observe
from pytest_swegym.agents.observers.ranking import is_source
from pytest_swegym.errors import InfraError
from pytest_swegym.grading.headers import patch_paths
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import Task
from pytest_swegym.task.files import load_tasks
from pytest_swegym.workspace import Workspace


@dataclass(frozen=True)
class Found:
    """One task with one observer: which files came first, which ones it was about, and what it took in seconds."""

    task: str
    ranked: tuple[str, ...]
    wanted: tuple[str, ...]
    seconds: float

    def recall(self, first: int) -> float:
        return sum(path in self.ranked[:first] for path in self.wanted) / len(self.wanted)


def main() -> int:
    options = _options()
    depths = [int(number) for number in options.files.split(",")]
    ways = [(reader, selector) for reader in options.readers.split(",") for selector in options.selectors.split(",")]
    found: dict[tuple[str, str], list[Found]] = {way: [] for way in ways}
    with closing(Lab(make_backend(options.sandbox), offline=not options.online)) as lab:
        for task, workspace in _workspaces(lab, options.folder, options.only):
            wanted = tuple(path for path in sorted(patch_paths(task.hidden.patch)) if is_source(path))
            if not wanted:
                continue
            for way in ways:
                each = _found(task, workspace, wanted, _config(options.agent, way, max(depths)))
                found[way].append(each)
                print(
                    f"{task.id:28} {'/'.join(way):20} {each.recall(depths[-1]):.2f} {each.seconds:6.2f} s", flush=True
                )
    print(_table(found, depths))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("task_specs"))
    parser.add_argument("--readers", default="raw,skeleton,ast")
    parser.add_argument("--selectors", default="bm25")
    parser.add_argument("--files", default="1,3,5,10")
    parser.add_argument("--agent", action="append", default=[])
    parser.add_argument("--sandbox", default="bubblewrap")
    parser.add_argument("--only", default="*")
    parser.add_argument("--online", action="store_true")
    return parser.parse_args()


def _config(words: list[str], way: tuple[str, str], files: int) -> AgentConfig:
    config = read_config(words)
    return replace(config, observe=replace(config.observe, reader=way[0], selector=way[1], files=files))


def _workspaces(lab: Lab, folder: Path, only: str) -> Iterator[tuple[Task, Workspace]]:
    for path in sorted(folder.glob("*.swegym.toml")):
        (task,) = load_tasks(path)
        if not fnmatchcase(task.id, only):
            continue
        try:
            task, snapshot, _ = lab.located(task)
        except InfraError as error:
            print(f"{task.id:28} left out: {str(error)[:100]}", file=sys.stderr)
            continue
        with lab.workspace(task.spec, snapshot) as workspace:
            yield task, workspace


def _found(task: Task, workspace: Workspace, wanted: tuple[str, ...], config: AgentConfig) -> Found:
    needs_model = config.observe.selector != "bm25" or config.observe.reader == "codemap"
    began = time.monotonic()
    if needs_model:
        with closing(ModelClient(config)) as client:
            observed = observe(task.spec, workspace, config, client)
    else:
        observed = observe(task.spec, workspace, config)
    files = tuple(observed.about["files"])
    return Found(task=task.id, ranked=files, wanted=wanted, seconds=time.monotonic() - began)


def _table(found: dict[tuple[str, str], list[Found]], depths: list[int]) -> str:
    heads = " | ".join(f"recall@{depth}" for depth in depths)
    lines = [f"| reader | selector | {heads} | any in {depths[-1]} | tasks |", "|---|---|" + "---|" * (len(depths) + 2)]
    for (reader, selector), each in found.items():
        if each:
            recalls = " | ".join(f"{fmean(one.recall(depth) for one in each):.2f}" for depth in depths)
            hits = sum(one.recall(depths[-1]) > 0 for one in each)
            lines.append(f"| {reader} | {selector} | {recalls} | {hits} | {len(each)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
