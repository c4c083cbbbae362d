"""Runs the hidden tests in a prepared workspace and brings back what was seen."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_swegym.environments.basegit import BASE_GIT
from pytest_swegym.environments.basegit import git_env
from pytest_swegym.environments.variables import FIXED
from pytest_swegym.errors import GradingError
from pytest_swegym.grading.canary import Canaries
from pytest_swegym.grading.command import Command
from pytest_swegym.grading.command import parse_command
from pytest_swegym.grading.events import Collected
from pytest_swegym.grading.events import collect
from pytest_swegym.grading.events import decode
from pytest_swegym.grading.plan import Plan
from pytest_swegym.grading.plan import plan_run
from pytest_swegym.grading.tox import tox_command
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import Starter
from pytest_swegym.task import Task
from pytest_swegym.workspace import Workspace


#: Bytes of events, and of log, that one run may produce.
STREAM_LIMIT = 64 * 2**20
#: What the test process says before its events: it is up, and no code of the repository has run.
READY = b"ready\n"
#: Bytes of log that a grade keeps: its first and its last half.
LOG_LIMIT = 2 * 2**20
#: The files of ``payload`` that make a runner, the later on top of the earlier.
_PAYLOAD = {
    "pytest": ("swegym_early", "swegym_terminal", "swegym_reporter"),
    "unittest": ("swegym_early", "swegym_unittest"),
    "django": ("swegym_early", "swegym_unittest", "swegym_django"),
    "sympy": ("swegym_sympy",),
}
#: The files of ``payload`` that every runner is launched with.
_EVERY = {"launch": "", "channel": "swegym_", "watch": "swegym_", "equals": "swegym_"}
#: Never inherited: they would change what runs, or run code before ours does.
_DROPPED = ("PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONHOME", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_CURRENT_TEST")
# The event stream is the command's stdout, through descriptor 3; all that the tests print is its stderr, the log.
_SCRIPT = """\
exec 3>&1 1>&2
if [ "${PYTHONPATH+x}" ]; then SWEGYM_PYTHONPATH=$PYTHONPATH; export SWEGYM_PYTHONPATH; unset PYTHONPATH; fi
for name in $1; do unset "$name"; done
python=$2
shift 2
[ "$python" ] || python=$(command -v python || command -v python3) || { echo 'no python on PATH' >&2; exit 127; }
exec "$python" "$@"
"""
_BOOT = """\
import sys
sys.path[:] = [p for p in sys.path if p]
import io, json
with io.open(0, 'rb', closefd=False) as stream:
    head = json.loads(stream.readline().decode('ascii'))
    space = {'__name__': 'swegym_launch'}
    exec(compile(head.pop('launch'), '<swegym>', 'exec'), space)
    head = space['ready'](head)
    job = json.loads(stream.read().decode('ascii'))
space['main'](job, head)
"""
#: What a runner imports before any file of the repository.
_IMPORTS = {"pytest": ("pytest",), "unittest": ("unittest",), "django": ("unittest",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the tests, as the controller saw it. ``fault`` is what was wrong with the event stream.

    ``full_log`` is all that the test process printed, ``log`` what a grade keeps of it.
    """

    seen: Collected
    canaries: Canaries
    fault: str = ""
    exit_code: int
    timed_out: bool = False
    oom: bool = False
    duration: float = 0.0
    log: bytes = b""
    full_log: bytes = b""

    @property
    def text(self) -> str:
        """The whole log as text: what the plain command would have printed, our canaries left out."""
        return self.full_log.decode("utf-8", "replace")

    @property
    def plain_exit(self) -> int:
        """The exit code that the plain command would have had, without our canaries."""
        ended = self.seen.plain is not None and self.exit_code == self.seen.status
        return self.seen.plain if ended and self.seen.plain is not None else self.exit_code

    @property
    def orderly(self) -> bool:
        """The session came to its own end, with its tests run."""
        return not self.fault and self.seen.status in (0, 1) and not self.timed_out


def place_tests(task: Task, workspace: Workspace) -> None:
    """Put ``test_patch`` and ``test_files`` in place; the files they touch are at their base state.

    Raises :class:`GradingError` if the test patch does not fit the base: the task is wrong, not the patch.
    """
    if task.hidden.test_patch.strip():
        result = workspace.sandbox.exec(
            ("git", "apply", "--whitespace=nowarn", "-"),
            cwd=workspace.path,
            env={"GIT_DIR": BASE_GIT, "GIT_WORK_TREE": workspace.path, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"},
            stdin=task.hidden.test_patch.rstrip("\n").encode("utf-8", "surrogateescape") + b"\n",
            timeout=300,
        )
        if result.exit_code != 0:
            raise GradingError(f"{task.id}: its test_patch does not apply to its base: {result.output.strip()[-2000:]}")


def run_tests(
    task: Task,
    workspace: Workspace,
    codes: Mapping[str, str] | None = None,
    *,
    early: bool = False,
    only: Collection[str] | None = None,
) -> Run:
    """Run the hidden tests. Raises :class:`GradingError` if there is nothing to run them with.

    ``codes`` are digests of the test files' functions from the run before the patch: what is the same needs no look.
    An ``early`` run may end when it is decided; ``only`` names the parts (of :func:`plan.parts_of`) that are run.
    """
    plan = plan_run(task, command_of(task, workspace), early=early, only=only)
    key = secrets.token_bytes(32)
    result = workspace.sandbox.exec(
        **_call(task, plan.command, workspace.path),
        stdin=_head(task.spec.runner) + _job(task, plan, key, codes or {}),
        timeout=task.spec.limits.timeout,
        output_limit=STREAM_LIMIT,
    )
    stream = decode(result.stdout.removeprefix(READY), key)
    seen = collect(stream.events)
    log = result.stderr
    if not stream.events and result.exit_code in (126, 127) and not result.timed_out:
        raise GradingError(
            f"{task.id}: no Python to run the tests with ({_last_line(log)}); give environment.python, or an image"
            " with Python on its PATH"
        )
    if seen.absent:
        raise GradingError(
            f"{task.id}: {seen.absent} is not installed in the task's environment; add it to environment.packages"
        )
    return Run(
        seen=seen,
        canaries=plan.canaries,
        fault=stream.fault,
        exit_code=result.exit_code,
        timed_out=result.timed_out,
        oom=result.oom,
        duration=result.duration,
        log=shortened(log),
        full_log=log,
    )


def begin_tests(task: Task, sandbox: Sandbox) -> bool:
    """Start the Python that will run the hidden tests ahead of the patch; it waits for its job, the runner imported.

    To be called before anything of a patch is in the sandbox: it returns when that Python reads no more files. The next
    :func:`run_tests` there gets it. False where it is started when it is needed: a sandbox that cannot start anything
    ahead, a runner that is not Python's, a command that the repository has to be asked for.

    Raises :class:`SandboxError` if it does not come up.
    """
    if not isinstance(sandbox, Starter) or task.spec.runner not in _PAYLOAD:
        return False
    command = parse_command(task)
    if command.tox:
        return False
    sandbox.begin(**_call(task, command, task.spec.workdir), head=_head(task.spec.runner), greeting=READY)
    return True


def _call(task: Task, command: Command, folder: str) -> dict[str, Any]:
    """What starts the Python of a run: the same line, variables and folder every time."""
    return {
        "argv": ("sh", "-c", _SCRIPT, "sh", _dropped(task), command.python, *command.flags, "-c", _BOOT),
        "cwd": folder,
        "env": {**FIXED, **task.spec.environment.env, **command.env},
    }


def command_of(task: Task, workspace: Workspace) -> Command:
    """The command of ``task``; for tox, what the base's ``tox.ini`` makes of it."""
    command = parse_command(task)
    if not command.tox:
        return command
    read = workspace.sandbox.exec(
        ("git", "cat-file", "blob", "HEAD:tox.ini"), cwd=workspace.path, env=git_env(workspace.path), timeout=60
    )
    if read.exit_code != 0:
        raise GradingError(f"{task.id}: its test_command is tox, but the repository has no tox.ini")
    env = {**FIXED, **task.spec.environment.env, **command.env}
    listed = bool(task.hidden.fail_to_pass or task.hidden.pass_to_pass)
    text = read.stdout.decode("utf-8", "replace")
    try:
        return tox_command(text, command, workdir=workspace.path, env=env, targets=listed)
    except GradingError as error:
        raise GradingError(f"{task.id}: {error}") from None


def _job(task: Task, plan: Plan, key: bytes, codes: Mapping[str, str]) -> bytes:
    job: Mapping[str, Any] = {
        "key": key.hex(),
        "files": {**task.hidden.test_files, **plan.canaries.files},
        "sealed": plan.sealed,
        "codes": dict(codes),
        "targets": plan.targets,
        "early": plan.early,
        "canaries": list(plan.canaries.files),
        "canary_tests": len(plan.canaries.expected),
        "args": plan.command.args,
        "script": plan.command.script,
        "cwd_on_path": plan.command.cwd_on_path,
        "xml": f"/tmp/swegym-{secrets.token_hex(8)}/junit.xml" if task.spec.runner == "pytest" else "",
    }
    return json.dumps(job).encode("ascii")


@cache
def _head(runner: str) -> bytes:
    """What every run of a runner is told first, whatever its job: the sources, and what to import meanwhile."""
    head = {name: _source(prefix + name) for name, prefix in _EVERY.items()}
    head["runner"] = "\n".join(_source(name) for name in _PAYLOAD[runner])
    return json.dumps({**head, "imports": _IMPORTS.get(runner, ())}).encode("ascii") + b"\n"


def _source(name: str) -> str:
    return (Path(__file__).parent / "payload" / f"{name}.py").read_text(encoding="utf-8")


def _dropped(task: Task) -> str:
    return " ".join(name for name in _DROPPED if name not in task.spec.environment.env)


def _last_line(log: bytes) -> str:
    lines = log.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][-300:] if lines else "it said nothing"


def shortened(log: bytes) -> bytes:
    """What a grade keeps of a log: its beginning and its end."""
    if len(log) <= LOG_LIMIT:
        return log
    gone = len(log) - LOG_LIMIT
    half = LOG_LIMIT // 2
    return log[:half] + f"\n... {gone} bytes left out ...\n".encode() + log[-half:]
