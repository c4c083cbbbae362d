"""What a run of the hidden tests is made of: which files are run, which are put in place, which are watched."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from itertools import pairwise
from typing import Any

from pytest_swegym.grading.canary import Canaries
from pytest_swegym.grading.canary import make_canaries
from pytest_swegym.grading.command import Command
from pytest_swegym.grading.match import DOTTED
from pytest_swegym.grading.match import canonical
from pytest_swegym.grading.match import is_doctest
from pytest_swegym.grading.match import is_progress
from pytest_swegym.grading.match import stands_for
from pytest_swegym.grading.protect import hidden_paths
from pytest_swegym.grading.protect import is_test_file
from pytest_swegym.grading.protect import is_test_path
from pytest_swegym.grading.protect import runner_files
from pytest_swegym.task import Task


#: Options that are followed by a value, which then names no test.
_VALUED = re.compile(
    r"-[kmnpcorW]|--(verbosity|tb|color|capture|settings|durations|seed|timeout|parallel|maxfail|rootdir|import-mode)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is made of: files to run, files to put in place, files to watch.

    ``early`` is what a run has to know that may end when it is decided; empty for one that may not.
    """

    command: Command
    targets: tuple[str, ...]
    canaries: Canaries = field(default_factory=Canaries)
    sealed: tuple[str, ...] = ()
    early: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a run can be divided into: by its likeliest file, the files that each part may be in.

    ``likely`` are the files that canaries may stand beside, each as often as a test is listed of it.
    """

    ids: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]
    likely: tuple[str, ...]

    @property
    def targets(self) -> set[str]:
        return {path for files in self.files.values() for path in files}


def plan_run(task: Task, command: Command, *, early: bool = False, only: Collection[str] | None = None) -> Plan:
    """Plan the run of a task's hidden tests: whole files, with canaries beside them.

    A task that lists no test runs its bare test command: the whole suite. ``only`` names the parts that are run.
    """
    runner = task.spec.runner
    start = start_folder(command, runner)
    parts = parts_of(task, command)
    chosen = parts
    if early or only is not None:
        command = without_names(command, parts, runner) or command
    if only is not None:
        files = {name: each for name, each in parts.files.items() if name in only}
        # Beside a product file no canary may be: those of another part will do.
        likely = tuple(path for path in parts.likely if path in files) or parts.likely
        chosen = Parts(ids=parts.ids, files=files, likely=likely)
    canaries = make_canaries(chosen.likely, parts.ids, runner=runner, start=start)
    sealed = {*_hidden_tests(task), *canaries.files, *parts.targets, *_conftests(parts.targets), *runner_files(runner)}
    return Plan(
        command=command,
        targets=tuple(sorted(chosen.targets)),
        canaries=canaries,
        sealed=tuple(sorted(sealed)),
        early=_early(task, chosen, canaries, start) if early and parts.ids else {},
    )


def parts_of(task: Task, command: Command) -> Parts:
    """The files of the listed tests, and those that are run with them."""
    runner = task.spec.runner
    listed = (*task.hidden.fail_to_pass, *task.hidden.pass_to_pass)
    ids = tuple(canonical(each, runner) for each in listed if not is_progress(each))
    hidden = _hidden_tests(task)
    if not ids:
        own = tuple(path for path in hidden if not path.endswith(("conftest.py", "__init__.py")))
        return Parts(ids=(), files={}, likely=own)
    start = start_folder(command, runner)
    # For dotted ids every prefix may be the file; those that are not there are passed over.
    named = {each: files for each in ids if (files := files_of(each, runner, start))}
    found: dict[str, set[str]] = {}
    for files in named.values():
        found.setdefault(files[0], set()).update(files)
    # Beside a product file a new file could change what its doctests find there.
    likely = [files[0] for each, files in named.items() if not is_doctest(each)]
    brought = [path for path in hidden if is_test_file(path)]
    besides: list[str] = []
    if len(named) < len(ids):  # ids that do not tell their file
        besides, likely = brought, likely or brought
    elif task.hidden.log_parser:  # the harness runs these, listed or not
        besides = hidden if runner == "pytest" else brought
    for path in besides:
        found.setdefault(path, set()).add(path)
    return Parts(ids=ids, files={name: tuple(sorted(each)) for name, each in found.items()}, likely=tuple(likely))


def without_names(command: Command, parts: Parts, runner: str) -> Command | None:
    """The command without the files that it names, if these are the parts; ``None`` if it runs anything else."""
    names = [at for at, (before, arg) in enumerate(pairwise(("", *command.args))) if _may_name(before, arg)]
    start = start_folder(command, runner)
    files = [
        files_of(f"{command.args[at]}.Case.test", runner, start)[:1] if runner in DOTTED else [command.args[at]]
        for at in names
    ]
    if names and sorted(files) != sorted([name] for name in parts.files):
        return None
    return replace(command, args=tuple(arg for at, arg in enumerate(command.args) if at not in names))


def _may_name(before: str, arg: str) -> bool:
    return not (arg.startswith("-") or arg.isdigit() or _VALUED.fullmatch(before))


def _hidden_tests(task: Task) -> list[str]:
    return sorted(path for path in hidden_paths(task.hidden) if path.endswith(".py") and is_test_path(path))


def _early(task: Task, parts: Parts, canaries: Canaries, start: str) -> dict[str, Any]:
    """What the run waits for, and the order of its files: those of FAIL_TO_PASS, of PASS_TO_PASS, the others.

    ``holds`` maps each test to whether it holds when it is skipped; all that begins with one of ``begins`` is waited
    for as well. Where entries stand for more than can be told, that is everything.
    """
    runner = task.spec.runner
    holds: dict[str, bool] = {}
    begins: set[str] = set()
    ranks = dict.fromkeys((*parts.targets, *canaries.files), 2) | dict.fromkeys(canaries.files, 0)
    for rank, entries in ((1, task.hidden.pass_to_pass), (0, task.hidden.fail_to_pass)):
        for name in (canonical(each, runner) for each in entries if not is_progress(each)):
            files = files_of(name, runner, start)
            if files and files[0] not in parts.files:
                continue  # another process runs it
            ranks.update(dict.fromkeys(files, rank))
            many = stands_for(name, runner)
            begins.update(many or ())
            if many is None:
                holds[name] = bool(rank)
    return {"holds": holds, "begins": sorted(begins), "ranks": ranks, "sorts": runner == "unittest"}


def files_of(test_id: str, runner: str, start: str) -> list[str]:
    """The files that may hold a test, the likeliest first; none if its id does not tell."""
    if "/" in test_id or test_id.endswith(".py") or "::" in test_id or runner == "pytest":
        return [test_id.split("::")[0].rstrip("/")]
    if runner not in DOTTED or " " in test_id or "." not in test_id.rstrip("."):
        return []
    parts = test_id.split(".")
    counts = sorted(range(1, len(parts) + 1), key=lambda n: (n != max(len(parts) - 2, 1), n))
    folder = f"{start}/" if start else ""
    return [folder + "/".join(parts[:count]) + ".py" for count in counts]


def start_folder(command: Command, runner: str) -> str:
    """The folder that dotted ids are relative to: where ``unittest discover`` starts, where Django's tests are."""
    if runner == "django":
        return command.script.rpartition("/")[0]
    args = list(command.args)
    if runner != "unittest" or "discover" not in args or "-t" in args or "--top-level-directory" in args:
        return ""
    rest = args[args.index("discover") + 1 :]
    start = next((value for flag, value in pairwise(rest) if flag in ("-s", "--start-directory")), "")
    if not start and rest and not rest[0].startswith("-"):
        start = rest[0]
    return start.removeprefix("./").strip("/").removeprefix(".")


def _conftests(paths: Collection[str]) -> set[str]:
    found = {"conftest.py"}
    for path in paths:
        folders = path.split("/")[:-1]
        found |= {"/".join([*folders[: n + 1], "conftest.py"]) for n in range(len(folders))}
    return found
