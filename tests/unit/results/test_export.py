"""Exports: chats and tables of trajectories, and which episodes go into them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.__main__ import main
from pytest_swegym.results.export import SYSTEM
from pytest_swegym.results.export import Wanted
from pytest_swegym.results.export import chat
from pytest_swegym.results.export import step_rows
from pytest_swegym.rows.parquet import EPISODES
from pytest_swegym.rows.parquet import STEPS
from pytest_swegym.rows.parquet import write_parquet
from pytest_swegym.session import Observation
from pytest_swegym.trajectory import Trajectory
from pytest_swegym.trajectory import TrajectoryWriter
from pytest_swegym.trajectory import read_trajectory


LS = '{"name": "bash", "arguments": {"command": "ls"}}'
OPENAI = '{"id": "c1", "type": "function", "function": {"name": "submit", "arguments": "{}"}}'


def kept(path: Path, *actions: str, protocol: str = "json", end: dict[str, Any] | None = None) -> Path:
    writer = TrajectoryWriter(path, {"instance_id": "a-1", "attempt": 0, "protocol": protocol, "schemas": []})
    writer.begin(Observation(text="the task").to_dict())
    for number, action in enumerate(actions, 1):
        seen = Observation(text=f"seen {number}", output="\udcff", step=number, exit_code=0).to_dict()
        writer.step({"action": action, "kind": "Command", "reward": 0.5, "observation": seen, "seconds": 0.1})
    if end is not None:
        writer.end({"verdict": "resolved", "resolved": True, "reward": 1.0, "reasons": ["test_hidden failed"], **end})
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three attempts: one resolved, one not, one that was cut."""
    folder = tmp_path / "run" / "attempts"
    kept(folder / "a-1" / "trajectory.jsonl", "one", "two", end={})
    kept(folder / "a-2" / "trajectory.jsonl", "one", end={"verdict": "unresolved", "resolved": False, "reward": 0.25})
    kept(folder / "a-3" / "trajectory.jsonl", "one")
    return tmp_path / "run"


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_chat_ends_with_the_player(tmp_path: Path) -> None:
    told = chat(read_trajectory(kept(tmp_path / "t.jsonl", "one", "two", end={})))
    assert told["messages"] == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "the task"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "seen 1"},
        {"role": "assistant", "content": "two"},
    ]
    assert (told["instance_id"], told["verdict"], told["reward"], told["steps"], told["cut"]) == (
        "a-1", "resolved", 1.0, 2, False,
    )  # fmt: skip
    assert "hidden" not in json.dumps(told)
    assert "tools" not in told


def test_tool_calls_are_told_as_tool_calls(tmp_path: Path) -> None:
    path = kept(tmp_path / "t.jsonl", LS, "no call", OPENAI, protocol="tools")
    messages = chat(read_trajectory(path), system="")["messages"]
    call = {"id": "call_1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    last = {"id": "c1", "type": "function", "function": {"name": "submit", "arguments": "{}"}}
    assert messages == [
        {"role": "user", "content": "the task"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "seen 1", "tool_call_id": "call_1"},
        {"role": "assistant", "content": "no call"},
        {"role": "user", "content": "seen 2"},
        {"role": "assistant", "content": "", "tool_calls": [last]},
    ]


def test_an_episode_without_a_step_is_a_question(tmp_path: Path) -> None:
    told = chat(read_trajectory(kept(tmp_path / "t.jsonl")))
    assert [message["role"] for message in told["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("more", "count", "taken"),
    [([], 3, 3), (["--resolved-only"], 1, 1), (["--min-reward=0.25"], 2, 2), (["--min-reward=0"], 2, 2)],
)
def test_which_episodes(run: Path, more: list[str], count: int, taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    output = run / "chat.jsonl"
    assert main(["export", str(run), f"--output={output}", *more]) == 0
    assert len(rows(output)) == count
    assert f"{count} rows of {taken} episodes; {3 - taken} were not wanted" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["chat", "jsonl", "parquet"])
def test_episodes_without_a_step_are_left_out(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempts = tmp_path / "attempts"
    kept(attempts / "a-1" / "trajectory.jsonl", end={})
    output = tmp_path / "out"
    assert main(["export", str(tmp_path), f"--format={form}", f"--output={output}"]) == 1
    assert "0 rows of 0 episodes; 0 were not wanted; 1 have no step" in capsys.readouterr().out
    kept(attempts / "a-2" / "trajectory.jsonl", "one", end={})
    assert main(["export", str(tmp_path), f"--format={form}", f"--output={output}"]) == 0
    assert "1 rows of 1 episodes; 0 were not wanted; 1 have no step" in capsys.readouterr().out
    assert main(["export", str(tmp_path), "--format=atif", f"--output={tmp_path / 'files'}"]) == 0
    assert len(list((tmp_path / "files").iterdir())) == 2


def test_the_candidates_of_a_search_that_chose_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempts = tmp_path / "run" / "attempts"
    kept(attempts / "a-2" / "trajectory.jsonl", "chosen", end={})
    kept(attempts / "a-2" / "candidates" / "0" / "trajectory.jsonl", "left", end={})
    for number in (10, 2):
        path = attempts / "a-1" / "candidates" / str(number) / "trajectory.jsonl"
        writer = TrajectoryWriter(path, {"instance_id": "a-1", "attempt": 0, "protocol": "json", "candidate": number})
        writer.step(
            {"action": f"act {number}", "kind": "Command", "observation": Observation(text="s", step=1).to_dict()}
        )
        writer.end({"candidate": number, "score": None, "error": ""})
    assert main(["export", str(tmp_path / "run"), "--format=jsonl", f"--output={tmp_path / 'out'}"]) == 0
    assert [(row["action"], row["candidate"], row["verdict"]) for row in rows(tmp_path / "out")] == [
        ("chosen", None, "resolved"), ("act 2", 2, None), ("act 10", 10, None),
    ]  # fmt: skip
    assert main(["export", str(tmp_path / "run"), "--format=atif", f"--output={tmp_path / 'files'}"]) == 0
    assert sorted(path.name.partition(".trajectory")[0] for path in (tmp_path / "files").iterdir()) == [
        "a-1", "a-1.candidate-10", "a-1.candidate-2",
    ]  # fmt: skip


def test_the_model_of_an_episode_without_an_answer_is_that_of_its_end(tmp_path: Path) -> None:
    told = chat(read_trajectory(kept(tmp_path / "t.jsonl", "one", end={"model": "smollm2"})))
    assert told["model"] == "smollm2"


def test_tables_are_read_back(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    from datasets import load_dataset

    lines, steps, episodes = (run / name for name in ("steps.jsonl", "steps.parquet", "episodes.parquet"))
    assert main(["export", str(run), "--format=jsonl", f"--output={lines}"]) == 0
    assert main(["export", str(run), "--format=parquet", f"--output={steps}"]) == 0
    assert main(["export", str(run), "--format=parquet", "--rows=episodes", f"--output={episodes}"]) == 0
    cache = str(tmp_path / "cache")
    found = load_dataset("parquet", data_files=str(steps), split="train", cache_dir=cache)
    assert found.column_names == list(STEPS)
    assert [{key: row[key] for key in STEPS} for row in rows(lines)] == list(found)
    first = found[0]
    assert (first["action"], first["output"], first["reward"], first["episode_reward"], first["exit_code"]) == (
        "one", "?", 0.5, 1.0, 0,
    )  # fmt: skip
    assert [row["verdict"] for row in found] == ["resolved", "resolved", "unresolved", None]
    whole = load_dataset("parquet", data_files=str(episodes), split="train", cache_dir=cache)
    assert whole.column_names == list(EPISODES)
    assert [message["role"] for message in whole[0]["messages"]] == ["system", "user", "assistant", "user", "assistant"]


def test_damaged_ones_are_told_and_left_out(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "attempts" / "a-2" / "trajectory.jsonl").write_text("{}\n")
    assert main(["export", str(run), f"--output={run / 'chat.jsonl'}"]) == 1
    assert len(rows(run / "chat.jsonl")) == 2
    assert "left out: " in capsys.readouterr().err


def test_wrong_use(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run / "gone"), f"--output={run / 'a'}"]) == 1
    assert main(["export", str(run / "attempts" / "a-1"), f"--output={run / 'a'}"]) == 1
    assert "no trajectory.jsonl in this folder" in capsys.readouterr().err
    (run / "file").write_text("")
    assert main(["export", str(run), f"--output={run / 'file' / 'a'}"]) == 1
    assert "choose another file" in capsys.readouterr().err


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def fails() -> Any:
        yield {"step": 1}
        raise RuntimeError("half way")

    (tmp_path / "a.parquet").write_bytes(b"before")
    with pytest.raises(RuntimeError, match="half way"):
        write_parquet(tmp_path / "a.parquet", fails(), STEPS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    assert (tmp_path / "a.parquet").read_bytes() == b"before"


ODD = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers(), max_size=1)
)


@example({"reward": 10**400, "attempt": 2**63}, {"reward": 2**60 + 1, "seconds": True})
@given(st.dictionaries(st.sampled_from([*STEPS, "other"]), ODD), st.dictionaries(st.sampled_from([*STEPS]), ODD))
def test_any_values_make_a_table(tmp_path_factory: pytest.TempPathFactory, header: Any, step: Any) -> None:
    event = {**step, "event": "step", "action": "a", "observation": {"step": 1, "text": "", **step}}
    trajectory = Trajectory(header=header, events=({"event": "step"} | event,), end=header)
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    told = list(step_rows(trajectory))
    assert write_parquet(path, told, STEPS) == len(told) == 1


@pytest.mark.parametrize(
    ("wanted", "end", "taken"),
    [
        (Wanted(), None, True),
        (Wanted(resolved_only=True), None, False),
        (Wanted(resolved_only=True), {"resolved": "yes"}, False),
        (Wanted(min_reward=0.0), {"reward": None}, False),
        (Wanted(min_reward=0.5), {"reward": 0.5}, True),
        (Wanted(min_reward=0.5), {"reward": "1"}, False),
    ],
)
def test_what_is_wanted(wanted: Wanted, end: dict[str, Any] | None, taken: bool) -> None:
    assert wanted.takes(Trajectory(header={}, end=end)) is taken
