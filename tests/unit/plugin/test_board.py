"""How a run stands, from its events."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.plugin.board import Board
from pytest_swegym.plugin.board import amount
from pytest_swegym.plugin.board import duration


USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "cost": 0.25}


def heard(*events: dict[str, Any]) -> tuple[Board, list[str]]:
    board = Board()
    return board, [board.hear(event) for event in events]


def test_a_run_from_its_begin_to_its_end() -> None:
    board, said = heard(
        {"event": "run_started", "time": 100.0, "planned": 4},
        {"event": "attempt_kept", "time": 100.0, "attempt": "old-1", "verdict": "resolved", "resolved": True},
        {"event": "attempt_started", "time": 100.0, "attempt": "calc-1"},
        {"event": "stage", "time": 101.0, "attempt": "calc-1", "stage": "checkout", "seconds": 1.0},
        {"event": "stage", "time": 101.0, "attempt": "calc-1", "stage": "sandbox", "seconds": 0.0},
        {"event": "step", "time": 102.0, "attempt": "calc-1", "step": 7, "action": "ls", "tokens": 900, "cost": 0.1},
        {"event": "attempt_started", "time": 102.0, "attempt": "calc-2"},
    )
    assert said == [
        "",
        "old-1: resolved, 0:00, of the run that is continued; 1/4 done, 1 resolved (100%)",
        "calc-1: begins",
        *[""] * 3,
        "calc-2: begins",
    ]
    assert (
        board.at_work(162.0) == "running: calc-1 (solve 7, 1:02), calc-2 (checkout, 1:00); 1/4 done, 1 resolved (100%)"
    )
    assert board.totals(162.0) == "1/4 done, 1 resolved (100%), 2 running, 900 tokens, cost 0.10, 1:02"
    told = board.hear(
        {"event": "attempt_finished", "attempt": "calc-1", "verdict": "unresolved", "resolved": False, "reward": 0.0,
         "failure": "wrong", "steps": 9, "seconds": 61.5, "usage": USAGE}
    )  # fmt: skip
    facts = "unresolved (wrong), reward 0.00, 9 steps, 1.5k tokens, cost 0.25, 1:01"
    assert told == f"calc-1: {facts}; 2/4 done, 1 resolved (50%)"
    # What an earlier run had made took no time in this one: of three, one took a minute.
    assert board.seconds_left(160.0) == 120.0
    assert board.totals(160.0) == "2/4 done, 1 resolved (50%), 1 running, 1.5k tokens, cost 0.25, 1:00, ~2:00 left"
    assert board.totals(160.0, 68) == "2/4 done, 1 resolved (50%), 1.5k tokens, cost 0.25, 1:00, ~2:00 left"
    assert board.totals(160.0, 67) == "2/4 done, 1 resolved (50%), 1.5k tokens, cost 0.25, ~2:00 left"
    assert board.totals(160.0, 50) == "2/4 done, 1 resolved (50%), ~2:00 left"
    assert board.totals(160.0, 5) == "2/4 done, 1 resolved (50%)"


def test_candidates_of_a_search_are_told_apart() -> None:
    board, _ = heard(
        {"event": "attempt_started", "attempt": "calc-1"},
        {"event": "stage", "attempt": "calc-1", "stage": "sandbox"},
        {"event": "step", "attempt": "calc-1", "candidate": 2, "step": 3, "action": "ls"},
    )
    assert board.running["calc-1"].doing == "#2 step 3"


def test_a_note_stands_where_the_action_stood() -> None:
    board, _ = heard(
        {"event": "attempt_started", "attempt": "calc-1"},
        {"event": "note", "attempt": "calc-1", "note": "retry", "status": 429, "error": "slow down", "wait": 2.0},
    )
    assert board.running["calc-1"].action == "retry 429 slow down"


def test_the_rate_leaves_out_what_the_machinery_lost() -> None:
    board, _ = heard(
        {"event": "attempt_finished", "attempt": "a", "verdict": "infra_error", "resolved": False, "failure": "infra"},
        {"event": "attempt_finished", "attempt": "b", "verdict": "resolved", "resolved": True},
    )
    assert board.standing() == "2 done, 1 resolved (100%)"


def test_numbers_are_short() -> None:
    assert [amount(value) for value in (0, 950, 12_345, 4_100_000)] == ["0", "950", "12.3k", "4.1M"]
    assert [duration(value) for value in (-1, 7.9, 750, 11_100)] == ["0:00", "0:07", "12:30", "3:05:00"]


ANY = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.lists(st.integers(), max_size=2)
)
NAMES = ("time", "attempt", "verdict", "resolved", "reward", "steps", "seconds", "usage", "stage", "step", "action",
         "tokens", "cost", "candidate", "planned", "note", "why", "failure")  # fmt: skip
KINDS = ("run_started", "attempt_started", "stage", "step", "note", "attempt_kept", "attempt_finished", "else")


@given(
    st.lists(
        st.builds(
            lambda kind, rest: {**rest, "event": kind},
            st.sampled_from(KINDS),
            st.dictionaries(st.sampled_from(NAMES), ANY | st.fixed_dictionaries({"cost": ANY, "prompt_tokens": ANY})),
        ),
        max_size=12,
    )
)
def test_nothing_in_the_file_upsets_the_board(events: list[dict[str, Any]]) -> None:
    board, said = heard(*events)
    for text in (*said, board.totals(1000.0), board.at_work(1000.0)):
        assert text.isprintable() or not text
    assert board.done == sum(event["event"] in ("attempt_kept", "attempt_finished") for event in events)
