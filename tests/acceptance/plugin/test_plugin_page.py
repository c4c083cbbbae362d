"""The page that a run leaves beside its records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


Write = Callable[..., Path]


def shown(folder: Path) -> dict[str, str]:
    """The verdict of each attempt on the page."""
    text = (folder / "index.html").read_text()
    data: Any = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])  # type: ignore[index]
    return {row["key"]: row["verdict"] for row in data["rows"]}


@pytest.mark.parametrize("extra", [("-n2",), ("--swegym-jobs=2",)], ids=["workers", "jobs"])
def test_a_run_leaves_its_page(project: pytest.Pytester, rows: Write, extra: tuple[str, ...]) -> None:
    rows("calc-1", "calc-2")
    project.makeconftest(
        """
        def pytest_swegym_solve(item, task, workspace):
            out = item.config.rootpath / "out"
            assert (out / "index.html").is_file()
            if task.instance_id == "calc-1":
                workspace.write("calc.py", workspace.read("calc.py").replace("a - b", "a + b"))
            return ""
        """
    )
    result = project.runpytest_subprocess("--swegym-tasks=rows.jsonl", "--swegym-output=out", *extra)
    result.assert_outcomes(passed=1, failed=1)
    out = project.path / "out"
    result.stdout.fnmatch_lines([f"page: {out / 'index.html'}, or: swegym view {out}"])
    assert shown(out) == {"calc-1": "resolved", "calc-2": "invalid_patch"}
    for key in ("calc-1", "calc-2"):
        assert (out / "attempts" / key / "view.js").read_text().startswith("swegymAttempt({")


def test_an_ordinary_suite_leaves_none(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest("--swegym-output=out").assert_outcomes(passed=1)
    assert not list(pytester.path.rglob("index.html"))
