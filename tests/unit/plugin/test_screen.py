"""Lines that stay below everything else, as a terminal shows them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pyte
import pytest
from hypothesis import assume
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.plugin.screen import Screen


COLUMNS, LINES = 20, 12
BLOCK = st.lists(st.text("abcd ", min_size=1, max_size=COLUMNS - 1).map(lambda text: "|" + text[1:]), max_size=4)
WRITE = st.text("xyz.\n", max_size=15)


class Emulator(io.StringIO):
    """What is written, as a terminal of 20 columns and 12 lines would show it."""

    def __init__(self) -> None:
        super().__init__()
        self._screen = pyte.HistoryScreen(COLUMNS, LINES, history=1000)
        self._stream = pyte.Stream(self._screen)

    def write(self, text: str) -> int:
        self._stream.feed(text.replace("\n", "\r\n"))
        return len(text)

    def rows(self) -> list[str]:
        """All that is to be seen, what has scrolled away too."""
        gone = ["".join(row[column].data for column in range(COLUMNS)) for row in self._screen.history.top]
        rows = [row.rstrip() for row in (*gone, *self._screen.display)]
        while rows and not rows[-1]:
            rows.pop()
        return rows


@pytest.fixture(autouse=True, scope="module")
def _size() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(COLUMNS))
        patch.setenv("LINES", str(LINES))
        yield


@given(st.lists(WRITE | BLOCK, max_size=15))
def test_the_block_is_below_what_is_written_and_leaves_no_trace(doings: list[str | list[str]]) -> None:
    text = "".join(each for each in doings if isinstance(each, str))
    assume(all(len(line) <= 4 * COLUMNS for line in text.split("\n")))
    shown, plain = Emulator(), Emulator()
    screen = Screen(shown)
    block: Sequence[str] = ()
    for doing in doings:
        if isinstance(doing, str):
            screen.write(doing)
            plain.write(doing)
        else:
            block = doing
            screen.show(block)
        drawn = [row.rstrip() for row in block]
        assert shown.rows()[-len(drawn) :] == drawn or not block
    screen.close()
    assert shown.rows() == plain.rows()


def test_a_line_is_begun_and_ended_above_the_block() -> None:
    shown = Emulator()
    screen = Screen(shown)
    screen.write("first\ntest_a.py \x1b[32m.\x1b[0m")
    screen.show(["| running"])
    assert shown.rows() == ["first", "test_a.py .", "| running"]
    screen.write(".")
    assert shown.rows() == ["first", "test_a.py ..", "| running"]
    screen.write("F\nlast")
    assert shown.rows() == ["first", "test_a.py ..F", "last", "| running"]
    screen.write("\rwritten anew\n")
    assert shown.rows() == ["first", "test_a.py ..F", "written anew", "| running"]


def test_a_line_that_never_ends_is_broken() -> None:
    shown = Emulator()
    screen = Screen(shown)
    screen.show(["| running"])
    screen.write("x" * 100)
    screen.write("y")
    assert shown.rows() == [*["x" * 20] * 5, "y", "| running"]


def test_a_pause_takes_the_block_away() -> None:
    shown = Emulator()
    screen = Screen(shown)
    screen.show(["| running"])
    screen.pause()
    screen.show(["| running"])
    screen.write("(Pdb) ")
    assert shown.rows() == ["(Pdb)"]
    screen.resume()
    screen.show(["| running"])
    assert shown.rows() == ["(Pdb)", "| running"]


def test_a_closed_screen_is_only_its_stream() -> None:
    shown = Emulator()
    screen = Screen(shown)
    screen.show(["| running"])
    screen.close()
    screen.show(["| running"])
    screen.write("late\n")
    assert shown.rows() == ["late"]
