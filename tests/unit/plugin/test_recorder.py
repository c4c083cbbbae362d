"""What is written of an action, a note and the settings: short, and no secret."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.plugin.recorder import plain_settings
from pytest_swegym.results.events import EventTail
from pytest_swegym.results.recorder import SHORT
from pytest_swegym.results.recorder import Recorder
from pytest_swegym.results.recorder import shortened
from pytest_swegym.settings import Settings


KEY = "ghp" + "_Zq8wT3vN1mK7pR5yB2cX9dF4gH6jL0sAeUiO"
AGENT = ("model=small", 'body={"a": 1}', 'body ={"a": 1}', "base_url=http://user:pass@host/v1")


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path, "run-1")


def told(recorder: Recorder, *events: dict[str, Any]) -> list[dict[str, Any]]:
    for event in events:
        recorder.happened("calc-1", event)
    return [
        {name: value for name, value in event.items() if name != "time"}
        for event in EventTail(recorder.log.path).read()
    ]


def step(number: int, **rest: Any) -> dict[str, Any]:
    return {"event": "step", "kind": "Command", "action": "ls", "observation": {"step": number}, **rest}


def usage(tokens: int, cost: float | None) -> dict[str, Any]:
    return {"prompt_tokens": tokens, "completion_tokens": 1, "cost": cost}


@pytest.mark.parametrize(
    ("action", "short"),
    [
        ("ls -l\n  src", "ls -l src"),
        ('{"action": "command", "command": "ls  -l"}', "command ls -l"),
        ('bash {"command": "ls", "timeout": 3}', "bash ls 3"),
        ('{"not": json', '{"not": json'),
        ("awk '{print}' file", "awk '{print}' file"),
        ("x" * 200, "x" * SHORT + "..."),
        ("\x1b[2Jls\u202e", " [2Jls"),
    ],
)
def test_actions_are_shown_in_a_line(action: str, short: str) -> None:
    assert shortened(action).strip() == short.strip()


@given(st.integers(0, 120))
def test_a_secret_is_not_cut_in_half(before: int) -> None:
    text = shortened("x" * before + f" export GITHUB_TOKEN={KEY}")
    assert not any(KEY[start : start + 8] in text for start in range(len(KEY) - 8))


def test_model_calls_are_summed_up_those_of_refused_replies_too(recorder: Recorder) -> None:
    refused = {
        "event": "note",
        "invalid_reply": {"text": "no", "why": "no call", "number": 1, "usage": usage(10, 0.25)},
    }
    found = told(recorder, step(1, player={"usage": usage(100, None)}), refused, step(2, player={"usage": "none"}))
    assert [(event.get("tokens"), event.get("cost")) for event in found] == [(101, None), (None, None), (112, 0.25)]
    assert found[1] == {"event": "note", "attempt": "calc-1", "note": "invalid_reply", "why": "no call", "number": 1}


def test_threads_of_one_attempt_are_summed_up_together(recorder: Recorder) -> None:
    def play() -> None:
        for number in range(50):
            recorder.happened("calc-1", step(number, player={"usage": usage(1, 0.5)}, candidate=1))

    threads = [threading.Thread(target=play) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = told(recorder)
    assert max(event["tokens"] for event in found) == 400
    assert {event["candidate"] for event in found} == {1}


def test_what_was_said_is_left_out_of_notes(recorder: Recorder) -> None:
    found = told(
        recorder,
        {"event": "note", "prompt": {"system": "You are " * 20, "model": "small"}},
        {"event": "note", "retry": {"error": f"401 for {KEY} " * 9, "status": 401, "wait": 0.5}},
        {"event": "note", "restored": 3, "candidate": 2},
    )
    assert found[0] == {"event": "note", "attempt": "calc-1", "note": "prompt", "model": "small"}
    assert found[1]["error"].startswith("401 for [redacted: ")
    assert len(found[1]["error"]) <= SHORT + 3
    assert found[2] == {"event": "note", "attempt": "calc-1", "note": "restored", "value": 3, "candidate": 2}


def test_settings_as_they_were_chosen() -> None:
    settings = replace(
        Settings(solver="openai:small", agent=AGENT, output=Path("out"), jobs=2),
        sources={"solver": "option", "agent": "ini", "output": "option", "jobs": "default"},
    )
    assert plain_settings(settings) == {
        "solver": "openai:small",
        "agent": ["model=small", "body=(left out)", "body=(left out)", "base_url=http://host/v1"],
        "output": "out",
    }
