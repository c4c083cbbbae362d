"""The replies of an episode that was cut: served again as long as nothing differs, and never trusted blindly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.model import Reply
from pytest_swegym.agents.model.replies import ReplyLog
from pytest_swegym.errors import ContextTooLong
from pytest_swegym.errors import InfraError
from pytest_swegym.task.usage import Usage


HEADER = {"task_key": "t", "attempt": 0}


def reply(text: str) -> Reply:
    call = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": text, "tool_calls": [call]}
    return Reply(text=text, message=message, calls=(call,), usage=Usage(requests=1, prompt_tokens=5, cost=0.5))


def mark(step: int, tree: str = "t") -> dict[str, Any]:
    return {"kind": "act", "step": step, "tree": tree}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of three replies, the second of which was that the chat is too long."""
    path = tmp_path / "attempt" / "replies.jsonl"
    log = ReplyLog(path, HEADER)
    for step, each in enumerate([reply("zero"), ContextTooLong("so long", status=400, limit=9), reply("two")]):
        assert log.next(mark(step)) is None
        log.add(mark(step), each)
    return path


def test_everything_is_served_again(path: Path) -> None:
    log = ReplyLog(path, HEADER)
    assert log.next(mark(0)) == reply("zero")
    found = log.next(mark(1))
    assert isinstance(found, ContextTooLong)
    assert (str(found), found.status, found.limit) == ("so long", 400, 9)
    assert log.next(mark(2)) == reply("two")
    assert log.next(mark(3)) is None
    assert log.served == 3
    log.add(mark(3), reply("three"))
    assert len(path.read_text().splitlines()) == 5


def test_from_the_first_difference_on_nothing_is(path: Path) -> None:
    log = ReplyLog(path, HEADER)
    assert log.next(mark(0)) is not None
    assert log.next(mark(1, "another tree")) is None
    assert log.next(mark(2)) is None
    log.add(mark(1), reply("one"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["reply"]["text"] for line in lines[1:]] == ["zero", "one"]


def test_nothing_is_lost_before_something_new_is_known(path: Path) -> None:
    before = path.read_bytes()
    ReplyLog(path, {**HEADER, "attempt": 1}).next(mark(0))
    assert path.read_bytes() == before


@pytest.mark.parametrize("header", [{**HEADER, "attempt": 1}, {"task_key": "t"}])
def test_another_header_is_another_episode(path: Path, header: dict[str, Any]) -> None:
    log = ReplyLog(path, header)
    assert log.next(mark(0)) is None
    log.add(mark(0), reply("new"))
    assert [json.loads(line).get("reply", {}).get("text") for line in path.read_text().splitlines()] == [None, "new"]


def test_a_line_that_was_cut_is_left_out(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])
    log = ReplyLog(path, HEADER)
    assert log.next(mark(0)) is not None
    assert log.next(mark(1)) is not None
    assert log.next(mark(2)) is None


@given(data=st.binary(max_size=200), line=st.integers(0, 3))
def test_damage_never_raises(tmp_path_factory: pytest.TempPathFactory, data: bytes, line: int) -> None:
    path = tmp_path_factory.mktemp("damaged") / "replies.jsonl"
    log = ReplyLog(path, HEADER)
    for step in range(3):
        log.add(mark(step), reply(str(step)))
    lines = path.read_bytes().split(b"\n")
    lines[line] = data
    path.write_bytes(b"\n".join(lines))
    again = ReplyLog(path, HEADER)
    served = [again.next(mark(step)) for step in range(3)]
    whole = [reply(str(step)) for step in range(3)]
    assert all(found is None or found == wanted for found, wanted in zip(served, whole, strict=True))
    assert [each is not None for each in served[: max(line - 1, 0)]] == [True] * max(line - 1, 0)


@pytest.mark.parametrize("wrong", [{}, {"reply": 1}, {"reply": {"text": 1}}, {"too_long": {}}, {"too_long": None}])
def test_a_line_that_holds_no_reply_ends_it(path: Path, wrong: dict[str, Any]) -> None:
    lines = path.read_text().splitlines()
    lines[1] = json.dumps({"mark": mark(0), **wrong})
    path.write_text("\n".join(lines) + "\n")
    assert ReplyLog(path, HEADER).next(mark(0)) is None


def test_without_a_folder_nothing_is_kept() -> None:
    log = ReplyLog(None, HEADER)
    log.add(mark(0), reply("zero"))
    assert log.next(mark(0)) is None


def test_a_file_that_cannot_be_written_is_the_machinerys_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InfraError, match="cannot be written"):
        ReplyLog(tmp_path / "file" / "replies.jsonl", HEADER).add(mark(0), reply("zero"))
