"""A task from two releases of a package: build both, run both suites, keep what the measurements agree on."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from pytest_swegym.environments import prepare_environment
from pytest_swegym.environments import prepare_repository
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import GradingError
from pytest_swegym.grading import grade
from pytest_swegym.grading import measure
from pytest_swegym.grading import measure_baseline
from pytest_swegym.lab import Lab
from pytest_swegym.sources import ReleasePair
from pytest_swegym.sources import release_pair
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec


log = logging.getLogger("pytest_swegym.authoring")

#: Outcomes of every test id in one run.
Run = Mapping[str, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A validated task, and what its measurement left out.

    ``unstable`` ids changed their mind between repeats; ``differing`` ids behave otherwise on another Python.
    """

    task: Task
    unstable: tuple[str, ...]
    differing: tuple[str, ...]
    gold_files: tuple[str, ...]


def from_release(draft: Task, pythons: Sequence[str], lab: Lab, *, repeats: int = 2) -> Measured:
    """Measure FAIL_TO_PASS and PASS_TO_PASS of ``draft``, whose ``repo`` and ``fixed_by`` are two sdists.

    Each of ``pythons`` is measured, and only ids on which all agree are kept. The result is validated: the gold patch
    resolves it, no patch does not. Raises :class:`ConfigError` if no test tells the releases apart.
    """
    if not draft.hidden.fixed_by:
        raise ConfigError("a release pair needs 'fixed_by'")
    pair = release_pair(draft.spec.repo, draft.hidden.fixed_by)
    concrete = replace(draft, hidden=replace(draft.hidden, fixed_by=None, patch=pair.patch, test_patch=pair.test_patch))
    fail, keep, unstable = [], [], set()
    for python in pythons:
        before, after = _measured_on(concrete, python, pair, lab, repeats)
        unstable |= {i for runs in (before, after) for i in _all_ids(runs) if len({run.get(i) for run in runs}) > 1}
        fail.append({i for i in _all_ids(after) if _always(after, i) and _never(before, i)})
        keep.append({i for i in _all_ids(after) if _always(after, i) and _always(before, i)})
    gold_files = tuple(sorted(set(_files(pair.patch))))
    # A test that the solution itself brings (a doctest) cannot be asked of a solver who never saw it.
    brought = {test for test in set.union(*fail) if test.split("::")[0] in gold_files}
    f2p, p2p = set.intersection(*fail) - unstable - brought, set.intersection(*keep) - unstable
    if not f2p:
        raise ConfigError(
            f"no test fails on {draft.spec.repo} and passes on {draft.hidden.fixed_by} on every Python asked"
        )
    hidden = replace(draft.hidden, fail_to_pass=tuple(sorted(f2p)), pass_to_pass=tuple(sorted(p2p)))
    decided = replace(concrete, hidden=replace(hidden, fixed_by=None, patch=pair.patch, test_patch=pair.test_patch))
    for python in pythons:
        _validate(decided, python, pair, lab)
    differing = (set.union(*fail) | set.union(*keep)) - f2p - p2p - unstable
    return Measured(
        task=replace(draft, hidden=hidden),
        unstable=tuple(sorted(unstable)),
        differing=tuple(sorted(differing)),
        gold_files=gold_files,
    )


def _measured_on(task: Task, python: str, pair: ReleasePair, lab: Lab, repeats: int) -> tuple[list[Run], list[Run]]:
    spec = _on(task.spec, python)
    task = replace(task, spec=spec)
    snapshot = prepare_repository(spec, pair.base, lab.backend, prepare_environment(spec, lab.backend))
    runs: dict[str, list[Run]] = {"": [], pair.patch: []}
    for number in range(repeats):
        for patch, results in runs.items():
            log.info("Python %s: run %d of the %s release", python, number + 1, "fixed" if patch else "old")
            with lab.workspace(spec, snapshot) as workspace:
                results.append(measure(task, workspace, patch=patch))
    return runs[""], runs[pair.patch]


def _validate(task: Task, python: str, pair: ReleasePair, lab: Lab) -> None:
    spec = _on(task.spec, python)
    task = replace(task, spec=spec)
    snapshot = prepare_repository(spec, pair.base, lab.backend, prepare_environment(spec, lab.backend))
    with lab.workspace(spec, snapshot) as workspace:
        baseline = measure_baseline(task, workspace)
    with lab.workspace(spec, snapshot) as workspace:
        gold = grade(task, pair.patch, workspace, baseline=baseline)
    if not gold.resolved:
        raise GradingError(f"Python {python}: the gold patch is {gold.verdict.value}: {'; '.join(gold.reasons)}")
    log.info("Python %s: the gold patch resolves it", python)


def _on(spec: TaskSpec, python: str) -> TaskSpec:
    return replace(spec, environment=replace(spec.environment, python=python))


def _all_ids(runs: Iterable[Run]) -> set[str]:
    return {test for run in runs for test in run}


def _always(runs: Iterable[Run], test: str) -> bool:
    return all(run.get(test) in F2P_OK for run in runs)


def _never(runs: Iterable[Run], test: str) -> bool:
    return all(run.get(test) not in F2P_OK for run in runs)


def _files(patch: str) -> list[str]:
    return [line[6:].split("\t")[0] for line in patch.splitlines() if line.startswith("+++ b/")]
