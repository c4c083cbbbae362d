"""``command:RECIPE`` from the command line: the run's sandboxes get what the recipe needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_model import FakeModel


RUN = """
exec "$SWEGYM_PYTHON" -I - <<'END'
import json, os, subprocess, urllib.request
body = json.dumps({"messages": [{"role": "user", "content": os.environ["SWEGYM_PROBLEM_STATEMENT"]}]}).encode()
answer = json.load(urllib.request.urlopen(os.environ["SWEGYM_BASE_URL"] + "/chat/completions", body))
subprocess.run(answer["choices"][0]["message"]["content"], shell=True)
END
"""


def test_a_recipe_of_ones_own(
    project: pytest.Pytester, rows: Callable[..., Path], records: Callable[..., dict[str, dict[str, Any]]]
) -> None:
    rows("calc-1")
    folder = project.mkdir("one_shot")
    for name, text in {"config.yaml": "tools: {}", "recipe.toml": "", "run.sh": RUN}.items():
        (folder / name).write_text(text)
    args = ["--swegym-tasks=rows.jsonl", "--swegym-solver=command:./one_shot", "--swegym-output=out"]
    with FakeModel(["sed -i 's/a - b/a + b/' calc.py"]) as model:
        result = project.runpytest_inprocess(*args, *(f"--swegym-agent={word}" for word in model.words()))
    result.assert_outcomes(passed=1)
    record = records()["calc-1"]
    assert record["verdict"] == "resolved"
    assert record["extra"]["agent"] == {"recipe": "one_shot", "version": ""}
    assert (project.path / "out" / "attempts" / "calc-1" / "trajectory.jsonl").is_file()


def test_nearly_a_recipes_name(project: pytest.Pytester, rows: Callable[..., Path]) -> None:
    rows("calc-1")
    result = project.runpytest_inprocess("--swegym-tasks=rows.jsonl", "--swegym-solver=command:mini-sweagent")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*did you mean the recipe 'mini-swe-agent'?*"])
