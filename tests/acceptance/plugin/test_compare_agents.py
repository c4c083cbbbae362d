"""Two model agents run, then compared, summed up and exported: from pytest to what others read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_model import SUBMIT
from fake_model import FakeModel
from fake_model import bash


KEY = "gateway-key-0815"
PRICES = {"price_input": 2, "price_output": 10}


def test_from_runs_to_a_comparison_and_exports(
    project: pytest.Pytester, rows: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODEL_KEY", KEY)
    rows("calc-1")
    run = ["--swegym-tasks=rows.jsonl", "--swegym-solver=openai:fake"]
    good, bad = [bash(f"echo {KEY}; sed -i 's/a - b/a + b/' calc.py"), SUBMIT], [bash("ls")]
    for name, replies, more in (("good", good, {}), ("bad", bad, {"max_requests": 1})):
        with FakeModel(replies, usage={"prompt_tokens": 1000, "completion_tokens": 100}) as fake:
            words = [f"--swegym-agent={word}" for word in fake.words(**PRICES, **more)]
            result = project.runpytest(*run, *words, f"--swegym-output={name}")
            result.stdout.fnmatch_lines(["model: * requests, *,000 tokens sent, * received, *"])
    summary = json.loads((project.path / "good" / "summary.json").read_text())
    assert summary["spent"]["cost_per_resolved"] == pytest.approx(2 * (1000 * 2 + 100 * 10) / 1e6)
    assert json.loads((project.path / "bad" / "summary.json").read_text())["failures"]["budget"]["details"] == {
        "requests": 1
    }

    told = project.run(sys.executable, "-m", "pytest_swegym", "compare", "good", "bad", "--alpha=0.01")
    assert told.ret == 0
    told.stdout.fnmatch_lines(
        ["lost: 1", "*calc-1*resolved -> *", "*cost per resolved instance  0.006  -", "*budget*0*1"]
    )

    for form in ("chat", "mini", "atif"):
        done = project.run(
            sys.executable, "-m", "pytest_swegym", "export", "good", f"--format={form}", f"--output={form}"
        )
        assert done.ret == 0
    messages = json.loads((project.path / "chat").read_text())["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert "function" in messages[0]["content"]
    mini = json.loads((project.path / "mini" / "calc-1.traj.json").read_text())
    assert mini["info"]["model_stats"] == {"instance_cost": pytest.approx(0.006), "api_calls": 2}
    assert "+    return a + b" in mini["info"]["submission"]
    atif = json.loads((project.path / "atif" / "calc-1.trajectory.json").read_text())
    assert atif["final_metrics"]["total_completion_tokens"] == 200
    assert atif["steps"][2]["observation"]["results"][0]["content"].startswith("[redacted: secret]")
    kept = [path for path in project.path.joinpath("good").rglob("*") if path.is_file()]
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []
