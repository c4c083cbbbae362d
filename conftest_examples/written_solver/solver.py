"""A solver written by hand: it looks for the bug it knows, mends it, and checks its work in the sandbox."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pytest_swegym.task import TaskSpec
    from pytest_swegym.workspace import Workspace


CALL = "ts_dt = self.timestamp_to_datetime(ts_int)\n"
GUARDED = """\
try:
    ts_dt = self.timestamp_to_datetime(ts_int)
except (ValueError, OSError, OverflowError) as error:
    raise BadTimeSignature("Malformed timestamp", payload=value) from error
"""


def solve(task: TaskSpec, workspace: Workspace) -> str | None:
    """Guard the conversions of a timestamp that an attacker chose."""
    found = workspace.run("grep -rlsn 'timestamp_to_datetime(ts_int)' src").output.split()
    if not found:
        return ""  # not the bug this solver knows: no patch
    for path in found:
        lines = workspace.read(path).splitlines(keepends=True)
        workspace.write(path, "".join(guarded(lines)))
    tests = workspace.run("python -m pytest -q tests 2>&1 | tail -n 1")
    print(f"{task.instance_id}: the visible tests say: {tests.output.strip()}")
    return workspace.diff()


def guarded(lines: list[str]) -> list[str]:
    """The source with every bare conversion put into a ``try``."""
    result = []
    for before, line in zip(["", *lines], lines, strict=False):
        indent = line[: len(line) - len(line.lstrip())]
        bare = line.strip() == CALL.strip() and before.strip() != "try:"
        result.append(textwrap.indent(GUARDED, indent) if bare else line)
    return result
