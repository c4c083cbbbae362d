from __future__ import annotations

import pytest

from pytest_swegym.errors import SpecError
from pytest_swegym.grading.command import Command
from pytest_swegym.grading.command import parse_command
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec


def parse(text: str | None, runner: str = "pytest") -> Command:
    spec = TaskSpec(instance_id="a", repo=".", runner=runner, test_command=text)
    return parse_command(Task(spec=spec))


def test_defaults() -> None:
    assert parse(None) == Command()
    assert parse(None, "unittest") == Command(cwd_on_path=True)


def test_pytest() -> None:
    assert parse("pytest -rA -k 'a or b'") == Command(args=("-rA", "-k", "a or b"))
    assert parse("A=1 B='x y' /opt/bin/py.test") == Command(env={"A": "1", "B": "x y"})
    assert parse("python3.9 -W error -m pytest -q") == Command(
        python="python3.9", flags=("-W", "error"), args=("-q",), cwd_on_path=True
    )
    assert parse("pytest 'a;b' \"c|d\"").args == ("a;b", "c|d")


def test_unittest() -> None:
    assert parse("python -m unittest discover -s tests", "unittest").args == ("discover", "-s", "tests")


@pytest.mark.parametrize(
    "text",
    ["make test", "tox -e py", "pytest; true", "cd x && pytest", "pytest > log", "python tests.py", "'", "python -m",
     "python -m unittest", "A=1"],
)  # fmt: skip
def test_what_is_no_command_of_the_runner(text: str) -> None:
    with pytest.raises(SpecError, match=r"test_command: .*expected") as caught:
        parse(text)
    assert text in str(caught.value)
