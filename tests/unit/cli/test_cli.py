"""The command line: its table, its errors."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_swegym.__main__ import main
from pytest_swegym._support.loading import load
from pytest_swegym.cli import COMMANDS


def test_every_command_is_there() -> None:
    for command in COMMANDS.values():
        assert callable(load(f"{command.module}:main"))
        assert callable(load(f"{command.module}:add_arguments"))


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["sweep", "--nothing"]])
def test_wrong_use(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_unknown_sandbox_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--sandbox=mars"]) == 1
    assert "swegym sweep: no sandbox is called 'mars'; choose one of" in capsys.readouterr().err


def test_module_runs() -> None:
    result = subprocess.run([sys.executable, "-m", "pytest_swegym", "--help"], capture_output=True, text=True)
    assert result.returncode == 0
    assert "swegym COMMAND" in result.stdout
