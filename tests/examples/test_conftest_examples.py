"""Every folder of conftest_examples does what its README says."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.registry import required


EXAMPLES = Path(__file__).resolve().parents[2] / "conftest_examples"
FOLDERS = sorted(path.parent.name for path in EXAMPLES.glob("*/*.md"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reason = make_backend("bubblewrap").available()
    if reason is not None:
        (pytest.fail if required("bubblewrap") else pytest.skip)(f"bubblewrap: {reason}")
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def examples(pytester: pytest.Pytester, cache: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A copy of all examples, as the current folder."""
    monkeypatch.setenv("SWEGYM_CACHE", str(cache))
    ignored = shutil.ignore_patterns("__pycache__", "swegym-results", ".pytest_cache")
    shutil.copytree(EXAMPLES, pytester.path, dirs_exist_ok=True, ignore=ignored)
    return pytester


def test_each_folder_is_described_and_tested() -> None:
    index = (EXAMPLES / "README.md").read_text()
    tests = Path(__file__).read_text()
    for folder in FOLDERS:
        assert f"| `{folder}` |" in index
        assert f"def test_{folder}" in tests


def test_solver_in_a_conftest(examples: pytest.Pytester) -> None:
    examples.runpytest_subprocess("solver_in_a_conftest").assert_outcomes(passed=1)
    result = examples.runpytest_subprocess("solver_in_a_conftest", "--swegym-solver=empty")
    result.assert_outcomes(failed=1)


def test_solver_per_folder(examples: pytest.Pytester) -> None:
    result = examples.runpytest_subprocess("solver_per_folder", "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["discount-careful: resolved, *", "discount-hasty: unresolved, *"])


def test_custom_reward(examples: pytest.Pytester) -> None:
    result = examples.runpytest_subprocess("custom_reward")
    result.stdout.fnmatch_lines(["resolved 1/1 (100.0%), mean reward 1.200"])


def test_step_logging(examples: pytest.Pytester) -> None:
    examples.runpytest_subprocess("step_logging", "--swegym-jobs=2", "--swegym-output=out").assert_outcomes(passed=1)
    events = [json.loads(line)["event"] for line in (examples.path / "steps.jsonl").read_text().splitlines()]
    assert events == ["started", "checkout", "sandbox", "solve", "grade", "finished"]
    (record,) = (examples.path / "out" / "attempts").glob("*/record.json")
    assert json.loads(record.read_text())["extra"]["patch_lines"] > 3


def test_own_logger(examples: pytest.Pytester) -> None:
    result = examples.runpytest_subprocess(
        "solver_in_a_conftest", "--swegym-attempts=2", "--swegym-output=out", "--swegym-log=own_logger/logger.py:Csv"
    )
    result.assert_outcomes(passed=2)
    lines = [line.split(",") for line in (examples.path / "out" / "numbers.csv").read_text().splitlines()]
    assert [line[0] for line in lines] == ["step", "1", "2", "all"]
    names = [line[1] for line in lines[1:3]]
    assert names == ["discount_lowers_the_total", "discount_lowers_the_total.1"]
    assert [line[4] for line in lines[1:]] == ["1.0", "1.0", "1.0"]


def test_custom_sandbox(examples: pytest.Pytester) -> None:
    result = examples.runpytest_subprocess("custom_sandbox", "--swegym-sandbox=audited")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["swegym: *sandbox=audited bubblewrap*", "*audited: * sandboxes were started*"])


def test_tasks_from_a_hook(examples: pytest.Pytester) -> None:
    options = ("tasks_from_a_hook", "--swegym-solver=tasks_from_a_hook/solver.py:solve", "-v")
    result = examples.runpytest_subprocess(*options, "--swegym-tasks=shop:all")
    result.assert_outcomes(passed=2)
    result = examples.runpytest_subprocess(*options, "--swegym-tasks=shop:total")
    result.stdout.fnmatch_lines(["shop:total::shop-total PASSED*"])


def test_ci_gate(examples: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of the workflow, as it is written, in the folder it is written for."""
    monkeypatch.chdir(examples.path / "ci_gate")
    workflow = yaml.safe_load((examples.path / "ci_gate" / "workflow.yml").read_text())
    steps = [shlex.split(step["run"]) for step in workflow["jobs"]["gate"]["steps"] if "run" in step]
    (command,) = (step[1:] for step in steps if step[0] == "pytest")
    result = examples.runpytest_subprocess(*command)
    result.stdout.fnmatch_lines(["resolved 2/4 (50.0%)*", "  lost 0, gained 0, same 2; no loss *"])
    assert "the task is not the same" not in result.stdout.str()
    assert result.ret == 0
    strict = [part.replace("0.5", "0.6").replace("=results", "=other") for part in command]
    assert examples.runpytest_subprocess(*strict).ret == 1
    # The solver gets worse: of two tasks, the lost one is no proof, but its two attempts may be held against an alpha.
    (examples.path / "ci_gate" / "solver.py").write_text("def solve(task, workspace):\n    return ''\n")
    worse = [part.replace("under=0.5", "under=0").replace("=results", "=worse") for part in command]
    result = examples.runpytest_subprocess(*worse, "--swegym-alpha=0.2")
    result.stdout.fnmatch_lines(["swegym: 1 lost, 0 gained against *: chance alone does not explain the loss*"])
    assert result.ret == 1


def test_workflow_of_the_docs_is_that_of_the_example() -> None:
    page = (EXAMPLES.parent / "docs" / "ci.md").read_text()
    shown = page.split("```yaml\n")[1].split("```")[0]
    assert shown == (EXAMPLES / "ci_gate" / "workflow.yml").read_text()


def test_written_solver(examples: pytest.Pytester) -> None:
    result = examples.runpytest_subprocess(
        "solver_in_a_conftest", "--swegym-solver=written_solver/solver.py:solve", "--swegym-output=out"
    )
    result.assert_outcomes(failed=1)  # it knows another bug, and makes no patch for this one
    (record,) = (examples.path / "out" / "attempts").glob("*/record.json")
    assert json.loads(record.read_text())["verdict"] == "invalid_patch"
