"""A judge: somebody's code (most often a model) that looks at an answer and grades it from 0 to 10."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any

from pytest_swegym.errors import GradingError
from pytest_swegym.errors import SwegymError
from pytest_swegym.grading.junit import write_junit
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import TestResult
from pytest_swegym.task import Verdict
from pytest_swegym.task.spec import FULL_MARKS
from pytest_swegym.workspace import Workspace


#: Commands that a judge may run, the seconds for each, and the bytes of its output that it sees.
COMMANDS = 10
_TIMEOUT = 60.0
_OUTPUT = 64 * 2**10
#: The one entry of FAIL_TO_PASS of a task that a judge decides.
NAME = "judge"
#: ``8``, ``8.5``, ``8/10``, ``Score: 8/10``.
_SCORE = re.compile(
    r"\s*(?:(?:score|grade)\s*[:=]?\s*)?(\d{1,6}(?:\.\d{1,6})?)\s*(?:/\s*(\d{1,6}(?:\.\d{1,6})?))?\s*", re.I
)


class TeacherSession:
    """What a judge may do: run a few commands in a fork of what was handed in. ``task`` is what the solver was told."""

    def __init__(self, task: TaskSpec, workspace: Workspace, *, commands: int = COMMANDS) -> None:
        self.task = task
        self.left = commands
        self.log: list[str] = []
        self._workspace = workspace

    def run(self, command: str) -> str:
        """What ``command`` printed, and its exit code if it is not 0.

        When the commands are used up it says so instead. A command that is no text is told, and not counted.
        """
        if not isinstance(command, str) or "\0" in command:
            return "no command was given"
        if self.left <= 0:
            return "no commands are left; give the grade now"
        self.left -= 1
        result = self._workspace.run(command, timeout=_TIMEOUT, output_limit=_OUTPUT)
        said = result.output
        if result.timed_out:
            said += f"\n(it did not end within {_TIMEOUT:g} s)"
        elif result.exit_code:
            said += f"\n(exit code {result.exit_code})"
        self.log.append(f"$ {command}\n{said}")
        return said


#: Called with the teacher's text and a session; returns a grade from 0 to 10, or ``None`` for no grade.
Judge = Callable[[str, TeacherSession], Any]


def ask(task: Task, workspace: Workspace, judge: Judge, *, method: str = "") -> Grade:
    """The grade that ``judge`` gives what lies in ``workspace``; no grade is 0.

    Raises :class:`GradingError` if the judge raises: that is nobody's wrong answer.
    """
    started = time.monotonic()
    session = TeacherSession(task.spec, workspace)
    try:
        said = judge(task.hidden.teacher, session)
    except SwegymError:
        raise
    except Exception as error:
        raise GradingError(f"{task.id}: the judge raised {type(error).__name__}: {error}") from error
    score = parse_score(said)
    passed = score is not None and score >= task.hidden.pass_mark
    reason = "" if passed else "it gave no grade from 0 to 10" if score is None else f"it gave {score:g} of 10"
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    test = TestResult(id=NAME, outcome=outcome, duration=time.monotonic() - started, message=reason)
    return Grade(
        verdict=Verdict.RESOLVED if passed else Verdict.UNRESOLVED,
        fail_to_pass={NAME: outcome},
        tests={NAME: test},
        reasons=(f"the judge: {reason}",) if reason else (),
        duration=test.duration,
        junit_xml=write_junit([test], suite=task.id, properties={"runner": NAME}),
        log="\n".join([*session.log, f"the judge gave: {said!r:.2000}"]).encode("utf-8", "surrogateescape"),
        apply_method=method,
        score=(score or 0.0) / FULL_MARKS,
    )


def parse_score(value: object) -> float | None:
    """A grade from 0 to 10 out of a number, or a text such as ``"8"`` or ``"8/10"``; ``None`` if it is none."""
    if isinstance(value, str):
        found = _SCORE.fullmatch(value)
        if found is None:
            return None
        out_of = float(found[2]) if found[2] else FULL_MARKS
        value = float(found[1]) / out_of * FULL_MARKS if out_of else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= FULL_MARKS and math.isfinite(value) else None
