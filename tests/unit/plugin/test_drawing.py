"""The lines of the live monitor."""

from __future__ import annotations

import os
import re

import pytest
from rich.cells import cell_len

from pytest_swegym.plugin.board import Board
from pytest_swegym.plugin.drawing import Drawing


COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "rm \x1b[2J\x1b]0;evil\x07 \u202egnp.exe \x9b31m 日本語 [bold]x[/bold] :smile:"


def board(count: int = 2, *, action: str = "ls", tokens: int = 1500) -> Board:
    made = Board()
    made.hear({"event": "run_started", "time": 1000.0, "planned": 40})
    for number in range(count):
        key = f"django__django-1{number}"
        made.hear({"event": "attempt_started", "time": 1000.0 + number, "attempt": key})
        made.hear({"event": "stage", "time": 1001.0, "attempt": key, "stage": "sandbox", "seconds": 0.1})
        made.hear({"event": "step", "attempt": key, "step": 3, "action": action, "tokens": tokens, "cost": 0.02})
    return made


def lines(made: Board, columns: int = 120, rows: int = 30, *, colour: bool = False, unicode: bool = True) -> list[str]:
    return Drawing(colour=colour, unicode=unicode).lines(made, 1065.0, os.terminal_size((columns, rows)))


def test_a_line_for_each_attempt_and_one_for_all() -> None:
    first, second, totals = lines(board())
    assert first.split()[1:] == ["django__django-10", "solve", "3", "1:05", "1.5kt", "cost", "0.02", "ls"]
    assert second.split()[1:4] == ["django__django-11", "solve", "3"]
    assert totals == "swegym: 0/40 done, 0 resolved, 2 running, 3.0k tokens, cost 0.04, 1:05"


def test_nothing_is_drawn_before_anything_is_known() -> None:
    assert lines(Board()) == []


def test_there_are_no_columns_for_what_nobody_uses() -> None:
    made = Board()
    made.hear({"event": "attempt_started", "time": 1000.0, "attempt": "calc-1"})
    made.hear({"event": "run_started", "time": 1000.0, "planned": 1})
    assert lines(made)[0].split()[1:] == ["calc-1", "checkout", "1:05"]


def test_no_more_lines_than_the_terminal_has_room_for() -> None:
    drawn = lines(board(30), rows=20)
    assert len(drawn) == 10
    assert drawn[-2].strip() == "and 22 more"


@pytest.mark.parametrize("columns", [5, 12, 30, 40, 68, 88, 200])
@pytest.mark.parametrize("colour", [False, True])
def test_no_line_is_wider_than_the_terminal_nor_moves_its_cursor(columns: int, colour: bool) -> None:
    made = board(action=HOSTILE)
    made.hear({"event": "attempt_started", "time": 1000.0, "attempt": HOSTILE})
    for line in lines(made, columns, colour=colour):
        plain = COLOUR.sub("", line) if colour else line
        assert plain.isprintable()
        assert cell_len(plain) <= max(columns - 1, 10)


def test_plain_letters_for_a_terminal_that_has_no_others() -> None:
    assert "".join(lines(board(action="x" * 300), unicode=False)).isascii()
