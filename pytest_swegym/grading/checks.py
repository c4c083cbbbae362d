"""Checks, run one by one where the answer is; what they come to is decided here, not in the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from pytest_swegym._support.trees import make_tree
from pytest_swegym.errors import PatchError
from pytest_swegym.grading.run import shortened
from pytest_swegym.grading.seal import ENV
from pytest_swegym.grading.seal import seal
from pytest_swegym.sandbox.base import HOME
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import shell_argv
from pytest_swegym.task import Check
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import TestResult
from pytest_swegym.workspace import Workspace


#: Bytes that one check may print.
OUTPUT_LIMIT = 2**20
#: Seconds for a regular expression to be searched for.
_PATIENCE = 10.0
#: The exit code of checks of which one ran out of time.
TIMED_OUT = 124
# What stands in a hidden file's way goes, and is never followed; then the files come as a tar archive on stdin.
_PLACE = """
cd "$1" || exit
shift
for path; do
  place=. rest=$path
  while part=${rest%%/*}; place=$place/$part; [ "$part" != "$rest" ]; do
    rest=${rest#*/}
    if [ -L "$place" ] || [ ! -d "$place" ]; then rm -rf -- "$place" && mkdir -- "$place" || exit; fi
  done
  rm -rf -- "$place" || exit
done
exec tar -x -p -f -
"""
# A home that is part of the answer would bring settings of its own to every program.
_RUN = f"""
case "$(cd && pwd -P)/" in "$(pwd -P)"/*) HOME={HOME}/home; export HOME; mkdir -p "$HOME" ;; esac
exec "$@"
"""
_SEARCH = """
import json, re, sys
pattern, text = json.load(sys.stdin)
sys.exit(0 if re.search(pattern, text, re.MULTILINE) else 9)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksRun:
    """What all checks of a task came to. ``exit_code`` is 0 if all passed, 1 if not, ``TIMED_OUT`` if one did."""

    tests: dict[str, TestResult]
    exit_code: int
    oom: bool
    log: bytes


def run_checks(task: Task, workspace: Workspace, place: Callable[[Workspace], object] | None = None) -> ChecksRun:
    """Run every check, each in a fork of its own, so that none sees what another did or left running.

    ``place`` puts the answer into a fresh fork; ``workspace`` has it already. Raises :class:`PatchError` for an
    answer in which no check can be run, and :class:`SandboxError`.
    """
    tests: dict[str, TestResult] = {}
    results: list[ExecResult] = []
    log: list[bytes] = []
    for number, check in enumerate(task.hidden.checks):
        if number:
            workspace.reset()
            if place is not None:
                place(workspace)
        result = _run(task, check, workspace)
        reason = shortfall(check, result)
        results.append(result)
        tests[check.name] = TestResult(
            id=check.name,
            outcome=Outcome.FAILED if reason else Outcome.PASSED,
            duration=result.duration,
            message=reason,
        )
        log.append(_said(check, result, reason))
    code = TIMED_OUT if any(result.timed_out for result in results) else int(any(t.message for t in tests.values()))
    return ChecksRun(
        tests=tests, exit_code=code, oom=any(result.oom for result in results), log=shortened(b"\n".join(log))
    )


def _run(task: Task, check: Check, workspace: Workspace) -> ExecResult:
    seal(workspace)
    if check.files:
        argv = ["sh", "-c", _PLACE, "sh", workspace.path, *check.files]
        placed = workspace.sandbox.exec(argv, stdin=make_tree(check.files), timeout=60)
        if placed.exit_code != 0:
            raise PatchError(f"the files of check {check.name!r} could not be placed: {placed.output.strip()[-500:]}")
    return workspace.sandbox.exec(
        ["sh", "-c", _RUN, "sh", *shell_argv(check.run, task.spec.shell)],
        cwd=workspace.path,
        env=ENV,
        stdin=check.stdin.encode("utf-8", "surrogateescape"),
        timeout=min(check.timeout, task.spec.limits.timeout),
        output_limit=OUTPUT_LIMIT,
    )


def shortfall(check: Check, result: ExecResult) -> str:
    """Why a check did not pass, in words; empty if it did."""
    if result.timed_out:
        return f"it did not end within {check.timeout:g} s"
    if result.truncated:
        return f"it printed more than {OUTPUT_LIMIT >> 20} MiB"
    if result.exit_code != check.exit_code:
        return f"its exit code is {result.exit_code}, not {check.exit_code}"
    if check.stdout is not None and not _same(result.stdout, check.stdout.encode("utf-8", "surrogateescape")):
        return f"it printed {_quoted(result.stdout)}, not {_quoted(check.stdout.encode('utf-8', 'surrogateescape'))}"
    text = result.stdout.decode("utf-8", "replace")
    for wanted in check.contains:
        if wanted not in text:
            return f"it did not print {wanted!r:.200}, but {_quoted(result.stdout)}"
    if check.matches is not None and not _found(check.matches, text):
        return f"nothing that it printed matches {check.matches!r:.200}: {_quoted(result.stdout)}"
    return ""


def _same(found: bytes, wanted: bytes) -> bool:
    return found.removesuffix(b"\n") == wanted.removesuffix(b"\n")


def _found(pattern: str, text: str) -> bool:
    """Whether the pattern matches somewhere; in a process of its own, for a bad pattern may take for ever."""
    argv = [sys.executable, "-I", "-S", "-c", _SEARCH]
    try:
        done = subprocess.run(argv, input=json.dumps([pattern, text]).encode(), timeout=_PATIENCE, capture_output=True)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _quoted(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return repr(text if len(text) <= 400 else f"{text[:200]} ... {text[-200:]}")


def _said(check: Check, result: ExecResult, reason: str) -> bytes:
    verdict = f"FAILED: {reason}" if reason else "PASSED"
    head = f"--- {check.name}: {verdict} ({result.duration:.2f} s)\n$ {check.run}\n"
    return head.encode("utf-8", "surrogateescape") + result.stdout + result.stderr
