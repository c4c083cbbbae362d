"""What the hidden tests say before the patch: measured once per task, kept by the caller."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import GradingError
from pytest_swegym.errors import PatchError
from pytest_swegym.grading.checks import run_checks
from pytest_swegym.grading.hidden_run import NO_CANARIES
from pytest_swegym.grading.hidden_run import run_hidden
from pytest_swegym.grading.integrity import UNORDERLY
from pytest_swegym.grading.integrity import late_hooks
from pytest_swegym.grading.integrity import suspicions
from pytest_swegym.grading.match import canonical
from pytest_swegym.grading.match import under
from pytest_swegym.grading.native_run import run_native
from pytest_swegym.grading.run import Run
from pytest_swegym.grading.run import place_tests
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task.check import RUNNER as CHECKS
from pytest_swegym.task.native import NATIVE_RUNNERS
from pytest_swegym.workspace import Workspace


log = logging.getLogger("pytest_swegym.grading")

FORMAT = "swegym.baseline/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Every test's outcome, and the ``quirks`` of the repository: what would be suspicious had a patch brought it.

    ``codes`` are digests of what the functions of each test file do, ``seconds`` what its tests took: by file, or by
    class where ids are dotted names. ``log`` is not part of the JSON form, nor is ``compiled``: a file with what
    :mod:`~pytest_swegym.grading.compiled` made of that run.
    """

    tests: Mapping[str, Outcome] = field(default_factory=dict)
    quirks: frozenset[str] = frozenset()
    codes: Mapping[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    duration: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)
    log: bytes = field(default=b"", compare=False)
    compiled: Path | None = field(default=None, compare=False)

    def bytecode(self) -> bytes:
        """The content of ``compiled``; nothing if it is gone, for it is not needed."""
        try:
            return b"" if self.compiled is None else self.compiled.read_bytes()
        except OSError:
            return b""

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "tests": {name: outcome.value for name, outcome in self.tests.items()},
            "quirks": sorted(self.quirks),
            "codes": dict(self.codes),
            "exit_code": self.exit_code,
            "duration": self.duration,
            "seconds": {name: round(value, 4) for name, value in self.seconds.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, where: str = "baseline") -> Baseline:
        """Read ``to_dict``'s form back. Raises :class:`ConfigError` for another format or a damaged one."""
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise ConfigError(f"{where}: not a {FORMAT}")
        try:
            return cls(
                tests={name: Outcome(value) for name, value in data["tests"].items()},
                quirks=frozenset(data["quirks"]),
                codes=dict(data["codes"]),
                exit_code=data["exit_code"],
                duration=data["duration"],
                seconds={name: float(value) for name, value in data.get("seconds", {}).items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{where}: damaged: {error}") from error

    def excuses(self, suspicion: str) -> bool:
        """Whether the repository does the same without the patch, or could not show whether it would."""
        return suspicion in self.quirks or (
            UNORDERLY in self.quirks and suspicion.startswith(("canary", "the XML", "the session"))
        )


def measure(task: Task, workspace: Workspace, *, patch: str = "") -> Mapping[str, Outcome]:
    """Every test's outcome, on the base or with ``patch``; ``workspace`` is a fresh fork.

    A task that lists no test runs its whole test command. Raises as :func:`measure_baseline` does, and
    :class:`PatchError` if ``patch`` does not apply.
    """
    if patch.strip():
        workspace.apply(patch)
    return measure_baseline(task, workspace).tests


def measure_baseline(task: Task, workspace: Workspace) -> Baseline:
    """Run the tests as ``workspace`` stands, the hidden tests' files put in place.

    Raises :class:`GradingError` if they cannot be run or do not end in time.
    """
    if task.spec.runner == CHECKS:
        try:
            checked = run_checks(task, workspace)
        except PatchError as error:
            raise GradingError(f"{task.id}: its checks cannot be run on its start: {error}") from error
        tests = {name: test.outcome for name, test in checked.tests.items()}
        return Baseline(tests=tests, exit_code=checked.exit_code, log=checked.log)
    place_tests(task, workspace)
    run = run_hidden(task, workspace)
    _require_run(task, run)
    found = baseline_of(run, workspace.path)
    lost = task.spec.runner in NATIVE_RUNNERS and _lost_canaries(run)
    return _with_native_canaries(task, workspace, run, found) if lost else found


def _require_run(task: Task, run: Run) -> None:
    if run.timed_out:
        raise GradingError(
            f"{task.id}: its tests did not end within {task.spec.limits.timeout:g} s; raise limits.timeout"
        )
    if run.seen.absent:
        raise GradingError(
            f"{task.id}: {run.seen.absent} is not there to run the tests with; install it in pre_install, or take"
            " an image that has it"
        )


def _lost_canaries(run: Run) -> bool:
    return bool(run.canaries.wrong({name: test.outcome for name, test in run.seen.tests.items()}))


def _with_native_canaries(task: Task, workspace: Workspace, run: Run, found: Baseline) -> Baseline:
    """Hidden tests that cannot be built before the patch take the canaries with them; that must excuse nothing.

    So the canaries run once more without the hidden tests. If they come out wrong there too, it is the task's command
    or its runner that cannot do with them: the tests are then measured, and graded, without any.
    """
    workspace.reset()
    alone = run_native(task, workspace, hidden=False, canaries=run.canaries)
    if not _lost_canaries(alone):
        odd = {quirk for quirk in found.quirks if quirk != UNORDERLY and not quirk.startswith("canary")}
        return replace(found, quirks=frozenset(odd | baseline_of(alone, workspace.path).quirks))
    workspace.reset()
    place_tests(task, workspace)
    bare = run_hidden(task, workspace, quirks=(NO_CANARIES,))
    _require_run(task, bare)
    without = baseline_of(bare, workspace.path)
    return replace(without, quirks=without.quirks | {NO_CANARIES})


def check_task(task: Task, baseline: Baseline) -> None:
    """Refuse a task that cannot tell right from wrong, so that it never counts as a solver's loss or gain.

    Raises :class:`GradingError` if a listed file or folder holds no test, or if every FAIL_TO_PASS test passes before
    the patch, or a check that keeps fails. That no test ran at all is only told: hidden tests may need what the patch
    brings, to begin at all.
    """
    runner, f2p = task.spec.runner, task.hidden.fail_to_pass
    if runner == CHECKS and not task.hidden.checks:
        return
    broken = [name for name in task.hidden.pass_to_pass if runner == CHECKS and baseline.tests[name] not in F2P_OK]
    if broken:
        raise GradingError(f"{task.id}: check {broken[0]!r} is to hold before and after, but fails before")
    if not baseline.tests:
        last = baseline.log.decode("utf-8", "replace").strip().rpartition("\n")[2][-300:]
        log.warning("%s: no test ran before the patch (exit code %s): %s", task.id, baseline.exit_code, last)
        return
    for entry in (*f2p, *task.hidden.pass_to_pass):
        selector = runner == "pytest" and "::" not in entry
        if selector and not any(under(entry, test, runner) for test in baseline.tests):
            raise GradingError(
                f"{task.id}: {entry!r} names no test that ran; give test ids, or a file or folder of tests"
            )
    passing = [test for test in f2p if baseline.tests.get(canonical(test, runner)) in F2P_OK]
    if f2p and len(passing) == len(f2p):
        raise GradingError(f"{task.id}: every FAIL_TO_PASS test passes before the patch, such as {passing[0]!r}")
    if passing:
        log.warning("%s: %d of its FAIL_TO_PASS tests pass before the patch: %s", task.id, len(passing), passing[:3])


def baseline_of(run: Run, workdir: str) -> Baseline:
    """A run as a baseline."""
    quirks = {*suspicions(run), *late_hooks(run, workdir, ())}
    if not run.orderly:
        quirks.add(UNORDERLY)
    return Baseline(
        tests={n: test.outcome for n, test in run.seen.tests.items() if not run.canaries.owns(n)},
        quirks=frozenset(quirks),
        codes={path: digest for path, digest in run.seen.codes.items() if path not in run.canaries.files},
        exit_code=run.exit_code,
        duration=run.duration,
        seconds=_seconds(run),
        log=run.log,
    )


def _seconds(run: Run) -> dict[str, float]:
    """What the tests of each file took, or of each class where ids are dotted names."""
    found: dict[str, float] = {}
    for name, test in run.seen.tests.items():
        if not run.canaries.owns(name):
            owner = name.split("::")[0] if "::" in name else name.rpartition(".")[0]
            found[owner] = found.get(owner, 0.0) + test.duration
    return found
