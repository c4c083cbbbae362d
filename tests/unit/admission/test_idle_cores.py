"""How many cores nobody computes on, as the kernel tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swegym.admission.machine import idle_cores


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
