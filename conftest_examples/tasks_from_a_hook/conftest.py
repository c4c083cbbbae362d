"""Tasks from a table of our own: --swegym-tasks=shop:NAME reads bugs.csv."""

from __future__ import annotations

import csv
from pathlib import Path

from pytest_swegym import Task


HERE = Path(__file__).parent
TEST = """
import unittest

import shop


class Test(unittest.TestCase):
    def test(self):
        assert {check}
"""


def pytest_swegym_collect_tasks(config, source):
    if not source.startswith("shop:"):
        return None
    rows = csv.DictReader((HERE / "bugs.csv").read_text().splitlines())
    return [make_task(row) for row in rows if source in ("shop:all", f"shop:{row['function']}")]


def make_task(row):
    test = TEST.format(check=row["check"])
    return Task.from_dict(
        {
            "instance_id": f"shop-{row['function']}",
            "repo": str(HERE.parent / "shop"),
            "runner": "unittest",
            "problem_statement": row["problem"],
            "test_files": {"tests/test_hidden.py": test},
            "fail_to_pass": ["tests.test_hidden.Test.test"],
        },
        where=str(HERE / "bugs.csv"),
    )
