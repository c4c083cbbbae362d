"""One instance: what a solver may know (:class:`TaskSpec`) and what it must not (:class:`Hidden`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym.errors import SpecError
from pytest_swegym.task import fields as f
from pytest_swegym.task.check import RUNNER as CHECKS
from pytest_swegym.task.check import Check
from pytest_swegym.task.check import read_checks
from pytest_swegym.task.check import relative_files
from pytest_swegym.task.runner import RUNNERS
from pytest_swegym.task.runner import runner_of


#: Version of the JSON form; a reader refuses what it does not know.
FORMAT = "swegym.task/1"
EVAL_TYPES = ("pass_and_fail", "fail_only")
#: What a solver hands in: the difference to the base, or the whole workdir (git history, empty folders, modes).
SUBMISSIONS = ("patch", "tree")
#: The ``repo`` of a task that begins in an empty folder, or with its own ``files``.
NO_REPO = "empty:"
#: A judge's grades go from 0 to this.
FULL_MARKS = 10.0
#: A path component everywhere: records, layers, image tags, test ids.
_INSTANCE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """What the tree needs to run: an image, or a Python with packages; the rest is added on top of either.

    ``python`` is a version or a range (``"3.11"``, ``">=3.9,<3.13"``). ``packages`` are pip requirements installed
    first; ``pre_install`` commands run as they stand before the repository is there; ``install`` commands run in the
    repository. All of them run inside a sandbox. ``env`` is set for every command of the task.
    ``prebuilt`` names a published image that holds the repository as well, at ``workdir``: backends that run images
    use it instead of building, if they can have it. ``stand_in``: where ``image`` cannot be had, the backend's own base
    is used in its place. ``needs`` are programs that must be there; one that is missing is an infra error.
    """

    image: str | None = None
    stand_in: bool = False
    prebuilt: str | None = None
    python: str | None = None
    packages: tuple[str, ...] = ()
    pre_install: tuple[str, ...] = ()
    install: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one task. Times in seconds, ``memory_mb`` in MiB; network is off unless asked for."""

    timeout: float = 1800.0
    solve_timeout: float = 3600.0
    build_timeout: float = 1800.0
    memory_mb: int = 4096
    cpus: float = 2.0
    pids: int = 1024
    network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One instance as a solver sees it. Field names follow SWE-bench.

    ``files`` (path in the workdir to text) are added to the tree. ``shell`` runs the commands of solver and checks.
    ``submission`` is what a solver hands in: the ``patch``, or the whole workdir as a ``tree``.
    """

    instance_id: str
    repo: str
    base_commit: str | None = None
    title: str = ""
    problem_statement: str = ""
    hints_text: str = ""
    environment: EnvironmentSpec = field(default_factory=EnvironmentSpec)
    runner: str = "pytest"
    test_command: str | None = None
    junit: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    workdir: str = "/testbed"
    version: str | None = None
    tags: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    shell: str | None = None
    submission: str = "patch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What a solver never receives: the gold patch, the tests, and which of them decide.

    An entry of ``fail_to_pass`` or ``pass_to_pass`` is a test id as the runner prints it, or a file or folder
    (``tests/test_fields.py``), which stands for the tests in it that fail (pass) before the patch.
    ``test_files`` maps a repository path to its full text, for tasks that bring files and not a diff.
    ``fixed_by`` names the release that fixed it: patch and test_patch are then made from the two trees.
    ``base_patch`` is applied to the tree before it becomes the base: it makes the bug, where ``repo`` has none.
    ``log_parser`` and ``eval_type`` say how the SWE-bench harness reads this instance's log.

    ``checks`` decide instead of tests: FAIL_TO_PASS and PASS_TO_PASS are their names. ``setup`` is a script that makes
    the state a solver starts from, ``solution`` one that solves the task. ``teacher`` is what a judge, or whoever
    writes the checks, is told; a judge's grade (0 to 10) resolves from ``pass_mark`` on.
    """

    patch: str = ""
    test_patch: str = ""
    test_files: Mapping[str, str] = field(default_factory=dict)
    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()
    fixed_by: str | None = None
    base_patch: str = ""
    log_parser: str | None = None
    eval_type: str = "pass_and_fail"
    checks: tuple[Check, ...] = ()
    setup: str = ""
    solution: str = ""
    teacher: str = ""
    pass_mark: float = FULL_MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Both halves of one instance, and ``where`` it was declared (file, line or row).

    ``problem`` says why it cannot be attempted, if it cannot: it is still listed, reported and counted.
    """

    spec: TaskSpec
    hidden: Hidden = field(default_factory=Hidden)
    where: str | None = None
    problem: str | None = None

    @property
    def id(self) -> str:
        return self.spec.instance_id

    @property
    def key(self) -> str:
        """Names the content, wherever its file lies: of a local repository only the last part of the path counts."""
        data = self.to_dict()
        if self.spec.repo.startswith(("/", "./", "../")):
            data["repo"] = self.spec.repo.rstrip("/").rpartition("/")[2]
        return content_key("task", data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, where: str | None = None) -> Task:
        """Read the JSON form, a marker's keywords or a SWE-bench row.

        Environment and limits may be nested tables or flat fields. Raises :class:`SpecError`.
        """
        reader = f.Fields(data, where=where)
        found = reader.take("format", f.text, FORMAT)
        if found != FORMAT:
            raise reader.error("format", f"is {found!r}; this version reads {FORMAT!r}")
        spec = _read_spec(reader)
        hidden = _read_hidden(reader)
        reader.end()
        if not hidden.fail_to_pass and not hidden.pass_to_pass and not hidden.teacher:
            raise reader.error("fail_to_pass", "names no test (give fail_to_pass, pass_to_pass or both, or checks)")
        if hidden.checks or hidden.teacher:
            if spec.runner not in (CHECKS, "pytest") or spec.test_command:
                raise reader.error("checks", "run by themselves; leave runner and test_command out")
            spec = replace(spec, runner=CHECKS)
        elif spec.runner == CHECKS or spec.submission == "tree":
            what = "runner 'checks'" if spec.runner == CHECKS else "submission 'tree'"
            raise reader.error("checks", f"are required by {what}")
        return cls(spec=spec, hidden=hidden, where=where)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; ``Task.from_dict`` reads it back to an equal value."""
        hidden = replace(self.hidden, fail_to_pass=(), pass_to_pass=()) if self.hidden.checks else self.hidden
        return {"format": FORMAT, **_plain(self.spec), **_plain(hidden)}


def _read_spec(reader: f.Fields) -> TaskSpec:
    instance_id = reader.require("instance_id", f.text)
    if not _INSTANCE_ID.fullmatch(instance_id):
        raise reader.error("instance_id", f"{instance_id!r} may hold only letters, digits and _ . + - (200 at most)")
    workdir = reader.take("workdir", f.text, "/testbed")
    if not workdir.startswith("/") or ".." in workdir.split("/") or workdir == "/":
        raise reader.error("workdir", f"must be an absolute path below / (got {workdir!r})")
    for ignored in ("created_at", "environment_setup_commit", "difficulty", "image_assets", "eval_script",
                    "split", "datasets", "text"):  # fmt: skip
        reader.take(ignored, lambda value: value, None)
    command = reader.take(("test_command", "test_cmd"), f.text, None)
    repo = reader.require("repo", f.text)
    files: Mapping[str, str] = reader.take("files", relative_files, {})
    if files and repo.strip() != NO_REPO:
        raise reader.error("files", f"are for tasks with repo = {NO_REPO!r}; a repository brings its own")
    return TaskSpec(
        instance_id=instance_id,
        repo=repo,
        base_commit=reader.take("base_commit", f.text, None),
        title=reader.take("title", f.text, ""),
        problem_statement=reader.take("problem_statement", f.text, ""),
        hints_text=reader.take("hints_text", f.text, ""),
        environment=_read_environment(reader),
        runner=reader.take("runner", f.one_of(*RUNNERS), None) or runner_of(command),
        test_command=command,
        junit=reader.take("junit", _junit_paths, ()),
        limits=_read_limits(reader),
        workdir=workdir.rstrip("/"),
        version=reader.take("version", f.text, None),
        tags=reader.take("tags", f.texts, ()),
        files=files,
        shell=reader.take("shell", _program, None),
        submission=reader.take("submission", f.one_of(*SUBMISSIONS), "patch"),
    )


def _program(value: Any) -> str:
    text = f.text(value)
    if not re.fullmatch(r"/?[A-Za-z0-9_.+\-]+(/[A-Za-z0-9_.+\-]+)*", text):
        raise ValueError("must name a program, such as /bin/bash")
    return text


def _junit_paths(value: Any) -> tuple[str, ...]:
    paths = f.texts(value)
    if any(not path.strip("/") or ".." in path.split("/") or "\0" in path for path in paths):
        raise ValueError("must name files in the repository, or absolute paths; * stands for anything")
    return paths


def _merged(reader: f.Fields, table: str, flat: tuple[str, ...]) -> f.Fields:
    """The nested ``table`` joined with its flat spelling."""
    nested = reader.sub(table)
    both = nested.rest()
    for name in flat:
        value = reader.take(name, lambda given: given, None)
        if value is not None:
            if name in both:
                raise reader.error(name, f"given twice, also as '{table}.{name}'; keep one")
            both[name] = value
    return f.Fields(both, where=reader.where, prefix=table)


def _read_environment(reader: f.Fields) -> EnvironmentSpec:
    names = ("image", "stand_in", "prebuilt", "python", "packages", "pre_install", "install", "env", "needs")
    table = _merged(reader, "environment", names)
    environment = EnvironmentSpec(
        image=table.take("image", f.text, None),
        stand_in=table.take("stand_in", f.flag, False),
        prebuilt=table.take("prebuilt", f.text, None),
        python=table.take("python", f.text, None),
        packages=table.take("packages", f.texts, ()),
        pre_install=table.take("pre_install", f.texts, ()),
        install=table.take("install", f.texts, ()),
        env=table.take("env", f.string_map, {}),
        needs=table.take("needs", f.texts, ()),
    )
    table.end()
    return environment


def _read_limits(reader: f.Fields) -> Limits:
    names = ("timeout", "solve_timeout", "build_timeout", "memory_mb", "cpus", "pids", "network")
    table = _merged(reader, "limits", names)
    default = Limits()
    limits = Limits(
        timeout=table.take("timeout", f.positive, default.timeout),
        solve_timeout=table.take("solve_timeout", f.positive, default.solve_timeout),
        build_timeout=table.take("build_timeout", f.positive, default.build_timeout),
        memory_mb=table.take("memory_mb", f.count, default.memory_mb),
        cpus=table.take("cpus", f.positive, default.cpus),
        pids=table.take("pids", f.count, default.pids),
        network=table.take("network", f.flag, default.network),
    )
    table.end()
    return limits


def _read_hidden(reader: f.Fields) -> Hidden:
    checks = read_checks(reader.take("checks", lambda given: given, ()), where=reader.where)
    hidden = Hidden(
        patch=reader.take(("patch", "gold_patch"), f.text, ""),
        test_patch=reader.take("test_patch", f.text, ""),
        test_files=reader.take("test_files", f.string_map, {}),
        fail_to_pass=reader.take(("fail_to_pass", "FAIL_TO_PASS"), f.test_ids, ()),
        pass_to_pass=reader.take(("pass_to_pass", "PASS_TO_PASS"), f.test_ids, ()),
        fixed_by=reader.take("fixed_by", f.text, None),
        base_patch=reader.take("base_patch", f.text, ""),
        log_parser=reader.take("log_parser", f.text, None),
        eval_type=reader.take("eval_type", f.one_of(*EVAL_TYPES), "pass_and_fail"),
        checks=checks,
        setup=reader.take("setup", f.text, ""),
        solution=reader.take("solution", f.text, ""),
        teacher=reader.take("teacher", f.text, ""),
        pass_mark=reader.take("pass_mark", f.positive, FULL_MARKS),
    )
    if checks:
        return _decided_by_checks(reader, hidden)
    if hidden.fixed_by and (hidden.patch or hidden.test_patch):
        raise reader.error("fixed_by", "makes patch and test_patch from the fixing release; leave those out")
    for path in hidden.test_files:
        if path.startswith("/") or ".." in path.split("/"):
            raise reader.error("test_files", f"{path!r} must be a path inside the repository")
    both = set(hidden.fail_to_pass) & set(hidden.pass_to_pass)
    if both:
        raise reader.error("fail_to_pass", f"{sorted(both)[0]!r} is in pass_to_pass as well")
    return hidden


def _decided_by_checks(reader: f.Fields, hidden: Hidden) -> Hidden:
    given = {"fail_to_pass": hidden.fail_to_pass, "pass_to_pass": hidden.pass_to_pass, "test_patch": hidden.test_patch,
             "test_files": hidden.test_files, "fixed_by": hidden.fixed_by}  # fmt: skip
    for name, value in given.items():
        if value:
            raise reader.error(name, "cannot be given with checks: their names are the lists; a check has files")
    return with_checks(hidden, hidden.checks)


def with_checks(hidden: Hidden, checks: tuple[Check, ...]) -> Hidden:
    """``hidden``, decided by ``checks``."""
    fail = tuple(check.name for check in checks if not check.keeps)
    keep = tuple(check.name for check in checks if check.keeps)
    return replace(hidden, checks=checks, fail_to_pass=fail, pass_to_pass=keep)


_REQUIRED = ("instance_id", "repo")


def _plain(value: TaskSpec | Hidden) -> dict[str, Any]:
    """Plain JSON types; fields at their default are left out, so files stay short."""
    default = TaskSpec(instance_id="", repo="") if isinstance(value, TaskSpec) else Hidden()
    defaults = {name: _json(item) for name, item in asdict(default).items()}
    plain = {name: _json(item) for name, item in asdict(value).items()}
    return {name: item for name, item in plain.items() if name in _REQUIRED or item != defaults[name]}


def _json(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_json(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _json(v) for k, v in value.items()}
    return value


__all__ = ["FORMAT", "RUNNERS", "EnvironmentSpec", "Hidden", "Limits", "SpecError", "Task", "TaskSpec"]
