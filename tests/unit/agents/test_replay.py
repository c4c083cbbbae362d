"""What a replay compares, and what it takes for a trajectory."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swegym.agents import load_player
from pytest_swegym.agents.replay import difference
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SolverError
from pytest_swegym.session import Observation
from pytest_swegym.session import load_protocol
from pytest_swegym.task import TaskSpec
from pytest_swegym.trajectory import TrajectoryWriter


SPEC = TaskSpec(instance_id="a-1", repo="./r")


def recorded(path: Path, *outputs: str, instance_id: str = "a-1", protocol: str = "json") -> Path:
    writer = TrajectoryWriter(path, {"instance_id": instance_id, "protocol": protocol})
    writer.begin(Observation(text="the task").to_dict())
    for number, output in enumerate(outputs, 1):
        seen = Observation(output=output, exit_code=0, step=number).to_dict()
        writer.step({"action": f"action {number}", "observation": seen})
    return path


def replayed(path: Path, *outputs: str) -> tuple[list[str], Any]:
    """What the replay says while these outputs are seen, and its report."""
    policy = load_player(f"replay:{path}").make(SPEC)
    session: Any = SimpleNamespace(
        task=SPEC, protocol=load_protocol(policy.protocol or "json")(), observation=Observation(text="the task")
    )
    policy.begin(session)
    said = []
    for number, output in enumerate(outputs, 1):
        said.append(policy.act(session.observation))
        session.observation = Observation(output=output, exit_code=0, step=number)
    policy.end()
    return said, policy.told["replay"]


def test_the_same_again(tmp_path: Path) -> None:
    said, report = replayed(recorded(tmp_path / "t.jsonl", "a", "b"), "a", "b", "submitted")
    assert said == ["action 1", "action 2", '{"action": "submit"}']
    assert report == {"steps": 2, "compared": 2, "difference": None}


def test_the_first_difference_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "pytest_swegym.agents"):
        _, report = replayed(recorded(tmp_path / "t.jsonl", "a", "b", "c"), "a", "x", "y")
    assert report["difference"] == {"step": 2, "what": "output", "expected": "b", "found": "x"}
    assert "a-1: replayed: the output of step 2 differs" in caplog.text


def test_a_replay_that_breaks_off_says_how_far_it_came(tmp_path: Path) -> None:
    _, report = replayed(recorded(tmp_path / "t.jsonl", "a", "b", "c"), "a")
    assert report == {"steps": 3, "compared": 1, "difference": None}


@pytest.mark.parametrize(
    ("before", "now", "what"),
    [
        ({"output": "1 passed in 0.12s"}, {"output": "1 passed in 3.4s"}, None),
        ({"output": "<A at 0x7f0012345678>"}, {"output": "<A at 0x7f00ffffffff>"}, None),
        ({"output": "/tmp/tmpab12_x/a"}, {"output": "/tmp/tmpzz99/a"}, None),
        ({"output": "2026-01-01 10:00:00.5"}, {"output": "2027-02-03 11:22:33.125"}, None),
        ({"output": "-rw-r--r-- 1 Nov 21 10:02 a"}, {"output": "-rw-r--r-- 1 Dec  1 09:59 a"}, None),
        ({"output": "12 passed"}, {"output": "13 passed"}, "output"),
        ({"output": "0x7f"}, {"output": "0x80"}, "output"),
        ({"tree": "a", "exit_code": 0}, {"tree": "b", "exit_code": 0}, "tree"),
        ({"tree": "a"}, {"tree": ""}, None),
        ({"exit_code": 0, "output": "a"}, {"exit_code": 1, "output": "b"}, "exit_code"),
        ({"exit_code": None}, {"exit_code": 0}, "exit_code"),
        ({"timed_out": False}, {"timed_out": True}, "timed_out"),
        ({"notice": "Not applied: x"}, {"notice": "Applied"}, "notice"),
        ({"text": "a", "remaining": {"steps": 3}}, {"text": "b", "remaining": {"steps": 4}}, None),
        ({}, {"output": "a", "exit_code": 1}, None),
    ],
)
def test_what_is_compared(before: dict[str, Any], now: dict[str, Any], what: str | None) -> None:
    found = difference(before, now, step=7)
    assert (found or {}).get("what") == what
    assert found is None or found["step"] == 7


def test_a_long_output_is_cut_in_the_report() -> None:
    found = difference({"output": "a" * 5000}, {"output": "b"}, step=1)
    assert found is not None
    assert (len(found["expected"]), found["found"]) == (2003, "b")


def test_a_folder_has_a_trajectory_for_each_attempt(tmp_path: Path) -> None:
    for name, output in (("a-1", "x"), ("a-1.2", "y")):
        recorded(tmp_path / "attempts" / name / "trajectory.jsonl", output)
    for folder in (tmp_path, tmp_path / "attempts"):
        player = load_player(f"replay:{folder}")
        assert player.make(SPEC, number=2).protocol == "json"
        with pytest.raises(SolverError, match=r"has no trajectory of a-1\.1"):
            player.make(SPEC, number=1)
    before = load_player(f"replay:{tmp_path}").identity
    path = recorded(tmp_path / "attempts" / "a-1" / "trajectory.jsonl", "other")
    os.utime(path, ns=(1, 1))
    assert load_player(f"replay:{tmp_path}").identity != before


def test_a_trajectory_of_another_task_is_told(tmp_path: Path) -> None:
    path = recorded(tmp_path / "t.jsonl", instance_id="b-2")
    with pytest.raises(SolverError, match=r"t\.jsonl is a trajectory of b-2, not of a-1"):
        load_player(f"replay:{path}").make(SPEC)


def test_a_damaged_trajectory_of_a_folder_is_the_attempts_error(tmp_path: Path) -> None:
    path = tmp_path / "attempts" / "a-1" / "trajectory.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("{}\n")
    with pytest.raises(SolverError, match=r"trajectory\.jsonl:1: format None, expected"):
        load_player(f"replay:{tmp_path}").make(SPEC)


@pytest.mark.parametrize("name", ["gone.jsonl", "empty"])
def test_what_is_not_there_is_told_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"cannot be read|no trajectory\.jsonl in this folder"):
        load_player(f"replay:{name}", root=tmp_path)
