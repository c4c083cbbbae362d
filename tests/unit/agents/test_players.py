"""Players by name, scripts as files, and what chance does."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swegym.agents import Policy
from pytest_swegym.agents import load_player
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SolverError
from pytest_swegym.session import PROTOCOLS
from pytest_swegym.session import Observation
from pytest_swegym.session import load_protocol
from pytest_swegym.solvers import load_solver
from pytest_swegym.task import TaskSpec


SPEC = TaskSpec(instance_id="a-1", repo="./r")
LS = '{"action": "command", "command": "ls"}'
SUBMIT = '{"action": "submit"}'


def played(policy: Policy, protocol: str = "json", *, most: int = 50) -> list[str]:
    """What a policy says, up to its first submission."""
    session: Any = SimpleNamespace(task=SPEC, protocol=load_protocol(policy.protocol or protocol)())
    policy.begin(session)
    said: list[str] = []
    while len(said) < most and (not said or "submit" not in said[-1]):
        said.append(policy.act(Observation()))
    return said


def scripted(path: Path, *, root: Path | None = None) -> Policy:
    return load_player(f"scripted:{path}", root=root).make(SPEC)


@pytest.mark.parametrize(
    ("name", "text", "actions", "protocol"),
    [
        ("a.jsonl", f"{LS}\n\n{SUBMIT}\n", [LS, SUBMIT], "json"),
        ("a.jsonl", '{"protocol": "execute"}\n"<execute>ls</execute>"\n', ["<execute>ls</execute>"], "execute"),
        ("a.jsonl", '{"protocol": "patch"}\n["a", "b"]\n', ['["a", "b"]'], "patch"),
        ("a.json", f"[{LS}]", [LS], "json"),
        ("a.json", '{"protocol": "execute", "actions": ["ls"]}', ["ls"], "execute"),
        ("a.json", json.dumps({"b-2": [], "a-1": [json.loads(LS)]}), [LS], "json"),
        ("a.txt", "protocol: execute\n<execute>ls</execute>\n", ["<execute>ls</execute>\n"], "execute"),
        ("a.txt", "ls\n---\nsubmit\n", [LS, SUBMIT], None),
        ("a.txt", "\n---\nls\n\n---  \n\n", [LS], None),
        ("a.txt", "cat <<X\na --- b\n ---\nX\n", [LS.replace("ls", "cat <<X\\na --- b\\n ---\\nX")], None),
        ("a.txt", "", [], None),
    ],
)  # fmt: skip
def test_scripts(tmp_path: Path, name: str, text: str, actions: list[str], protocol: str | None) -> None:
    (tmp_path / name).write_text(text)
    policy = scripted(Path(name), root=tmp_path)
    assert policy.protocol == protocol
    said = played(policy)
    # Whoever has no more to do submits.
    assert said[: len(actions)] == actions
    assert len(said) == len(actions) + ("submit" not in (actions or [""])[-1])


def test_plain_commands_are_said_in_any_protocol(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("ls\n")
    said = {name: played(scripted(path), name)[0] for name in PROTOCOLS if name not in ("patch", "edits")}
    assert said["execute"] == "<execute>ls</execute>"
    assert json.loads(said["tools"]) == {"name": "bash", "arguments": {"command": "ls"}}
    with pytest.raises(SolverError, match="the patch protocol has no Command like this; choose another protocol"):
        played(scripted(path), "patch")


def test_a_folder_has_a_script_for_each_task(tmp_path: Path) -> None:
    (tmp_path / "a-1.txt").write_text("ls\n")
    (tmp_path / "b-2.jsonl").write_text("")
    player = load_player("scripted:.", root=tmp_path)
    assert played(player.make(SPEC)) == [LS, SUBMIT]
    with pytest.raises(SolverError, match=r"has no script for c-3; it has some for: a-1, b-2"):
        player.make(TaskSpec(instance_id="c-3", repo="./r"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gone.txt", None, "cannot be read"),
        ("a.jsonl", f"{LS}\nnot json\n", "a.jsonl:2: not valid JSON"),
        ("a.jsonl", "3\n", "a.jsonl:1: an action is text, or an object or list that the protocol takes"),
        ("a.jsonl", '{"protocol": "morse"}\n', "unknown protocol 'morse'; choose from json, execute"),
        ("a.txt", "protocol: morse\nls\n", "unknown protocol 'morse'"),
        ("a.json", "3", "expected a list of actions, or"),
        ("a.json", '{"actions": [], "others": 1}', "expected a list of actions, or"),
        ("a.json", '{"a-1": {"action": "submit"}}', "a.json: a-1: expected a list of actions"),
        ("a.json", '{"a-1": [null]}', "a-1: action 1: an action is text"),
        (".", None, "no script in this folder"),
    ],
)
def test_what_is_no_script_is_told(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_player(f"scripted:{name}", root=tmp_path)
    assert message in str(caught.value)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read: 'utf-8' codec"):
        load_player("scripted:a.txt", root=tmp_path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_chance_is_the_same_for_the_same_seed(protocol: str) -> None:
    player = load_player("random")
    first, again, other = (played(player.make(SPEC, seed=seed), protocol) for seed in (1, 1, 2))
    assert first == again != other
    assert first[-1] == load_protocol(protocol)().write(load_protocol(protocol)().parse(first[-1]))
    assert {type(load_protocol(protocol)().parse(text)).__name__ for text in first + other} & {"Submit"}
    assert "Invalid" not in {type(load_protocol(protocol)().parse(text)).__name__ for text in first + other}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dice", "unknown player 'dice'; choose from: random, scripted:FILE, replay:FILE, human"),
        ("scripted", "write scripted:FILE"),
        ("replay: ", "write replay:FILE"),
        ("human:me", "write human"),
    ],
)
def test_wrong_names_say_the_way_out(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_player(name)
    assert message in str(caught.value)


def test_players_are_solvers(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ls\n")
    (tmp_path / "b.txt").write_text("pwd\n")
    first, second = (load_solver(f"scripted:{name}.txt", root=tmp_path) for name in "ab")
    assert first.identity != second.identity
    assert (first.alone, first.trusted) == (False, False)
    assert load_solver("human").alone
    assert not load_solver("random").alone
    with pytest.raises(ConfigError, match="write replay:FILE"):
        load_solver("replay")
