"""Many attempts: several at each task, at the same time, in workers, and continued after a cut."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.limits import control_groups


Write = Callable[..., Path]
Records = Callable[..., dict[str, dict[str, Any]]]


def test_attempts_give_pass_at_k(project: pytest.Pytester, rows: Write, records: Records) -> None:
    rows("calc-1")
    project.makeconftest(
        """
        def pytest_swegym_attempt_started(item, task, attempt):
            item.config.number = attempt
        def pytest_swegym_solve(item, task, workspace):
            if item.config.number == 1:
                workspace.write("calc.py", workspace.read("calc.py").replace("a - b", "a + b"))
            return ""
        """
    )
    result = project.runpytest(
        "--swegym-tasks=rows.jsonl", "--swegym-attempts=2", "--swegym-seed=5", "--swegym-output=out"
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["resolved 1/2 (50.0%)*", "pass@1 0.500, pass@2 1.000"])
    assert {name: found["seed"] for name, found in records().items()} == {"calc-1": 5, "calc-1.1": 6}
    assert len((project.path / "out" / "predictions.jsonl").read_text().splitlines()) == 1


def test_where_memory_is_short_64_jobs_wait_for_each_other_and_say_so(
    project: pytest.Pytester, rows: Write, records: Records
) -> None:
    enforcer = control_groups()
    if enforcer is None:
        pytest.skip("no control group can be made here")
    rows("calc-1", "calc-2")
    group = enforcer.create(f"swegym-small-{os.getpid()}", SandboxLimits(memory_mb=450))
    try:
        files = [str(folder / "cgroup.procs") for folder in group.folders]
        joining = 'while [ "$1" != -- ]; do echo 0 > "$1"; shift; done; shift; exec "$@"'
        given = ("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-jobs=64", "--swegym-output=out")
        pytest_run = (sys.executable, "-m", "pytest", *given)
        result = project.run("sh", "-c", joining, "sh", *files, "--", *pytest_run)
        assert group.oom_kills() == 0
    finally:
        group.remove()
    result.assert_outcomes(passed=2)
    waited = [line for line in result.outlines if "memory is short" in line]
    assert len(waited) >= 1
    assert "no attempt begins for now" in waited[0]
    assert {found["verdict"] for found in records().values()} == {"resolved"}


def test_jobs_run_at_the_same_time_and_keep_their_output_apart(
    project: pytest.Pytester, rows: Write, records: Records
) -> None:
    rows("calc-1", "calc-2", "calc-3")
    # Each solve waits for all three: only attempts at the same time get past the barrier.
    (project.path / "together.py").write_text(
        "import threading\nbarrier = threading.Barrier(3, timeout=60)\n"
        "def solve(task, workspace):\n    barrier.wait()\n    print('hello from', task.instance_id)\n    return ''\n"
    )
    result = project.runpytest(
        "--swegym-tasks=rows.jsonl", "--swegym-solver=together.py:solve", "--swegym-jobs=3", "--swegym-output=out"
    )
    result.assert_outcomes(failed=3)
    text = result.stdout.str()
    for number in (1, 2, 3):
        assert f"hello from calc-{number}" in text[text.index(f"_ task calc-{number} _") :].split("\n_____")[0]
    assert {found["verdict"] for found in records().values()} == {"invalid_patch"}


def test_jobs_report_as_without(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1", "calc-2")
    rows("bad-1", name="bad.jsonl", repo="./nowhere")
    project.makeconftest(
        """
        def pytest_swegym_solve(item, task, workspace):
            if task.instance_id == "calc-2":
                raise KeyError("a bug of the solver")
            workspace.write("calc.py", workspace.read("calc.py").replace("a - b", "a + b"))
            return ""
        """
    )
    for jobs in (1, 2):
        result = project.runpytest("--swegym-tasks=rows.jsonl,bad.jsonl", f"--swegym-jobs={jobs}")
        result.assert_outcomes(passed=1, errors=2)
        result.stdout.fnmatch_lines(["E*KeyError: 'a bug of the solver'", "resolved 1/2 (50.0%)*"])


def test_jobs_start_nothing_after_the_first_failure(project: pytest.Pytester, rows: Write, records: Records) -> None:
    rows(*(f"calc-{number}" for number in range(8)))
    result = project.runpytest(
        "--swegym-tasks=rows.jsonl", "--swegym-solver=solvers.py:wrong", "--swegym-jobs=2", "-x", "--swegym-output=out"
    )
    result.assert_outcomes(failed=1)
    assert 1 <= len(records()) < 8


@pytest.mark.parametrize("extra", [(), ("--swegym-jobs=2",)], ids=["workers", "workers and jobs"])
def test_xdist_gathers_the_workers_attempts(
    project: pytest.Pytester, rows: Write, records: Records, extra: tuple[str, ...]
) -> None:
    rows("calc-1", "calc-2", "calc-3")
    result = project.runpytest_subprocess(
        "--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "-n2", "--swegym-output=out", *extra
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["resolved 3/3 (100.0%), mean reward 1.000", f"records: {project.path / 'out'}"])
    assert len({found["run_id"] for found in records().values()}) == 1
    assert len((project.path / "out" / "predictions.jsonl").read_text().splitlines()) == 3


def test_xdist_without_output_option_uses_one_folder(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1", "calc-2")
    project.runpytest_subprocess("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "-n2").assert_outcomes(passed=2)
    folders = [path for path in (project.path / "swegym-results").iterdir() if not path.is_symlink()]
    assert len(folders) == 1
    assert json.loads((folders[0] / "summary.json").read_text())["resolved"] == 2


def test_resume_runs_only_what_is_missing_or_changed(project: pytest.Pytester, rows: Write, records: Records) -> None:
    rows("calc-1", "calc-2")
    (project.path / "counted.py").write_text(
        "def solve(task, workspace):\n"
        "    with open('solved.txt', 'a') as file:\n        print(task.instance_id, file=file)\n"
        "    if task.instance_id == 'calc-2':\n        return ''\n"
        "    workspace.write('calc.py', workspace.read('calc.py').replace('a - b', 'a + b'))\n"
    )
    options = ("--swegym-tasks=rows.jsonl", "--swegym-solver=counted.py:solve", "--swegym-output=out")
    solved = project.path / "solved.txt"
    project.runpytest(*options, "-k", "calc-1").assert_outcomes(passed=1)
    result = project.runpytest(*options, "--swegym-resume")
    result.assert_outcomes(passed=1, failed=1)
    assert solved.read_text().split() == ["calc-1", "calc-2"]
    for extra in ((), ("--swegym-jobs=2",)):
        result = project.runpytest(*options, "--swegym-resume", *extra)
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["*swegym tests*", "resolved 1/2 (50.0%)*", "kept from an earlier run: 2"])
        assert solved.read_text().split() == ["calc-1", "calc-2"]
    rows("calc-1", "calc-2", problem_statement="told otherwise")
    project.runpytest(*options, "--swegym-resume").assert_outcomes(passed=1, failed=1)
    assert solved.read_text().split() == ["calc-1", "calc-2"] * 2


def test_resume_tries_infra_errors_and_damaged_records_again(
    project: pytest.Pytester, rows: Write, records: Records
) -> None:
    rows("calc-1", "calc-2")
    options = ("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-output=out", "--swegym-resume")
    repo = project.path / "calc_repo"
    repo.rename(project.path / "away")
    project.runpytest(*options).assert_outcomes(errors=2)
    (project.path / "away").rename(repo)
    project.runpytest(*options).assert_outcomes(passed=2)
    (project.path / "out" / "attempts" / "calc-1" / "record.json").write_text('{"format": "cut of')
    result = project.runpytest(*options)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["swegym: *record.json: damaged record: *; the attempt is made again"])
    assert records()["calc-1"]["verdict"] == "resolved"


def test_resume_needs_a_folder(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1")
    kept = project.path / "killed" / "attempts" / "calc-1" / "replies.jsonl"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}\n")
    result = project.runpytest("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-output=killed")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--swegym-output=*killed holds a run; add --swegym-resume to continue*"])
    assert kept.read_text() == "{}\n"
    result = project.runpytest("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-resume")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--swegym-resume*--swegym-output=DIR*"])


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_cut_run_keeps_what_was_finished(
    project: pytest.Pytester, rows: Write, records: Records, jobs: int, sent: signal.Signals
) -> None:
    rows("calc-1", "calc-2", "calc-3")
    (project.path / "hang.py").write_text(
        "import time\ndef solve(task, workspace):\n    if task.instance_id == 'calc-1':\n        return ''\n"
        "    open(task.instance_id, 'w').close()\n    workspace.run('sleep 600')\n"
    )
    options = ["--swegym-tasks=rows.jsonl", "--swegym-solver=hang.py:solve", "--swegym-output=out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, f"--swegym-jobs={jobs}"],
        cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not ((project.path / "calc-2").exists() and records()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(sent)
    output, _ = process.communicate(timeout=60)
    assert list(records()) == ["calc-1"], output
    if sent is signal.SIGINT:
        assert process.returncode == pytest.ExitCode.INTERRUPTED
        assert "records: " in output
        assert "attempts not made: 2 (--swegym-resume makes them)" in output
        assert json.loads((project.path / "out" / "summary.json").read_text())["attempts"] == 1
    else:
        result = project.runpytest(*options[:1], "--swegym-solver=gold", "--swegym-output=again", "-k", "calc-1")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["swegym: left by a dead run: *"])


@pytest.mark.parametrize(("rate", "status"), [("0.5", 1), ("0.4", 1), ("1", 1)])
def test_fail_under_keeps_failures(project: pytest.Pytester, rows: Write, rate: str, status: int) -> None:
    rows("calc-1")
    result = project.runpytest(
        "--swegym-tasks=rows.jsonl", "--swegym-solver=solvers.py:wrong", f"--swegym-fail-under={rate}"
    )
    assert result.ret == status
    result.stdout.fnmatch_lines([f"swegym: 0.0% resolved, below --swegym-fail-under={rate}"])


@pytest.mark.parametrize("extra", [(), ("-n2",)], ids=["one process", "workers"])
def test_fail_under_fails_a_run_whose_tests_pass(project: pytest.Pytester, rows: Write, extra: tuple[str, ...]) -> None:
    rows("calc-1", "calc-2")
    project.makepyfile(test_lenient="def test_any(swegym_result): assert swegym_result.reward is not None")
    project.makeconftest(
        """
        def pytest_swegym_solve(item, task, workspace):
            if task.instance_id == "calc-1":
                workspace.write("calc.py", workspace.read("calc.py").replace("a - b", "a + b"))
            return ""
        """
    )
    for rate, status in (("0.5", 0), ("0.6", 1)):
        result = project.runpytest_subprocess(
            "test_lenient.py", "--swegym-tasks=rows.jsonl", f"--swegym-fail-under={rate}", *extra
        )
        result.assert_outcomes(passed=2)
        assert result.ret == status
