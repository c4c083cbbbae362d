"""Odd but honest repositories: the gold patch resolves, and nothing is called tampering."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


BUG = {"pkg/__init__.py": "def double(x):\n    return x\n"}
FIX = {"pkg/__init__.py": "def double(x):\n    return x + x\n"}
TESTS = {"tests/test_pkg.py": "from pkg import double\n\n\ndef test_zero():\n    assert double(0) == 0\n"}
HIDDEN = {"tests/test_pkg.py": TESTS["tests/test_pkg.py"] + "\n\ndef test_two():\n    assert double(2) == 4\n"}
LISTS = {"fail_to_pass": ["tests/test_pkg.py::test_two"], "pass_to_pass": ["tests/test_pkg.py::test_zero"]}
PLUGINS = [
    "pytest<9", "pytest-xdist", "pytest-randomly", "pytest-cov", "pytest-rerunfailures", "pytest-timeout",
    "pytest-asyncio", "pytest-mock", "pytest-subtests", "hypothesis",
]  # fmt: skip


def ini(text: str) -> dict[str, str]:
    return {"pytest.ini": f"[pytest]\n{text}\n"}


REPOSITORIES: dict[str, dict[str, str]] = {
    "xdist": ini("addopts = -n 2"),
    "first failure": ini("addopts = -x --maxfail=1 -p no:randomly"),
    "random order": ini("addopts = -p randomly"),
    "coverage with a floor": ini("addopts = --cov=pkg --cov-fail-under=100"),
    "reruns": ini("addopts = --reruns 1"),
    "strict": ini("addopts = --strict-markers --strict-config -W error\nfilterwarnings = error\nxfail_strict = true"),
    "doctests": {
        **ini("addopts = --doctest-modules --doctest-glob=*.rst"),
        "pkg/more.py": '"""\n>>> 1 + 1\n2\n"""\n',
        "tests/doc.rst": ">>> 1\n1\n",
    },
    "no cache, no xml": ini("addopts = -p no:cacheprovider -p no:junitxml -p no:randomly"),
    "importlib": ini("addopts = --import-mode=importlib"),
    "short and only unit": ini("addopts = --tb short -q -m 'not slow' -k 'not slow'\nmarkers = slow: slow"),
    "other names": ini("python_files = check_*.py\npython_functions = test_* check_*\nnorecursedirs = tests"),
    "timeouts and asyncio": ini("timeout = 60\nasyncio_mode = auto"),
    "outcomes reported by a conftest": {
        "conftest.py": (
            "import pytest\n\n\n@pytest.hookimpl(hookwrapper=True, tryfirst=True)\n"
            "def pytest_runtest_makereport(item, call):\n"
            "    outcome = yield\n    item.outcome = outcome.get_result().outcome\n\n\n"
            "def pytest_sessionfinish(session):\n    pass\n"
        )
    },
    "strangers are not collected": {
        "tests/conftest.py": "def pytest_ignore_collect(collection_path):\n    p = str(collection_path)\n"
        "    return None if p.endswith(('tests', 'test_pkg.py', 'testbed', '__init__.py')) else True\n"
    },
    "strangers are skipped": {
        "tests/conftest.py": "import pytest\n\n\ndef pytest_collection_modifyitems(items):\n    for item in items:\n"
        "        if 'test_pkg' != item.module.__name__.split('.')[-1]:\n"
        "            item.add_marker(pytest.mark.skip(reason='stranger'))\n"
    },
    "an autouse fixture that breaks strangers": {
        "tests/conftest.py": "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef known(request):\n"
        "    assert request.module.double\n    yield\n"
    },
    "everything succeeds in the end": {
        "conftest.py": "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n"
    },
    "a bent TestCase": {
        "tests/conftest.py": "import unittest\n\nunittest.TestCase.assertEqual = lambda self, a, b: None\n"
    },
    "every test leaves the folder": {
        "tests/conftest.py": "import os\nimport pytest\n\n\n@pytest.fixture(autouse=True)\ndef elsewhere(tmp_path):\n"
        "    os.chdir(str(tmp_path))\n"
    },
    "quiet output, closed streams": {
        "tests/conftest.py": "import sys\n\n\ndef pytest_unconfigure():\n    sys.stdout.close()\n"
    },
}  # fmt: skip


@pytest.mark.parametrize("name", REPOSITORIES)
def test_gold_resolves(make_bench: Any, name: str) -> None:
    bench = make_bench({**BUG, **TESTS, **REPOSITORIES[name]}, fix=FIX, tests=HIDDEN, packages=PLUGINS, **LISTS)
    graded = bench.grade(bench.gold)
    assert graded.verdict is Verdict.RESOLVED, (graded.reasons, graded.log.decode())
    assert graded.baseline == {LISTS["fail_to_pass"][0]: Outcome.FAILED, LISTS["pass_to_pass"][0]: Outcome.PASSED}
    wrong = bench.grade({"pkg/__init__.py": "def double(x):\n    return 3 * x\n"})
    assert wrong.verdict is Verdict.UNRESOLVED, (wrong.reasons, wrong.log.decode())


def test_baseline_is_measured_when_needed(make_bench: Any) -> None:
    from pytest_swegym.grading import grade

    bench = make_bench(
        {**BUG, **TESTS, **REPOSITORIES["a bent TestCase"]}, fix=FIX, tests=HIDDEN, packages=PLUGINS, **LISTS
    )
    with bench.workspace() as workspace:
        assert grade(bench.task, bench.gold, workspace).verdict is Verdict.RESOLVED


def test_gold_may_touch_protected_files(make_bench: Any) -> None:
    """The fix itself brings a conftest with hooks, and settings."""
    fix = {
        **FIX,
        "conftest.py": "def pytest_runtest_logreport(report):\n    pass\n",
        "pytest.ini": "[pytest]\naddopts = -q\n",
        "tests/helper.py": "VALUE = 4\n",
    }
    hidden = {"tests/test_pkg.py": HIDDEN["tests/test_pkg.py"] + "\n\ndef test_help():\n    import helper\n"}
    bench = make_bench({**BUG, **TESTS}, fix=fix, tests=hidden, **LISTS)
    graded = bench.grade(bench.gold)
    assert graded.verdict is Verdict.RESOLVED, (graded.reasons, graded.log.decode())
    assert graded.protected == ()


def test_tests_that_break_the_base_conftest(make_bench: Any) -> None:
    """The hidden conftest needs the fix: before it, nothing can run at all."""
    hidden = {**HIDDEN, "tests/conftest.py": "from pkg import NEW\n"}
    bench = make_bench(
        {**BUG, **TESTS}, fix={"pkg/__init__.py": FIX["pkg/__init__.py"] + "NEW = 1\n"}, tests=hidden, **LISTS
    )
    graded = bench.grade(bench.gold)
    assert graded.verdict is Verdict.RESOLVED, (graded.reasons, graded.log.decode())


def test_settings_in_a_folder_below(make_bench: Any) -> None:
    """The root of the session is the folder with the settings; ids are still seen from the repository."""
    files = {f"lib/{name}": text for name, text in {**BUG, **TESTS, **ini("addopts = -q")}.items()}
    lists = {kind: [f"lib/{each}" for each in ids] for kind, ids in LISTS.items()}
    bench = make_bench(
        {**files, "lib/conftest.py": ""},
        fix={f"lib/{name}": text for name, text in FIX.items()},
        tests={f"lib/{name}": text for name, text in HIDDEN.items()},
        **lists,
    )
    graded = bench.grade(bench.gold)
    assert graded.verdict is Verdict.RESOLVED, (graded.reasons, graded.log.decode())
    assert set(graded.tests) == {*lists["fail_to_pass"], *lists["pass_to_pass"]}


@pytest.mark.parametrize(
    "command",
    [
        "pytest", "python -m pytest tests", "PYTHONPATH=. pytest tests/test_pkg.py -q",
        "python -W error -m pytest -p no:cacheprovider", "pytest -rA --tb=no -p no:cacheprovider ./tests/",
    ],
)  # fmt: skip
def test_commands(make_bench: Any, command: str) -> None:
    conftest = {"conftest.py": ""}  # puts the root on the path for the bare command
    bench = make_bench({**BUG, **TESTS, **conftest}, fix=FIX, tests=HIDDEN, test_command=command, **LISTS)
    graded = bench.grade(bench.gold)
    assert graded.verdict is Verdict.RESOLVED, (graded.reasons, graded.log.decode())
    assert bench.baseline.quirks == frozenset()


def test_reruns_and_subtests(make_bench: Any) -> None:
    tests = TESTS["tests/test_pkg.py"] + (
        "import pytest\n\nCOUNT = []\n\n\n@pytest.mark.flaky(reruns=2)\ndef test_two():\n    COUNT.append(1)\n"
        "    assert len(COUNT) > 1\n    assert double(2) == 4\n\n\ndef test_parts(subtests):\n"
        "    with subtests.test('one'):\n        assert double(1) == 2\n"
        "    with subtests.test('zero'):\n        assert double(0) == 1\n"
    )
    bench = make_bench({**BUG, **TESTS}, fix=FIX, tests={"tests/test_pkg.py": tests}, packages=PLUGINS, **LISTS)
    graded = bench.grade(bench.gold)
    assert graded.verdict is Verdict.RESOLVED, (graded.reasons, graded.log.decode())
    assert graded.tests["tests/test_pkg.py::test_parts"].outcome is Outcome.FAILED


def test_broken_file_of_others(make_bench: Any) -> None:
    """A test file that cannot be imported is an error of its own; the listed tests still run."""
    hidden = {**HIDDEN, "tests/test_new.py": "import nowhere\n\n\ndef test_new():\n    pass\n"}
    lists = {**LISTS, "pass_to_pass": ["tests/test_pkg.py", "tests/test_new.py::test_new"]}
    bench = make_bench({**BUG, **TESTS}, fix=FIX, tests=hidden, **lists)
    graded = bench.grade(bench.gold)
    assert graded.verdict is Verdict.UNRESOLVED
    assert graded.fail_to_pass == {"tests/test_pkg.py::test_two": Outcome.PASSED}
    assert graded.pass_to_pass["tests/test_new.py::test_new"] is Outcome.MISSING
    assert graded.tests["tests/test_new.py"].outcome is Outcome.ERROR
    assert graded.reasons == ("PASS_TO_PASS: 1 of 2 never ran: tests/test_new.py::test_new",)


def test_time_out(make_bench: Any) -> None:
    bench = make_bench({**BUG, **TESTS}, fix=FIX, tests=HIDDEN, timeout=6, **LISTS)
    graded = bench.grade({"pkg/__init__.py": "import time\n\n\ndef double(x):\n    time.sleep(60 * x)\n    return x\n"})
    assert graded.verdict is Verdict.TIMEOUT
    assert graded.pass_to_pass == {"tests/test_pkg.py::test_zero": Outcome.PASSED}
    assert graded.reasons[0] == "the tests did not end within 6 s"


def test_test_files_instead_of_a_test_patch(make_bench: Any) -> None:
    bench = make_bench({**BUG, **TESTS}, fix=FIX, tests={}, test_files=HIDDEN, **LISTS)
    planted = bench.grade({**FIX, "tests/test_pkg.py": "def test_two():\n    pass\n\n\ndef test_zero():\n    pass\n"})
    assert planted.verdict is Verdict.RESOLVED
    assert planted.protected == ("tests/test_pkg.py",)
