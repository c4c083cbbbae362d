"""The lines of a live monitor, as wide as the terminal."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from pytest_swegym.plugin.board import amount
from pytest_swegym.plugin.board import duration
from pytest_swegym.results.spending import money


if TYPE_CHECKING:
    from rich.table import Table

    from pytest_swegym.plugin.board import Board
    from pytest_swegym.plugin.board import Line


#: What the line of all attempts begins with.
_NAME = "swegym: "
#: From which width on a line has its columns.
_TIME, _COST, _ACTION = 40, 68, 88


class Drawing:
    """Draws boards; ``colour`` and ``unicode`` say what the terminal can show."""

    def __init__(self, *, colour: bool, unicode: bool) -> None:
        from rich.spinner import Spinner

        self._colour = colour
        self._spinner = Spinner("dots" if unicode else "line")
        self._cut = "…" if unicode else "~"

    def lines(self, board: Board, now: float, size: os.terminal_size) -> list[str]:
        """A line for each attempt that runs, as many as half the terminal holds, and one for all; none if nothing is
        known of the run yet."""
        if board.since is None and not board.done:
            return []
        room = max(size.lines // 2 - 2, 1)
        running = sorted(board.running.values(), key=lambda each: each.since)
        # One column less: in the last one, terminals differ in where the cursor is.
        width = max(size.columns - 1, 10)
        drawn = self._rendered(self._table(running[:room], now, width), width) if running else []
        if len(running) > room:
            drawn.append(self._text(f"  and {len(running) - room} more", width, "dim"))
        totals = board.totals(now, width - len(_NAME))
        return [*drawn, self._text(f"{_NAME}{totals}", width, "bold")]

    def _table(self, running: list[Line], now: float, width: int) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(width=1)
        names = max(len(each.key) for each in running)
        table.add_column(width=min(names, max(width // 3, 8)), no_wrap=True, style="cyan")
        table.add_column(width=12, no_wrap=True)
        if width >= _TIME:
            table.add_column(width=7, no_wrap=True, justify="right")
        spends = any(each.tokens or each.cost for each in running)
        if width >= _COST and spends:
            table.add_column(width=7, no_wrap=True, justify="right")
            table.add_column(width=12, no_wrap=True, justify="right")
        if width >= _ACTION:
            table.add_column(no_wrap=True, style="dim")
        for each in running:
            cells = [str(self._spinner.render(now)), each.key, each.doing, duration(now - each.since)]
            if spends:
                cells += [f"{amount(each.tokens)}t", "" if each.cost is None else f"cost {money(each.cost)}"]
            cells.append(each.action)
            table.add_row(*(Text(cell, overflow="ellipsis") for cell in cells[: len(table.columns)]))
        return table

    def _text(self, text: str, width: int, style: str) -> str:
        from rich.text import Text

        return self._rendered(Text(text, style=style, no_wrap=True, overflow="ellipsis"), width)[0]

    def _rendered(self, content: object, width: int) -> list[str]:
        from rich.console import Console

        console = Console(
            file=io.StringIO(),
            force_terminal=True,
            color_system="standard" if self._colour else None,
            width=width,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )
        with console.capture() as capture:
            console.print(content)
        return [line.rstrip().replace("…", self._cut) for line in capture.get().splitlines()]
