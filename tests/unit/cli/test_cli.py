"""The command line: its table, its errors."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_swegym.__main__ import main
from pytest_swegym._support.loading import load
from pytest_swegym.cli import COMMANDS
from pytest_swegym.cli.words import spoken


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


def test_sweep_tells_of_podman_where_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("pytest_swegym.cli.sweep.NAMES", ("auto", "podman", "unsafe-host"))
    monkeypatch.setattr("pytest_swegym.cli.sweep.sweep_files", list)
    monkeypatch.delenv("SWEGYM_PODMAN_URL", raising=False)
    assert (main(["sweep"]), capsys.readouterr().out) == (0, "files of the cache: nothing to remove\n")
    monkeypatch.setenv("SWEGYM_PODMAN_URL", f"unix://{tmp_path}/none.sock")
    assert (main(["sweep"]), "podman: skipped: nothing" in capsys.readouterr().out) == (0, True)
    assert main(["sweep", "--sandbox=podman"]) == 1


def test_module_runs() -> None:
    result = subprocess.run([sys.executable, "-m", "pytest_swegym", "--help"], capture_output=True, text=True)
    assert result.returncode == 0
    assert "swegym COMMAND" in result.stdout


def test_options_are_called_as_the_command_has_them() -> None:
    options = argparse.Namespace(swegym_judge=None, swegym_check_writer=None)
    told = spoken("give --swegym-judge=a:b or --swegym-check-writer=a:b, no --swegym-tasks", options)
    assert told == "give --judge=a:b or --check-writer=a:b, no --swegym-tasks"


def test_a_task_that_is_not_there_shows_the_nearest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = {str(number): {"description": "d", "test": "t"} for number in range(30)}
    (tmp_path / "course.json").write_text(json.dumps({"tasks": tasks}))
    assert main(["play", str(tmp_path / "course.json"), "--task=course__277"]) == 4
    told = capsys.readouterr().err
    assert "no such task; choose from: course__27, " in told
    assert told.endswith(" ... and 10 more\n")
