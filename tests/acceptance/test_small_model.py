"""A real language model, small as it is, plays tasks of the shipped curriculum. Whatever it says, some things hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_model import NAME
from small_model import SmallModel
from small_model import small_model  # noqa: F401

from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Verdict
from pytest_swegym.task.usage import Usage
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import Trajectory
from pytest_swegym.trajectory import read_trajectory


STEPS, WRONG, TOKENS = 2, 1, 40
#: It knows nothing of functions, nor keeps to a form by itself: llama.cpp can have it keep to one.
FORM = json.dumps({"grammar": 'root ::= "<execute>" [^<]{1,150} "</execute>"'})
PLAYS: dict[str, tuple[int, dict[str, object]]] = {"execute": (3, {"body": FORM}), "tools": (1, {})}


def spent(told: Trajectory) -> Usage:
    """What the lines of a trajectory say of its model's calls."""
    lines: list[Any] = [step.get("player", {}) for step in told.steps]
    lines += [event["invalid_reply"] for event in told.events if "invalid_reply" in event]
    return sum((Usage.from_dict(each["usage"]) for each in lines if "usage" in each), Usage())


@pytest.mark.parametrize("protocol", PLAYS)
def test_a_small_model_plays(protocol: str, small_model: SmallModel, tmp_path: Path) -> None:  # noqa: F811
    tasks, more = PLAYS[protocol]
    words = small_model.words(protocol=protocol, reply_tokens=TOKENS, invalid_replies=WRONG, price_input=1, **more)
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--swegym-sandbox=bubblewrap",
        "--swegym-tasks=curriculum", f"--swegym-limit={tasks}", f"--swegym-max-steps={STEPS}", "--swegym-seed=1",
        f"--swegym-solver=openai:{NAME}", "--swegym-output=out", *(f"--swegym-agent={word}" for word in words),
    ]  # fmt: skip
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert run.returncode in (0, 1), run.stdout + run.stderr
    paths = sorted((tmp_path / "out").glob("attempts/*/record.json"))
    assert len(paths) == tasks
    acted = 0
    for path in paths:
        record = AttemptRecord.from_dict(json.loads(path.read_text()))
        told = read_trajectory(path.parent / TRAJECTORY)
        used = Usage.from_dict(record.extra["usage"])
        assert record.verdict in (Verdict.RESOLVED, Verdict.UNRESOLVED, Verdict.INVALID_PATCH)
        assert record.extra["model"] == NAME
        assert record.extra["ending"] in ("submit", "forfeit", "steps", "invalid_replies")
        assert record.extra["steps"] == len(told.steps) <= STEPS
        assert used.requests >= 1
        assert used.prompt_tokens > 100
        assert 0 < used.completion_tokens <= TOKENS * used.requests
        assert used.cost == pytest.approx(used.prompt_tokens / 1e6)
        in_steps = spent(told)
        assert (in_steps.requests, in_steps.tokens) == (used.requests, used.tokens)
        acted += len(told.steps)
    assert acted or protocol == "tools"
