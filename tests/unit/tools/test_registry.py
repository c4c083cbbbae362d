"""One place of state: what a shell command remembers Python finds, and the other way round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from pytest_swegym.tools.folder import SHIPPED


CORE = SHIPPED / "registry"
TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=30)
PYTHON = "import sys; from registry import registry; {}"


Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a command of the core on a state file of its own; ``python`` code has its words in ``sys.argv``."""
    state = tmp_path_factory.mktemp("state")

    def call(command: str, *words: str) -> str:
        argv = ["sh", str(CORE / "bin" / command)] if command.startswith("_") else [sys.executable, "-c", command]
        env = {**os.environ, "SWEGYM_TOOLS": str(state), "PYTHONPATH": str(CORE / "lib"), "PYTHONUTF8": "1"}
        result = subprocess.run([*argv, *words], env=env, capture_output=True, check=True)
        return result.stdout.decode("utf-8", "surrogateescape")

    return call


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(value=TEXT, other=TEXT)
@pytest.mark.usefixtures("run")
def test_shell_and_python_agree(run: Run, value: str, other: str) -> None:
    run("_write_env", "FROM_SHELL", value)
    run(PYTHON.format("registry['FROM_PYTHON'] = sys.argv[1]"), other)
    said = json.loads(run(PYTHON.format("import json; print(json.dumps([registry['FROM_SHELL'], 'X' in registry]))")))
    assert said == [value, False]
    assert run("_read_env", "FROM_SHELL") == value + "\n"
    assert run("_read_env", "FROM_PYTHON") == other + "\n"


@pytest.mark.parametrize("value", [1, None, True, 1.5, [1, "a\nb"], {"k": [{"x": "é"}]}])
def test_what_is_no_text_is_json_for_the_shell(run: Run, value: Any) -> None:
    run(PYTHON.format("import json; registry['DATA'] = json.loads(sys.argv[1])"), json.dumps(value))
    run("_write_env", "OTHER", "x")
    assert json.loads(run("_read_env", "DATA")) == value
    assert json.loads(run(PYTHON.format("import json; print(json.dumps(registry['DATA']))"))) == value


def test_defaults_and_the_environment(run: Run) -> None:
    assert run("_read_env", "ABSENT") == "\n"
    assert run("_read_env", "ABSENT", "a b") == "a b\n"
    code = PYTHON.format(
        "import os; os.environ['ABSENT'] = 'env'; print(registry.get('ABSENT', 1), registry.get('ABSENT', 1, False),"
        " registry.get_if_none(None, 'NONE', 2), registry.get_if_none(3, 'NONE'))"
    )
    assert run(code) == "env 1 2 3\n"


def test_a_damaged_state_is_begun_anew(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text("{")
    code = f"registry.env_file = {str(state)!r}; registry['A'] = 'b'; del registry['A']; registry['C'] = 'd'"
    run(PYTHON.format(code))
    assert json.loads(state.read_text()) == {"C": "d"}


def test_a_key_that_is_none_is_refused(run: Run) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run("_write_env", 'a"b', "x")
