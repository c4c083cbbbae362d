"""A baseline is measured once: not again by another process, nor by two at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_swegym.lab import Lab
from pytest_swegym.task import Task


PREPARE = """
import json, logging, sys
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import Task

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
lab = Lab(make_backend(sys.argv[1]))
try:
    prepared = lab.prepare(Task.from_dict(json.loads(sys.argv[2])))
    print("exit code before the patch:", prepared.baseline.exit_code)
finally:
    lab.close()
"""


def start(lab: Lab, task: Task) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", PREPARE, lab.backend.name, json.dumps(task.to_dict())]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_of_several_processes_one_measures(lab: Lab, task: Task, tmp_path: Path) -> None:
    row = task.to_dict()
    row["problem_statement"] = f"no other run has measured this one: {tmp_path}"
    fresh = Task.from_dict(row)
    lab.located(fresh)  # what is measured is there: the processes are to meet at the baseline
    running = [start(lab, fresh), start(lab, fresh)]
    said = [process.communicate(timeout=300)[0] for process in running]
    later = start(lab, fresh).communicate(timeout=300)[0]
    for text in (*said, later):
        assert "exit code before the patch: 1" in text, text
    measured = f"measuring the baseline of {fresh.id}"
    assert sum(text.count(measured) for text in said) == 1, said
    assert measured not in later
