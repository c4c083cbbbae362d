"""How many cores nobody computes on, as the kernel tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swegym.admission.machine import idle_cores
from pytest_swegym.grading import Baseline
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend


@pytest.mark.parametrize(
    ("text", "idle"),
    [
        ("cpu 1 2\nprocs_running 1\nprocs_blocked 0\n", 7),
        ("procs_running 3\n", 5),
        ("procs_running 30\n", 0),
        ("procs_running\n", 7),
        ("procs_running many\n", 7),
        ("", 7),
    ],
)
def test_cores_that_others_compute_on_are_not_idle(tmp_path: Path, text: str, idle: int) -> None:
    (tmp_path / "stat").write_text(text)
    assert idle_cores(8, proc=tmp_path) == idle


def test_where_the_kernel_does_not_tell_all_but_one_are(tmp_path: Path) -> None:
    assert idle_cores(8, proc=tmp_path) == 7
    assert idle_cores(1, proc=tmp_path) == 0


def test_a_lab_divides_where_there_are_cores_and_enough_to_run() -> None:
    long, short = Baseline(seconds={"a.py": 60.0, "b.py": 60.0}), Baseline(seconds={"a.py": 0.2})
    backend = make_backend("bubblewrap")  # nothing of it is started
    with Lab(backend, shards=3).dividing(short) as count:
        assert count == 3
    lab = Lab(backend, shards=0)
    cores = lab.admission.turns.count
    with lab.dividing(short) as count:
        assert count == 1
    with lab.dividing(long) as count:
        assert 1 <= count <= cores
    with lab.admission.turns.spare(cores), lab.dividing(long) as count:
        assert count == 1
    lab.close()
