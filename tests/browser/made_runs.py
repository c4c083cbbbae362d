"""Runs as they lie on a disk, made up: records by the real store, trajectories by the real writer."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from pytest_swegym.results import ResultStore
from pytest_swegym.results.page import write_pages
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import TrajectoryWriter


START = 1_767_268_800.0
PATCH = """diff --git a/src/calc.py b/src/calc.py
index 1111111..2222222 100644
--- a/src/calc.py
+++ b/src/calc.py
@@ -1,6 +1,7 @@
 def add(a, b):
-    return a - b
+    # The sum, not the difference.
+    return a + b


 def twice(a):
diff --git a/README.md b/README.md
index 3333333..4444444 100644
--- a/README.md
+++ b/README.md
@@ -1,2 +1,2 @@
 # calc
--- a line that looks like a header
+++ and another
"""
LOG = (
    b"\x1b[1m===== test session starts =====\x1b[0m\ncollected 3 items\n\n"
    b"test_calc.py \x1b[32m.\x1b[0m\x1b[31mF\x1b[0m.\n"
)
VERDICTS = (Verdict.RESOLVED, Verdict.UNRESOLVED, Verdict.INVALID_PATCH, Verdict.TIMEOUT, Verdict.INFRA_ERROR)


def usage(rng: random.Random) -> dict[str, Any]:
    prompt, completion = rng.randrange(2000, 30000), rng.randrange(100, 2000)
    cost = round(prompt * 2e-6 + completion * 8e-6, 6)
    return {
        "requests": 1,
        "prompt_tokens": prompt,
        "cached_tokens": 0,
        "completion_tokens": completion,
        "seconds": 1.5,
        "cost": cost,
    }


def step(number: int, rng: random.Random, **more: Any) -> dict[str, Any]:
    """A step's line, as a session writes it."""
    text = f"src/calc.py:{number}: found\n" * rng.randrange(1, 30)
    message = {"role": "assistant", "content": f"I look at part {number} of the module first."}
    return {
        "action": f"grep -n 'def part_{number}' -r src && sed -n {number},{number + 20}p src/calc.py",
        "kind": "Command",
        "reward": 0.1 if number % 7 == 3 else 0.0,
        "exit_code": 1 if number % 5 == 4 else 0,
        "terminated": False,
        "truncated": False,
        "ending": "",
        "started_at": START + number,
        "seconds": 0.02,
        "player": {"message": message, "usage": usage(rng), "seconds": 1.5, "model": "tiny"},
        "observation": {
            "text": text,
            "output": text,
            "exit_code": 0,
            "diff": PATCH if number > 5 else "",
            "step": number,
        },
        **more,
    }


def write_trajectory(
    folder: Path, record: AttemptRecord, steps: int, *, rng: random.Random, **more: Any
) -> TrajectoryWriter:
    header = {
        "instance_id": record.instance_id,
        "attempt": record.attempt,
        "solver": record.solver,
        "started_at": record.started_at,
    }
    writer = TrajectoryWriter(folder / TRAJECTORY, header)
    writer.begin({"text": "Task: add(1, 2) is -1\n\nFix it.", "output": "", "diff": "", "step": 0})
    for number in range(1, steps + 1):
        if number == 4:
            writer.note({"retry": {"error": "rate limited", "status": 429, "wait": 2.0}})
            writer.note({"invalid_reply": {"text": "I would rather not.", "why": "no action in it", "number": 1}})
        writer.step(step(number, rng, **more))
    return writer


def record_of(instance: str, verdict: Verdict, rng: random.Random, **fields: Any) -> AttemptRecord:
    good = verdict is Verdict.RESOLVED
    steps = fields.pop("steps", 30)
    calls = usage(rng)
    tests = {f"tests/test_calc.py::test_part[{number}]": Outcome.PASSED for number in range(12)}
    values: dict[str, Any] = {
        "instance_id": instance,
        "solver": "openai:tiny",
        "sandbox": "bubblewrap",
        "run_id": "made",
        "verdict": verdict,
        "reward": None if verdict is Verdict.INFRA_ERROR else float(good),
        "patch": "" if verdict is Verdict.TIMEOUT else PATCH,
        "fail_to_pass": {"tests/test_calc.py::test_add": Outcome.PASSED if good else Outcome.FAILED},
        "pass_to_pass": tests,
        "reasons": () if good else ("FAIL_TO_PASS: tests/test_calc.py::test_add failed",),
        "stages": {"checkout": 0.4, "sandbox": 0.1, "solve": rng.uniform(4, 60), "grade": rng.uniform(1, 9)},
        "started_at": START + rng.randrange(10_000),
        "environment": "Python 3.11, built",
        "extra": {"usage": {**calls, "requests": steps}, "steps": steps, "ending": "submit"},
    }
    return AttemptRecord(**{**values, **fields})


def keep(root: Path, record: AttemptRecord, *, steps: int = 12, log: bytes = LOG, seed: int = 0, **more: Any) -> Path:
    """An attempt that has ended, in the folder of a run; returns its own folder."""
    store = ResultStore(root=root)
    write_trajectory(store.folder(record.key), record, steps, rng=random.Random(seed), **more)
    return store.write(record, Grade(verdict=record.verdict, log=log))


def make_run(
    root: Path, count: int, *, steps: int = 12, seed: int = 1, weights: tuple[int, ...] = (5, 4, 1, 1, 1), **fields: Any
) -> Path:
    """A run of ``count`` attempts."""
    rng = random.Random(seed)
    for number in range(count):
        verdict = rng.choices(VERDICTS, weights)[0]
        record = record_of(f"calc__calc-{number + 1}", verdict, rng, steps=steps, **fields)
        keep(root, record, steps=steps, seed=number)
    return root


def show(folder: Path) -> Path:
    """The page of what lies in ``folder``."""
    return write_pages(folder)[0]
