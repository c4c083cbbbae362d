"""Bad input: one clear error, the way out in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--swegym-solver=nobody", "*unknown solver 'nobody'; choose from: gold, empty, predictions:FILE, *"),
        ("--swegym-solver=nowhere:solve", "*--swegym-solver: *could not import 'nowhere'*"),
        ("--swegym-solver=solvers.py:nothing", "*has no 'nothing'; it has: *crash*"),
        ("--swegym-solver=predictions:none.jsonl", "*predictions *none.jsonl* cannot be read*"),
        ("--swegym-sandbox=mars", "*no sandbox is called 'mars'; choose one of auto, bubblewrap, docker*"),
        (
            "--swegym-reward=much",
            "*'much' is not known; choose from: resolved, fraction, weighted, delta or module:attr*",
        ),
        ("--swegym-attempts=0", "*expected a whole number of at least 1 (got '0')*"),
        ("--swegym-jobs=many", "*expected a whole number of at least 1 (got 'many')*"),
        ("--swegym-fail-under=60", "*expected a rate between 0 and 1 (got '60')*"),
        ("--swegym-timeout=nan", "*expected seconds above 0 (got 'nan')*"),
        ("--swegym-tasks=none.jsonl", "*--swegym-tasks=none.jsonl: no such file: *"),
    ],
)
def test_wrong_option(project: pytest.Pytester, rows: Write, option: str, message: str) -> None:
    rows("calc-1")
    result = project.runpytest("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_wrong_environment_and_ini(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    project.makepyfile("def test_x(): pass")
    monkeypatch.setenv("SWEGYM_SEED", "first")
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: environment variable SWEGYM_SEED: expected a whole number*"])
    monkeypatch.delenv("SWEGYM_SEED")
    project.makeini("[pytest]\nswegym_reward = much\n")
    result = project.runpytest()
    result.stderr.fnmatch_lines(["ERROR: ini value swegym_reward: 'much' is not known; choose from*"])


ROW = '{"instance_id": "a", "repo": "x", "fail_to_pass": ["t"]}\n'


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rows.jsonl", ROW + "{oops\n", "*rows.jsonl:2: not valid JSON: *"),
        ("rows.jsonl", '\n{"instance_id": "a"}\n', "*rows.jsonl:2: repo: is required*"),
        ("rows.jsonl", "[1]\n", "*rows.jsonl:1: expected a task, a table of fields; got list*"),
        ("rows.jsonl", "\n", "*rows.jsonl: holds no task*"),
        ("rows.json", '[{"instance_id": "a",\n  "repo": }]', "*rows.json:2: not valid JSON: *"),
        ("rows.json", '[{"instance_id": "a", "repo": "x"}]', "*rows.json: row 1: fail_to_pass: names no test*"),
        ("rows.toml", 'instance_id = "a"\nrepo = \n', "*rows.toml: not valid TOML: *line 2*"),
        ("rows.toml", 'instance_id = "a"\nrepo = "x"\nfail_to_pas = ["t"]\n', "*fail_to_pas: unknown field; did you*"),
        ("rows.jsonl", ROW * 2, "*rows.jsonl:2: instance_id: 'a' is already the task of *rows.jsonl:1*"),
        ("rows.jsonl", ROW.replace('"a"', '"../a"'), "*rows.jsonl:1: instance_id: '../a' may hold only*"),
    ],
)
def test_malformed_task_file(project: pytest.Pytester, name: str, text: str, message: str) -> None:
    (project.path / name).write_text(text)
    result = project.runpytest(f"--swegym-tasks={name}", "--swegym-solver=gold")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    ("mark", "test", "message"),
    [
        ("repo='x'", "def test_a(swegym_result): pass", "test_it.py:2 (test_a): fail_to_pass: names no test*"),
        ("fail_to_pass=['t']", "def test_a(swegym_result): pass", "test_it.py:2 (test_a): repo: is required"),
        ("'x'", "def test_a(swegym_result): pass", "*pytest.mark.swegym takes keywords only (got 'x')"),
        ("repo='x', fail_to_pass=['t']", "def test_a(): pass", "*is marked swegym but takes no swegym fixture*"),
        ("tasks='none.jsonl'", "def test_a(swegym_result): pass", "*none.jsonl: cannot be read: No such file*"),
        ("tasks='x.jsonl', repo='x'", "def test_a(swegym_result): pass", "*tasks: says it all*; leave out repo"),
        ("tasks=3", "def test_a(swegym_result): pass", "*tasks: must be a path (got 3)"),
    ],
)  # fmt: skip
def test_malformed_mark(project: pytest.Pytester, mark: str, test: str, message: str) -> None:
    (project.path / "test_it.py").write_text(f"import pytest\n@pytest.mark.swegym({mark})\n{test}\n")
    result = project.runpytest("--swegym-solver=gold")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize("extra", [(), ("-n1",)], ids=["one process", "workers"])
def test_one_id_for_two_tasks(project: pytest.Pytester, rows: Write, extra: tuple[str, ...]) -> None:
    rows("calc-1")
    rows("calc-1", name="more.jsonl")
    result = project.runpytest_subprocess("--swegym-tasks=rows.jsonl,more.jsonl", "--swegym-solver=gold", *extra)
    assert result.ret != 0
    text = result.stdout.str() + result.stderr.str()
    assert "instance_id 'calc-1' is used twice, by rows.jsonl::calc-1 and by more.jsonl::calc-1" in text


def test_help_works_on_a_broken_configuration(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nswegym_solver = nobody\n")
    result = project.runpytest("--help")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["software-engineering tasks:", "*--swegym-solver=NAME*", "*swegym_solver (string)*"])
    names = ("solver", "sandbox", "tasks", "mirror", "output", "resume", "attempts", "jobs", "timeout", "reward")
    for name in (*names, "fail-under", "seed", "protect", "offline"):
        result.stdout.fnmatch_lines([f"*--swegym-{name}*"])


def test_turned_off(project: pytest.Pytester) -> None:
    project.makepyfile("def test_x(): pass")
    project.runpytest_subprocess("-p", "no:swegym").assert_outcomes(passed=1)
    result = project.runpytest_subprocess("-p", "no:swegym", "--swegym-solver=gold")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_ordinary_suite_sees_and_imports_nothing(project: pytest.Pytester) -> None:
    project.makepyfile("def test_x(): pass")
    heavy = ("docker", "datasets", "openai", "git", "gymnasium", "rich", "requests", "filelock", "junitparser")
    ours = ("lab", "episode", "sandbox", "sources", "solvers", "grading", "results", "runs", "task")
    names = [*heavy, *(f"pytest_swegym.{name}" for name in ours)]
    script = (
        "import sys, pytest\n"
        "status = pytest.main(sys.argv[1:])\n"
        f"print('loaded:', [name for name in {names!r} if name in sys.modules])\n"
    )
    for arguments in (["--help"], ["-p", "no:cacheprovider"]):
        result = subprocess.run(
            [sys.executable, "-c", script, *arguments], cwd=project.path, capture_output=True, text=True
        )
        assert "loaded: []" in result.stdout, result.stdout
    assert "swegym:" not in result.stdout
    assert "= swegym =" not in result.stdout


def test_fixtures_say_their_place_in_a_line(project: pytest.Pytester) -> None:
    result = project.runpytest("--fixtures")
    for stage in ("task", "checkout", "sandbox", "workspace", "patch", "grade", "reward", "result"):
        result.stdout.fnmatch_lines([f"swegym_{stage} -- *"])
    result = project.runpytest("--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.swegym(*"])
