"""Rows of published data sets run as they are: from their repository, in the environment of a map."""

from __future__ import annotations

import fnmatch
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


Git = Callable[..., str]
DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "swebench"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TEST_PATCH = """diff --git a/tests/test_calc.py b/tests/test_calc.py
--- a/tests/test_calc.py
+++ b/tests/test_calc.py
@@ -5,3 +5,6 @@
 class TestCalc(unittest.TestCase):
     def test_twice(self):
         self.assertEqual(calc.twice(3), 6)
+
+    def test_add(self):
+        self.assertEqual(calc.add(1, 2), 3)
"""
SCRIPT = f"""#!/bin/bash
set -uxo pipefail
source /opt/miniconda3/bin/activate
conda activate testbed
cd /testbed
export CALC_MODE=plain
git apply -v - <<'EOF_1'
{TEST_PATCH}
EOF_1
: '>>>>> Start Test Output'
python -m unittest -v tests/test_calc.py
: '>>>>> End Test Output'
"""


@pytest.fixture
def row(project: pytest.Pytester) -> Callable[..., dict[str, Any]]:
    """A row in the 5.x form, of a git repository on this machine whose gold patch is known."""
    repo = project.path / "calc_repo"

    def git(*argv: str) -> str:
        name = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(["git", *name, *argv], cwd=repo, capture_output=True, text=True, check=True).stdout

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "base")
    base = git("rev-parse", "HEAD").strip()
    source = (repo / "calc.py").read_text()
    (repo / "calc.py").write_text(source.replace("a - b", "a + b"))
    gold = git("diff")
    git("commit", "-qam", "fix")

    def make(name: str, **fields: Any) -> dict[str, Any]:
        return {
            "instance_id": name, "repo": str(repo), "base_commit": base, "patch": gold, "test_patch": TEST_PATCH,
            "problem_statement": "add subtracts", "version": "1.0", "created_at": "2024-01-01", "difficulty": "easy",
            "FAIL_TO_PASS": '["tests.test_calc.TestCalc.test_add"]',
            "PASS_TO_PASS": '["tests.test_calc.TestCalc.test_twice"]',
            "eval_script": SCRIPT, "image": "nowhere/absent:1", "log_parser": "parse_log_django", **fields,
        }  # fmt: skip

    return make


@pytest.fixture
def write(project: pytest.Pytester) -> Callable[..., str]:
    """Write rows, and a map that lets them run with this Python; returns both options."""

    def put(*rows: Any, name: str = "rows.jsonl") -> str:
        lines = [item if isinstance(item, str) else json.dumps(item) for item in rows]
        (project.path / name).write_text("".join(line + "\n" for line in lines))
        (project.path / "map.toml").write_text(f'["calc-*"]\npython = "{PYTHON}"\n')
        return f"--swegym-tasks={name}"

    return put


def ids(result: pytest.RunResult) -> list[str]:
    return [line.rpartition("::")[2] for line in result.outlines if "::" in line and " " not in line]


def test_a_row_is_solved_without_its_image(
    project: pytest.Pytester, row: Any, write: Any, records: Callable[..., dict[str, dict[str, Any]]]
) -> None:
    options = (write(row("calc-1")), "--swegym-environments=map.toml", "--swegym-output=out", "--swegym-solver=gold")
    result = project.runpytest(*options)
    result.assert_outcomes(passed=1)
    record = records()["calc-1"]
    assert record["resolved"] is True
    assert record["fail_to_pass"] == {"tests.test_calc.TestCalc.test_add": "passed"}
    result = project.runpytest(options[0], "--swegym-environments=map.toml", "--swegym-solver=empty")
    result.assert_outcomes(failed=1)


def test_a_solver_sees_no_bug_patch_and_no_state_before_it(project: pytest.Pytester, row: Any, write: Any) -> None:
    """SWE-smith: the repository is right, and a patch of the row makes the bug."""
    bug = "diff --git a/calc.py b/calc.py\n--- a/calc.py\n+++ b/calc.py\n@@ -1,5 +1,5 @@\n def add(a, b):\n"
    bug += "-    return a + b\n+    return a * b\n \n \n def twice(a):\n"
    fields = {key: value for key, value in row("calc-1").items() if key not in ("base_commit", "test_patch", "image")}
    files = {**fields, "image_name": "nowhere/absent:1", "patch": bug, "FAIL_TO_PASS": ["tests.test_sum.T.test_add"]}
    repo = project.path / "calc_repo"
    (repo / "tests" / "test_sum.py").write_text(
        "import unittest\nimport calc\n\n\nclass T(unittest.TestCase):\n"
        "    def test_add(self):\n        self.assertEqual(calc.add(1, 2), 3)\n"
    )
    subprocess.run(["git", "add", "-A"], cwd=repo, check=True)
    commit = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "tests"]
    subprocess.run(commit, cwd=repo, check=True)
    (project.path / "looks.py").write_text(
        "def solve(task, workspace):\n"
        "    assert 'a + b' not in repr(task)\n"
        "    assert 'a * b' in workspace.read('calc.py')\n"
        "    found = workspace.run('git status --short; git log --oneline --all | wc -l; git fsck --lost-found')\n"
        "    assert found.output.split() == ['1'], found.output\n"
        "    every = workspace.run('git cat-file --batch-check --batch-all-objects | grep blob | cut -d\" \" -f1'\n"
        "                          ' | xargs -n1 git cat-file -p')\n"
        "    assert 'return a * b' in every.output and 'return a + b' not in every.output\n"
        "    base = workspace.run('git --git-dir=/.swegym/base.git cat-file --batch-check --batch-all-objects'\n"
        "                         ' | grep blob | cut -d\" \" -f1 | xargs -n1 git --git-dir=/.swegym/base.git show')\n"
        "    assert 'return a + b' not in base.output\n"
        "    compiled = workspace.run('ls __pycache__/calc.*.pyc && cp __pycache__/calc.*.pyc /tmp/old.pyc &&'\n"
        "                             ' cd /tmp && python -c \"import old; print(old.add(3, 4))\"')\n"
        "    assert compiled.output.split()[1:] == ['12'], compiled.output\n"
        "    workspace.write('calc.py', workspace.read('calc.py').replace('a * b', 'a + b'))\n"
    )
    files["test_cmd"] = "python -m unittest"
    option = write({key: value for key, value in files.items() if key != "eval_script"})
    for solver in ("looks.py:solve", "gold"):
        result = project.runpytest(option, "--swegym-environments=map.toml", f"--swegym-solver={solver}")
        result.assert_outcomes(passed=1)


def test_rows_that_cannot_run_are_errors_with_the_reason(
    project: pytest.Pytester, row: Any, write: Any, records: Callable[..., dict[str, dict[str, Any]]]
) -> None:
    rows = (row("calc-1"), "{oops", row("calc-1"), row("other-1"), {**row("calc-2"), "FAIL_TO_PASS": "[]"})
    option = write(*rows[:4], {**rows[4], "PASS_TO_PASS": "[]"})
    result = project.runpytest(option, "--swegym-environments=map.toml", "--swegym-solver=gold", "--swegym-output=out")
    result.assert_outcomes(passed=1, errors=4)
    result.stdout.fnmatch_lines_random(
        [
            "*infrastructure error: row-2: not valid JSON: *",
            "*infrastructure error: calc-1-duplicate-3: 'calc-1' is already the instance_id of *rows.jsonl:1; *",
            "*infrastructure error: other-1: its image cannot be used *--swegym-environments=FILE*",
            "*infrastructure error: calc-2: fail_to_pass: names no test *",
            "resolved 1/1 (100.0%)*",
            "of these, tasks that cannot run here: 4 (calc-1-duplicate-3, calc-2, other-1, row-2)",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    found = records()
    assert [name for name, record in found.items() if record["unrunnable"]] == sorted(set(found) - {"calc-1"})
    assert json.loads((project.path / "out" / "summary.json").read_text())["unrunnable"][-1] == "row-2"


def test_rows_are_selected_alike_in_every_process(project: pytest.Pytester, row: Any, write: Any) -> None:
    option = write(*(row(f"calc-{number}", difficulty="hard" if number % 2 else "easy") for number in range(10)))
    options = (option, "--swegym-filter=difficulty=hard", "--swegym-shuffle=3", "--swegym-limit=2")
    collected = ids(project.runpytest("--collect-only", "-q", *options))
    assert len(collected) == 2
    assert collected != ["calc-1", "calc-3"]
    solver = ("--swegym-solver=gold", "--swegym-environments=map.toml")
    result = project.runpytest_subprocess(*options, *solver, "-n2", "-v")
    result.assert_outcomes(passed=2)
    assert all(name in result.stdout.str() for name in collected)


def test_a_folder_and_a_function_over_it(project: pytest.Pytester, row: Any, write: Any) -> None:
    project.mkdir("set")
    write(row("calc-1"), name="set/a.jsonl")
    write(row("calc-2"), "{oops", name="set/b.jsonl")
    result = project.runpytest("--collect-only", "-q", "--swegym-tasks=set")
    assert ids(result) == ["calc-1", "calc-2", "row-2"]
    project.makepyfile("def test_task(swegym_result): pass")
    result = project.runpytest("--collect-only", "-q", "--swegym-tasks=set", "--swegym-filter=calc-*", ".")
    assert ids(result) == ["test_task[calc-1]", "test_task[calc-2]"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--swegym-tasks=lit",),
            "*--swegym-tasks=lit: not a file, and no *hook knows it; did you mean 'lite'? known: *",
        ),
        (("--swegym-tasks=rows.jsonl", "--swegym-filter=zzz*"), "*rows.jsonl: none of its 1 rows matches *'zzz[*]'*"),
        (("--swegym-tasks=rows.jsonl", "--swegym-filter=a==b"), "*--swegym-filter: 'a==b' is no filter; *"),
        (
            ("--swegym-tasks=rows.jsonl", "--swegym-environments=no.toml"),
            "*--swegym-environments: *no.toml: cannot be*",
        ),
        (("--swegym-filter=x",), "*--swegym-filter chooses from the rows of --swegym-tasks: give it as well"),
        (("--swegym-share=.",), "*--swegym-share is for the cluster of --swegym-executor=ray: give it as well"),
        (("--swegym-tasks=rows.jsonl", "--swegym-limit=0"), "*--swegym-limit: expected a whole number of at least 1*"),
        (("--swegym-tasks=rows.parquet",), "*--swegym-tasks=rows.parquet: no such file: *"),
    ],
)
def test_wrong_choices_are_told(
    project: pytest.Pytester, row: Any, write: Any, options: tuple[str, ...], message: str
) -> None:
    write(row("calc-1"))
    result = project.runpytest(*options, "--collect-only")
    assert result.ret != 0
    assert fnmatch.filter([*result.outlines, *result.errlines], message)
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_offline_fails_fast_and_says_how_to_cache(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(project.path / "hf"))
    result = project.runpytest_subprocess("--swegym-tasks=lite", "--swegym-offline", "--collect-only", "-Werror")
    result.stdout.fnmatch_lines(
        ["*SWE-bench/SWE-bench_Lite: not in the cache, and offline is set; *pytest --collect-only --swegym-tasks=*"]
    )
    assert "Traceback" not in result.stdout.str()


@pytest.mark.skipif(not DATA.exists(), reason="no shared data")
def test_every_real_row_is_an_item(project: pytest.Pytester) -> None:
    sources = ",".join(str(path) for path in sorted(DATA.glob("lite_*.jsonl")))
    result = project.runpytest("--collect-only", "-q", f"--swegym-tasks={sources}")
    assert result.ret == 0
    assert len(ids(result)) == 323
    result = project.runpytest("--collect-only", "-q", f"--swegym-tasks={DATA / 'full_dev_sample.jsonl'}")
    assert len(ids(result)) == 36


def test_rows_of_ones_own_import_no_data_set_library(project: pytest.Pytester, rows: Any) -> None:
    rows("calc-1")
    project.makeconftest(
        "import sys\ndef pytest_sessionfinish():\n"
        "    assert not {'datasets', 'pyarrow', 'huggingface_hub'} & set(sys.modules)\n"
    )
    result = project.runpytest_subprocess("--collect-only", "-q", "--swegym-tasks=rows.jsonl")
    assert result.ret == 0
    project.makepyfile("def test_x(): pass")
    project.makeconftest(
        "import sys\ndef pytest_sessionfinish():\n    assert 'pytest_swegym.rows' not in sys.modules\n"
    )
    project.runpytest_subprocess("-q").assert_outcomes(passed=1)


def test_a_file_elsewhere_has_a_name_that_pytest_takes(
    project: pytest.Pytester, row: Any, write: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write(row("calc-1"), row("calc-2"))
    file = tmp_path_factory.mktemp("elsewhere") / "rows.jsonl"
    (project.path / "rows.jsonl").rename(file)
    result = project.runpytest(f"--swegym-tasks={file}", "--collect-only", "-q")
    result.stdout.fnmatch_lines([f"{file}::calc-1", f"{file}::calc-2"])
    again = project.runpytest(f"{file}::calc-2", "--collect-only", "-q")
    again.stdout.fnmatch_lines(["*rows.jsonl::calc-2"])
    again.stdout.no_fnmatch_line("*calc-1")


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_an_unknown_sandbox_is_wrong_use(
    project: pytest.Pytester, row: Any, write: Any, quiet: tuple[str, ...]
) -> None:
    name = "bublewrap"
    result = project.runpytest(*quiet, write(row("calc-1")), "--swegym-solver=gold", f"--swegym-sandbox={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--swegym-sandbox={name}: no sandbox is called*"])
