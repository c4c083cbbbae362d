"""An episode as text for a terminal."""

from __future__ import annotations

from pytest_swegym.env.play import Play
from pytest_swegym.session import Turn


_COLOURS = {"+": "32", "-": "31", "@": "36"}
#: Characters of an action, an observation and a diff that are shown.
_SHOWN = 4000


def rendered(play: Play | None, turn: Turn | None, reward: float) -> str:
    """The task, the last action and what was seen of it, the diff since the start, and the reward."""
    if play is None:
        return "No task is being played.\n"
    seen = play.session.observation
    lines = [_bold(f"{play.task.id}  step {seen.step}  reward {reward:g}  sum of steps {play.summed:g}")]
    if turn is not None:
        lines += [f"> {_plain(turn.given)}"]
    lines += [_plain(seen.text)]
    if seen.diff:
        lines += [_bold("changes"), *(_coloured(line) for line in _plain(seen.diff).splitlines())]
    if play.record is not None:
        why = "; ".join(play.record.reasons)
        lines += [_bold(f"ended by {play.session.ending or 'the machinery'}: {play.record.verdict.value}"), _plain(why)]
    return "\n".join(line for line in lines if line) + "\n"


def _plain(text: str) -> str:
    """Text of others: cut, and without characters that would steer the terminal."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}\n[... {len(text) - _SHOWN} more characters]"
    return "".join(char if char in "\n\t" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in cut)


def _coloured(line: str) -> str:
    colour = "1" if line.startswith(("+++", "---", "diff ")) else _COLOURS.get(line[:1])
    return f"\x1b[{colour}m{line}\x1b[0m" if colour else line


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m"
