"""Tiny tasks whose right verdict is known for every attempt, and the solver that makes those answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


#: What each role of the solver must come to. Attempt N at a task of a family plays role N, round and round.
FAMILIES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "sum": (
        ("right", ("resolved",)),
        ("typed", ("resolved",)),
        ("slow", ("resolved",)),
        ("wrong", ("unresolved",)),
        ("same", ("resolved",)),
        ("empty", ("invalid_patch",)),
        ("raises", ("solver_error",)),
    ),
    "unit": (
        ("right", ("resolved",)),
        ("tampers", ("tampered",)),
        ("typed", ("resolved",)),
        ("wrong", ("unresolved",)),
        ("empty", ("invalid_patch",)),
    ),
    "hang": (("hangs", ("unresolved",)),),
    "sleepy": (("sleeps", ("timeout",)),),
    "hungry": (("eats", ("unresolved",)),),
    "bomb": (("forks", ("unresolved", "timeout")),),
    "suicide": (("kills", ("unresolved",)),),
}
_LIMITS: dict[str, dict[str, Any]] = {
    "hang": {"timeout": 1.5},
    "sleepy": {"solve_timeout": 1.5},
    "hungry": {"memory_mb": 96},
    "bomb": {"pids": 64, "timeout": 2.0},
}
_UNIT = """import unittest
import calc


class T(unittest.TestCase):
    def test_add(self):
        self.assertEqual(calc.add(1, 2), {wanted})
"""
_SOLVER = '''"""Plays the role of the attempt; see soaking/course.py."""

ROLES = {roles!r}
LEG = {leg}
ANSWERS = {{
    "wrong": "echo 1",
    "hangs": "sleep 1000",
    "eats": "head -c 400m /dev/zero | tail -c 390m | wc -c",
    "forks": "b() {{ b | b & }}; b; sleep 5",
    "kills": "kill -9 -1",
}}
CHEAT = "import unittest\\n\\nunittest.TestCase.assertEqual = lambda *a: None\\n"


def solve(task, workspace):
    family, number = task.instance_id.split("-")[0], workspace.occasion.number
    role = ROLES[family][number % len(ROLES[family])]
    if role == "raises":
        raise RuntimeError("this solver cannot do it")
    if role == "sleeps":
        workspace.run("sleep 1000")
    if role == "empty":
        return
    mark = "" if role == "same" else f" # {{number}}"
    if family == "unit":
        body = CHEAT * (role == "tampers") + "def add(a, b):\\n    return a" + " - b" * (role in ("wrong", "tampers"))
        body += f" + b + {{LEG}}" * (role in ("right", "typed"))
        place(workspace, role, "calc.py", body + mark + "\\n")
        return
    answer = ANSWERS.get(role) or f"read a b; echo $((a + b + {{LEG}}))"
    place(workspace, role, "answer.sh", ("sleep 0.4\\n" if role == "slow" else "") + answer + mark + "\\n")


def place(workspace, role, path, text):
    if role == "typed":  # by a command, whose failure this solver does not look at
        workspace.run(f"cat > {{path}} <<'END'\\n{{text}}END")
    else:
        workspace.write(path, text)
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The tasks of one leg in ``folder``, and what every attempt at them must come to."""

    folder: Path
    expected: dict[str, tuple[str, ...]]
    attempts: int

    def __iter__(self) -> Iterator[str]:
        return iter(self.expected)


def write_course(folder: Path, *, leg: int, families: list[str], attempts: int) -> Course:
    """One task for each of ``families``; no two legs have the same answers, so that no grade of another is kept."""
    repository = folder.parent / "repository"
    if not repository.is_dir():
        repository.mkdir(parents=True)
        (repository / "answer.sh").write_text("echo nothing\n")
        (repository / "calc.py").write_text("def add(a, b):\n    return a - b - 7\n")
    folder.mkdir(parents=True)
    names = [f"{family}-{number}" for number, family in enumerate(families)]
    rows = [_task(name, repository, leg) for name in names]
    (folder / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    roles = {family: [role for role, _ in parts] for family, parts in FAMILIES.items()}
    (folder / "solver.py").write_text(_SOLVER.format(roles=roles, leg=leg))
    expected = {}
    for name in names:
        parts = FAMILIES[name.split("-")[0]]
        for number in range(attempts):
            expected[f"{name}.{number}" if number else name] = parts[number % len(parts)][1]
    return Course(folder=folder, expected=expected, attempts=attempts)


def _task(name: str, repository: Path, leg: int) -> dict[str, Any]:
    family = name.split("-")[0]
    task: dict[str, Any] = {
        "instance_id": name,
        "repo": str(repository),
        "problem_statement": "add",
        "timeout": 30,
        "solve_timeout": 30,
        **_LIMITS.get(family, {}),
    }
    if family == "unit":
        tests = {"test_calc.py": _UNIT.format(wanted=3 + leg)}
        return {**task, "runner": "unittest", "test_files": tests, "fail_to_pass": ["test_calc.T.test_add"]}
    check = {"name": "adds", "run": "sh answer.sh", "stdin": "3 4\n", "stdout": str(7 + leg)}
    return {**task, "checks": [check]}
