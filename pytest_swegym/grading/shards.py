"""The test files of one grade in several processes at once, each in a fork of its own, and what they say as one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from pytest_swegym.errors import SwegymError
from pytest_swegym.grading.baseline import Baseline
from pytest_swegym.grading.canary import Canaries
from pytest_swegym.grading.events import Collected
from pytest_swegym.grading.integrity import BAD
from pytest_swegym.grading.match import DOTTED
from pytest_swegym.grading.plan import files_of
from pytest_swegym.grading.plan import parts_of
from pytest_swegym.grading.plan import start_folder
from pytest_swegym.grading.plan import without_names
from pytest_swegym.grading.run import Run
from pytest_swegym.grading.run import command_of
from pytest_swegym.grading.run import run_tests
from pytest_swegym.grading.run import shortened
from pytest_swegym.task import Task
from pytest_swegym.task.native import NATIVE_RUNNERS
from pytest_swegym.workspace import Workspace


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards:
    """A run to be divided: which parts of it each process is to run."""

    task: Task
    baseline: Baseline
    groups: tuple[frozenset[str], ...]
    early: bool = False

    def decide(
        self, workspace: Workspace, fine: Callable[[Run], bool], judge: Callable[[Run], T | None]
    ) -> tuple[Run, T] | None:
        """What ``judge`` makes of all processes' work as one run, which is ``None`` unless each is ``fine``.

        In that case ``workspace``, where a part ran, is forked anew from the state that it was in.
        """
        state = workspace.snapshot()
        with ExitStack() as stack:
            stack.callback(workspace.drop, state)
            with ExitStack() as branches:
                others = [branches.enter_context(workspace.branch(state)) for _ in self.groups[1:]]
                run = self._run([workspace, *others], fine)
            found = judge(run) if run is not None else None
            if run is None or found is None:
                workspace.rewind(state)
                return None
            return run, found

    def _run(self, spaces: Sequence[Workspace], fine: Callable[[Run], bool]) -> Run | None:
        """All at once; ``None`` as soon as one is not ``fine`` or fails, and the others are ended."""
        found: list[Run] = []
        with ThreadPoolExecutor(len(spaces), "swegym-shard") as pool:
            waiting: set[Future[Run]] = {
                pool.submit(run_tests, self.task, space, self.baseline.codes, early=self.early, only=group)
                for space, group in zip(spaces, self.groups, strict=True)
            }
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    if isinstance(future.exception(), SwegymError) or not fine(future.result()):
                        for space in spaces:
                            space.close()
                        return None
                    found.append(future.result())
        return merged(found)


def divide(task: Task, workspace: Workspace, baseline: Baseline, count: int, *, early: bool = False) -> Shards | None:
    """The run of a task's hidden tests in up to ``count`` parts of about the same time; ``None`` if it has but one.

    So it is with runners that are not ours, where the command itself says otherwise what is run, and where
    ``workspace`` cannot be forked.
    """
    if task.spec.runner in NATIVE_RUNNERS or not workspace.forks:
        return None
    command = command_of(task, workspace)
    parts = parts_of(task, command)
    names = parts.files
    within = any(other.startswith(name.rstrip("/") + "/") for name in names for other in names)
    if within or without_names(command, parts, task.spec.runner) is None:
        return None
    groups = balanced(_weights(names, baseline, task.spec.runner, start_folder(command, task.spec.runner)), count)
    return Shards(task=task, baseline=baseline, groups=groups, early=early) if len(groups) > 1 else None


def _weights(names: Mapping[str, object], baseline: Baseline, runner: str, start: str) -> dict[str, float]:
    """What each part took before the patch; one that did not run then, as much as others did."""
    spent: dict[str, float] = {}
    for owner, seconds in baseline.seconds.items():
        part = files_of(f"{owner}.test", runner, start)[0] if runner in DOTTED else owner
        spent[part] = spent.get(part, 0.0) + seconds
    known = [spent[name] for name in names if name in spent]
    usual = statistics.mean(known) if known else 1.0
    return {name: spent.get(name, usual) for name in names}


def balanced(weights: Mapping[str, float], count: int) -> tuple[frozenset[str], ...]:
    """At most ``count`` groups of about the same weight, the heaviest name first into the lightest group."""
    groups: list[set[str]] = [set() for _ in range(min(count, len(weights)))]
    loads = [0.0] * len(groups)
    for name in sorted(weights, key=lambda name: (-weights[name], name)):
        lightest = loads.index(min(loads))
        # Nothing is without weight: each file has to be collected.
        loads[lightest] += max(weights[name], 0.001)
        groups[lightest].add(name)
    return tuple(frozenset(group) for group in groups)


def merged(runs: Sequence[Run]) -> Run:
    """Runs that were found in order, as one: their own canaries have had their say, and are left out."""
    seen = Collected(runner=runs[0].seen.runner)
    for run in runs:
        part = run.seen
        names = [name for name in part.tests if not run.canaries.owns(name)]
        seen.tests.update((name, part.tests[name]) for name in names)
        seen.node_ids.update((name, part.node_ids[name]) for name in names)
        seen.codes.update(part.codes)
        for alias, tests in part.aliases.items():
            seen.aliases.setdefault(alias, []).extend(tests)
        seen.early = part.early if seen.early is None else seen.early
    seen.status = int(any(test.outcome in BAD for test in seen.tests.values()))
    seen.plain = max(run.plain_exit for run in runs)
    log = b"".join(run.full_log if run.full_log.endswith(b"\n") else run.full_log + b"\n" for run in runs)
    return Run(
        seen=seen,
        canaries=Canaries(),
        exit_code=seen.status,
        oom=any(run.oom for run in runs),
        duration=max(run.duration for run in runs),
        log=shortened(log),
        full_log=log,
    )
