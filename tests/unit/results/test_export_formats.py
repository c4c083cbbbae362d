"""What a model played, in the formats of others: chats, mini-swe-agent's files, ATIF documents, tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.__main__ import main
from pytest_swegym.results import ResultStore
from pytest_swegym.results.export import SYSTEM
from pytest_swegym.results.export import chat
from pytest_swegym.results.export import step_rows
from pytest_swegym.results.export_atif import atif
from pytest_swegym.results.export_mini import mini
from pytest_swegym.results.turns import total_usage
from pytest_swegym.results.turns import turns
from pytest_swegym.session import Observation
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Usage
from pytest_swegym.task import Verdict
from pytest_swegym.trajectory import Trajectory
from pytest_swegym.trajectory import TrajectoryWriter
from pytest_swegym.trajectory import read_trajectory


SCHEMA = {"type": "function", "function": {"name": "bash", "parameters": {"type": "object"}}}
USED = Usage(requests=1, prompt_tokens=100, cached_tokens=60, completion_tokens=10, seconds=0.5, cost=0.25)
PATCH = "diff --git a/x b/x\n"


def call(name: str, call_id: str | None, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"type": "function", "function": function, **({"id": call_id} if call_id else {})}


def played(folder: Path, *, attempt: int = 0, ending: str = "submit", key: str = "") -> Path:
    """A model makes two calls at once, one of them without an id, has a reply sent back, and submits."""
    record = AttemptRecord(
        instance_id="owner/calc-1",
        attempt=attempt,
        verdict=Verdict.RESOLVED,
        reward=1.0,
        patch=PATCH,
        extra={"ending": ending, "usage": (USED + USED + USED).to_dict()},
    )
    header = {"instance_id": "owner/calc-1", "attempt": attempt, "solver": "openai:small", "run_id": "r1"}
    store = ResultStore(root=folder)
    path = store.folder(f"calc-1.{attempt}") / "trajectory.jsonl"
    writer = TrajectoryWriter(path, {**header, "protocol": "tools", "schemas": [SCHEMA]})
    writer.begin(Observation(text="the task").to_dict())
    writer.note({"prompt": {"system": "You mend.", "user": "the task and a map"}})
    first = {
        "role": "assistant",
        "content": "Look.",
        "tool_calls": [call("bash", "a", command="ls"), call("bash", None)],
    }
    asked = {"usage": USED.to_dict(), "seconds": 0.5, "model": "small"}
    step(writer, 1, {"message": first, "reasoning": "Hm.", "call_id": "a", **asked}, f"seen {key}")
    step(writer, 2, {"call_id": "b"}, "seen 2")
    wrong = {"text": "?", "why": "no call", "number": 1, "message": {"role": "assistant", "content": "?"}, **asked}
    writer.note({"invalid_reply": wrong})
    last = {"role": "assistant", "content": None, "tool_calls": [call("submit", "c"), call("bash", "d")]}
    step(writer, 3, {"message": last, "call_id": "c", **asked}, "done", ending=ending)
    writer.end({"verdict": "resolved", "resolved": True, "reward": 1.0, "reward_name": "resolved", **record.extra})
    (path.parent / "patch.diff").write_text(PATCH)
    return path


def step(writer: TrajectoryWriter, number: int, player: dict[str, Any], text: str, *, ending: str = "") -> None:
    seen = Observation(text=text, output="out", step=number, exit_code=0, diff="+x").to_dict()
    line = {"action": "{}", "kind": "ToolCall", "reward": 0.5, "observation": seen, "player": player, "ending": ending}
    writer.step({**line, "started_at": 1767268800.0 + number, "seconds": 0.1})


@pytest.fixture
def trajectory(tmp_path: Path) -> Trajectory:
    return read_trajectory(played(tmp_path))


def test_a_chat_has_the_messages_of_the_model(trajectory: Trajectory) -> None:
    told = chat(trajectory)
    done = [
        {"id": "a", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}},
        {"id": "b", "type": "function", "function": {"name": "bash", "arguments": "{}"}},
    ]
    submit = {"id": "c", "type": "function", "function": {"name": "submit", "arguments": "{}"}}
    assert told["messages"] == [
        {"role": "system", "content": "You mend."},
        {"role": "user", "content": "the task and a map"},
        {"role": "assistant", "content": "Look.", "tool_calls": done, "reasoning_content": "Hm."},
        {"role": "tool", "content": "seen ", "tool_call_id": "a"},
        {"role": "tool", "content": "seen 2", "tool_call_id": "b"},
        {"role": "assistant", "content": "", "tool_calls": [submit]},
    ]
    assert (told["model"], told["steps"], told["requests"], told["cost"]) == ("small", 3, 3, 0.75)
    assert told["tools"] == [SCHEMA]
    assert chat(trajectory, system="")["messages"][0]["role"] == "user"
    assert chat(trajectory, system="Other.")["messages"][0]["content"] == "Other."


def test_tokens_and_cost_stand_at_the_step_that_asked(trajectory: Trajectory) -> None:
    rows = list(step_rows(trajectory))
    assert [(row["model"], row["prompt_tokens"], row["cost"]) for row in rows] == [
        ("small", 100, 0.25), ("small", None, None), ("small", 100, 0.25),
    ]  # fmt: skip


def test_a_parquet_table_has_them_with_their_types(tmp_path: Path) -> None:
    played(tmp_path / "run")
    import pyarrow.parquet as pq

    for rows, name in (("steps", "s.parquet"), ("episodes", "e.parquet")):
        output = f"--output={tmp_path / name}"
        assert main(["export", str(tmp_path / "run"), "--format=parquet", f"--rows={rows}", output]) == 0
    steps, episodes = pq.read_table(tmp_path / "s.parquet"), pq.read_table(tmp_path / "e.parquet")
    assert (str(steps.schema.field("cost").type), str(steps.schema.field("prompt_tokens").type)) == ("double", "int64")
    assert steps["completion_tokens"].to_pylist() == [10, None, 10]
    messages = episodes["messages"].to_pylist()[0]
    assert [len(message["tool_calls"] or ()) for message in messages] == [0, 0, 2, 0, 0, 1]
    assert messages[2]["reasoning_content"] == "Hm."
    assert episodes["cost"].to_pylist() == [0.75]


def test_the_form_of_mini_swe_agent(trajectory: Trajectory) -> None:
    told = mini(trajectory, PATCH)
    assert told["trajectory_format"] == "mini-swe-agent-1.1"
    assert told["info"] == {
        "exit_status": "Submitted",
        "submission": PATCH,
        "model_stats": {"instance_cost": 0.75, "api_calls": 3},
        "config": {
            "agent": {"solver": "openai:small", "protocol": "tools"},
            "agent_type": "pytest_swegym",
            "model": {"model_name": "small"},
        },
    }
    roles = [message["role"] for message in told["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool", "assistant", "tool", "exit"]
    said = told["messages"][2]
    assert said["extra"]["actions"] == [{"command": "ls", "tool_call_id": "a"}, {"command": "{}", "tool_call_id": "b"}]
    assert said["extra"]["response"]["usage"]["prompt_tokens_details"] == {"cached_tokens": 60}
    assert told["messages"][3]["extra"]["returncode"] == 0


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("steps", "LimitsExceeded"),
        ("seconds", "TimeExceeded"),
        ("invalid_replies", "RepeatedFormatError"),
        ("odd", "odd"),
    ],
)
def test_how_it_ended_in_the_words_of_mini_swe_agent(tmp_path: Path, ending: str, status: str) -> None:
    assert mini(read_trajectory(played(tmp_path, ending=ending)), "")["info"]["exit_status"] == status


def test_the_interchange_format(trajectory: Trajectory) -> None:
    told = atif(trajectory, "calc-1")
    assert (told["schema_version"], told["session_id"], told["trajectory_id"]) == ("ATIF-v1.7", "r1", "calc-1")
    assert [(each["step_id"], each["source"]) for each in told["steps"]] == [
        (1, "system"), (2, "user"), (3, "agent"), (4, "agent"),
    ]  # fmt: skip
    acted = told["steps"][2]
    assert acted["tool_calls"] == [
        {"tool_call_id": "a", "function_name": "bash", "arguments": {"command": "ls"}},
        {"tool_call_id": "b", "function_name": "bash", "arguments": {}},
    ]
    assert [result["source_call_id"] for result in acted["observation"]["results"]] == ["a", "b"]
    assert acted["metrics"] == {
        "prompt_tokens": 100, "completion_tokens": 10, "cached_tokens": 60, "cost_usd": 0.25,
    }  # fmt: skip
    assert (acted["timestamp"], acted["llm_call_count"]) == ("2026-01-01T12:00:01+00:00", 1)
    final = told["final_metrics"]
    assert (final["total_prompt_tokens"], final["total_cost_usd"], final["total_steps"]) == (300, 0.75, 4)
    assert final["extra"]["reward"] == 1.0


def test_who_is_no_model_makes_dispatches(tmp_path: Path) -> None:
    writer = TrajectoryWriter(tmp_path / "t.jsonl", {"instance_id": "a", "solver": "scripted", "protocol": "json"})
    writer.begin(Observation(text="the task").to_dict())
    step(writer, 1, {}, "seen")
    told = atif(read_trajectory(tmp_path / "t.jsonl"), "a")
    assert [each["source"] for each in told["steps"]] == ["user", "agent"]
    acted = told["steps"][1]
    assert (acted["llm_call_count"], acted["message"]) == (0, "{}")
    assert not {"metrics", "tool_calls", "model_name"} & acted.keys()
    assert mini(read_trajectory(tmp_path / "t.jsonl"), "")["messages"][0] == {"role": "system", "content": SYSTEM}


@pytest.mark.parametrize(("form", "suffix"), [("mini", ".traj.json"), ("atif", ".trajectory.json")])
def test_a_file_for_each_episode(tmp_path: Path, form: str, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    run, again = tmp_path / "run", tmp_path / "again"
    played(run), played(run, attempt=1), played(again)
    out = tmp_path / "out"
    assert main(["export", str(run), str(again), f"--format={form}", f"--output={out}"]) == 0
    names = {f"owner__calc-1{suffix}", f"owner__calc-1-2{suffix}", f"owner__calc-1.1{suffix}"}
    assert {path.name for path in out.iterdir()} == names
    assert "3 files of 3 episodes; 0 were not wanted" in capsys.readouterr().out
    if form == "mini":
        assert json.loads((out / f"owner__calc-1{suffix}").read_text())["info"]["submission"] == PATCH


@pytest.mark.parametrize("form", ["chat", "jsonl", "mini", "atif"])
def test_secrets_of_older_files_are_left_out(tmp_path: Path, form: str) -> None:
    key, shown = "ghp" + "_Zq8wT3vN1mK7pR5yB2cX9dF4gH6jL0sAeUiO", "seen KEY"
    path = played(tmp_path / "run", key="KEY")
    path.write_text(path.read_text().replace(shown, f"seen {key}"))
    assert main(["export", str(tmp_path / "run"), f"--format={form}", f"--output={tmp_path / 'out'}"]) == 0
    out = tmp_path / "out"
    text = "".join(file.read_text() for file in (out.iterdir() if out.is_dir() else [out]))
    assert key not in text
    assert "seen [redacted: GitHub token]" in text


def test_the_sum_of_the_messages_stands_in_for_an_end_without_usage(tmp_path: Path) -> None:
    path = played(tmp_path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert total_usage(read_trajectory(path)) == USED + USED + USED


KEYS = st.sampled_from(
    ["message", "tool_calls", "function", "name", "arguments", "id", "content", "usage", "cost", "requests", "call_id",
     "model", "text", "reasoning", "system", "prompt_tokens"]
)  # fmt: skip
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.floats(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@example([{}, {"call_id": "a"}], None, None, {})
@example([{"message": {"tool_calls": [{"name": "x"}]}}, {"call_id": "a"}, {"call_id": "b"}], None, None, {})
@given(st.lists(ODD, max_size=3), ODD, ODD, st.dictionaries(st.sampled_from(["usage", "ending", "reward"]), ODD))
def test_whatever_a_file_says_an_export_is_json(
    players: list[Any], prompt: Any, note: Any, end: dict[str, Any]
) -> None:
    seen = Observation(text="seen").to_dict()
    steps = [{"event": "step", "action": '{"name": "x"}', "player": each, "observation": seen} for each in players]
    events = ({"event": "note", "prompt": prompt, "invalid_reply": note}, *steps)
    found = Trajectory(header={"protocol": "tools", "schemas": prompt, "run_id": note}, events=events, end=end)
    assert sum(len(turn.steps) for turn in turns(found)) == len(players)
    for told in (chat(found), mini(found, ""), atif(found, "a"), *step_rows(found)):
        json.dumps(told)
