"""Trajectories: what is written is read back, also after a cut, and nothing else is taken for one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.trajectory import DIFF_LIMIT
from pytest_swegym.trajectory import FORMAT
from pytest_swegym.trajectory import Trajectory
from pytest_swegym.trajectory import TrajectoryWriter
from pytest_swegym.trajectory import end_trajectory
from pytest_swegym.trajectory import read_trajectory


HEADER = {"instance_id": "a-1", "protocol": "json"}


def seen(step: int = 0, **fields: Any) -> dict[str, Any]:
    return {"text": "", "output": "", "diff": "", "step": step, **fields}


def step(number: int, action: str = "ls", **fields: Any) -> dict[str, Any]:
    return {"action": action, "kind": "Command", "reward": 0.0, "observation": seen(number, **fields)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "attempts" / "a-1" / "trajectory.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def test_an_episode(path: Path) -> None:
    writer = TrajectoryWriter(path, HEADER)
    writer.begin(seen(text="the task"))
    writer.step(step(1, text="a\n", output="a\n"))
    writer.note({"said": "something"})
    writer.step(step(2, diff="+x", exit_code=1))
    cut = read_trajectory(path)
    assert (cut.cut, cut.end) == (True, None)
    writer.end({"verdict": "resolved", "reward": 1.0})
    told = read_trajectory(path)
    assert told.header == {"format": FORMAT, **HEADER}
    assert (told.cut, told.end) == (False, {"verdict": "resolved", "reward": 1.0})
    assert told.first == seen(text="the task")
    assert [event["event"] for event in told.events] == ["begin", "step", "note", "step"]
    assert [each["observation"] for each in told.steps] == [
        seen(1, text="a\n", output="a\n"),
        seen(2, diff="+x", exit_code=1),
    ]


def test_what_is_as_before_is_not_written_again(path: Path) -> None:
    writer = TrajectoryWriter(path, HEADER)
    writer.begin(seen())
    for number, diff in enumerate(["", "+x", "+x", ""], 1):
        writer.step(step(number, diff=diff, text="same", output="same"))
    kept = [line["observation"] for line in lines(path)[2:]]
    assert [each.get("diff") for each in kept] == [None, "+x", None, ""]
    assert not any("text" in each for each in kept)
    assert [each["observation"]["diff"] for each in read_trajectory(path).steps] == ["", "+x", "+x", ""]


def test_a_long_diff_is_cut_and_says_so(path: Path) -> None:
    writer = TrajectoryWriter(path, HEADER)
    long = "x" * (DIFF_LIMIT + 5)
    writer.begin(seen())
    writer.step(step(1, diff=long))
    writer.step(step(2, diff=long))
    first, second = (each["observation"] for each in read_trajectory(path).steps)
    assert (len(first["diff"]), first["diff_cut"], second["diff"]) == (DIFF_LIMIT, DIFF_LIMIT + 5, first["diff"])


def test_infinity_and_nan_become_null(path: Path) -> None:
    writer = TrajectoryWriter(path, HEADER)
    writer.step({**step(1), "reward": float("nan"), "more": [float("inf"), 1.5]})
    assert (lines(path)[1]["reward"], lines(path)[1]["more"]) == (None, [None, 1.5])


def test_what_was_gone_back_behind_does_not_count(path: Path) -> None:
    writer = TrajectoryWriter(path, HEADER)
    writer.begin(seen())
    for number, action in ((1, "a"), (2, "b"), (3, "c")):
        writer.step(step(number, action))
    writer.note({"restored": 1})
    writer.step(step(2, "d"))
    assert [each["action"] for each in read_trajectory(path).steps] == ["a", "d"]
    writer.begin(seen())
    assert read_trajectory(path).steps == ()


def test_a_fork_has_what_was_before_it(path: Path, tmp_path: Path) -> None:
    writer = TrajectoryWriter(path, HEADER)
    writer.begin(seen())
    writer.step(step(1, "a", diff="+x"))
    writer.end({"verdict": "unresolved"})
    other = writer.fork(tmp_path / "fork.jsonl", {**HEADER, "forked_from": 1})
    other.step(step(2, "b", diff="+x"))
    told = read_trajectory(other.path)
    assert told.header["forked_from"] == 1
    assert [(each["action"], each["observation"]["diff"]) for each in told.steps] == [("a", "+x"), ("b", "+x")]
    assert [each["action"] for each in read_trajectory(path).steps] == ["a"]


def test_the_last_line_is_added_later_and_only_once(path: Path) -> None:
    end_trajectory(path, {"verdict": "resolved"})
    assert not path.exists()
    TrajectoryWriter(path, HEADER).step(step(1, "a" * 200_000))
    with path.open("ab") as file:
        file.write(b'{"event": "step", "action": "half')
    end_trajectory(path, {"verdict": "unresolved"})
    end_trajectory(path, {"verdict": "resolved"})
    told = read_trajectory(path)
    assert (told.end, len(told.steps)) == ({"verdict": "resolved"}, 1)
    path.write_bytes(b"")
    end_trajectory(path, {})
    assert lines(path) == [{"event": "end"}]


def test_a_writer_replaces_what_is_there(path: Path) -> None:
    for number in range(2):
        TrajectoryWriter(path, {**HEADER, "number": number}).step(step(1))
    assert (read_trajectory(path).header["number"], len(read_trajectory(path).steps)) == (1, 1)


def test_threads_do_not_mix_their_lines(path: Path) -> None:
    writer = TrajectoryWriter(path, HEADER)
    threads = [
        threading.Thread(target=lambda: [writer.note({"long": "x" * 20_000}) for _ in range(20)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_trajectory(path).events) == 80


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_player(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InfraError, match=r"cannot be written"):
        TrajectoryWriter(tmp_path / "file" / "trajectory.jsonl", HEADER)


WRITES = """
import sys
from pathlib import Path
from pytest_swegym.trajectory import TrajectoryWriter
writer = TrajectoryWriter(Path(sys.argv[1]), {"instance_id": "a-1"})
writer.begin({"step": 0})
number = 0
while True:
    number += 1
    writer.step({"action": "x" * 5000, "observation": {"step": number, "output": "y" * 5000}})
    if number == 20:
        print("begun", flush=True)
"""


def test_a_run_that_is_killed_leaves_a_readable_file(path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITES, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    told = read_trajectory(path)
    assert told.cut
    assert len(told.steps) >= 20
    assert [each["observation"]["step"] for each in told.steps] == list(range(1, len(told.steps) + 1))


@given(st.data())
def test_a_file_that_is_cut_anywhere_reads_up_to_there(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.jsonl"
    writer = TrajectoryWriter(path, HEADER)
    for number in range(1, 4):
        writer.step(step(number, output="ü\ud800"))
    whole = path.read_bytes()
    at = data.draw(st.integers(whole.index(b"\n") + 1, len(whole)))
    path.write_bytes(whole[:at])
    told = read_trajectory(path)
    assert told.cut
    assert len(told.steps) == whole[:at].count(b"\n") - 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    # Half a pair after the other half is the character that both make: JSON cannot tell them apart.
    | st.text(st.characters(exclude_categories=())).filter(lambda text: text == json.loads(json.dumps(text))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
TEXT = st.text(st.characters(exclude_characters="\ud83d")).filter(lambda text: text == json.loads(json.dumps(text)))


@given(st.lists(st.tuples(TEXT, TEXT, TEXT, st.sampled_from(["", "+x", "+y\udc80"]), JSON), max_size=5), JSON)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, str, str, str, Any]], more: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.jsonl"
    writer = TrajectoryWriter(path, {"more": more})
    steps = [
        {**step(number, action, output=output, text=text, diff=diff), "more": extra}
        for number, (action, output, text, diff, extra) in enumerate(told, 1)
    ]
    for each in steps:
        writer.step(each)
    writer.end({"more": more})
    found = read_trajectory(path)
    assert found == Trajectory(
        header={"format": FORMAT, "more": more},
        events=tuple({"event": "step", **each} for each in steps),
        end={"more": more},
        cut=False,
    )


@given(st.binary(max_size=300))
def test_any_bytes_are_a_trajectory_or_an_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    header = json.dumps({"event": "header", "format": FORMAT}).encode() + b"\n"
    for content in (data, header + data):
        path.write_bytes(content)
        try:
            said = read_trajectory(path).header["format"]
        except ConfigError as error:
            said = str(error)
        assert said == FORMAT or str(path) in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is not one whole line in it"),
        ('{"event": "header"', "there is not one whole line in it"),
        ('{"format": "swegym.attempt/1"}\n', ":1: format 'swegym.attempt/1', expected 'swegym.trajectory/1'"),
        ('{"event": "header", "format": "swegym.trajectory/2"}\n', ":1: format 'swegym.trajectory/2', expected"),
        ("[1]\n", ":1: expected an object"),
        ("HEADER\nnot json\n", ":2: not valid JSON"),
        ('HEADER\n{"event": "other"}\n', ":2: event 'other', expected one of begin, step, note, end"),
        ('HEADER\n{"event": "step", "observation": {}}\n', ":2: action must be text"),
        ('HEADER\n{"event": "step", "action": "a"}\n', ":2: observation must be an object"),
        ('HEADER\n{"event": "begin", "observation": {"step": "1"}}\n', ":2: observation.step is of the wrong type"),
        ('HEADER\n{"event": "begin", "observation": {"diff": 1}}\n', ":2: observation.diff is of the wrong type"),
        ('HEADER\n{"event": "end"}\n{"event": "note"}\n', ":3: a line after the end"),
        (f"HEADER\n{'[' * 100_000}\n", ":2: not valid JSON"),
    ],
)
def test_what_is_no_trajectory_is_refused(path: Path, text: str, message: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text.replace("HEADER", json.dumps({"event": "header", "format": FORMAT})))
    with pytest.raises(ConfigError) as caught:
        read_trajectory(path)
    assert message in str(caught.value)


def test_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trajectory '.*' cannot be read: .*No such file"):
        read_trajectory(path)


def test_secrets_are_written_nowhere(path: Path) -> None:
    key = "ghp" + "_Zq8wT3vN1mK7pR5yB2cX9dF4gH6jL0sAeUiO"
    heard: list[Any] = []
    writer = TrajectoryWriter(path, {**HEADER, "solver": key}, listener=heard.append)
    writer.begin(seen(text=f"use {key}"))
    writer.step(step(1, f"curl -H {key}", output=key, diff=f"+{key}", state={"deep": [key]}))
    writer.note({"retry": {"error": key}})
    writer.end({"verdict": "resolved", "why": key})
    assert key not in path.read_text() + json.dumps(heard)
    told = read_trajectory(path)
    assert told.steps[0]["action"] == "curl -H [redacted: GitHub token]"
    assert [line["event"] for line in heard] == ["begin", "step", "note"]
