"""A task's test command, taken apart: which interpreter, which runner, which arguments."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from dataclasses import field

from pytest_swegym.errors import SpecError
from pytest_swegym.task import Task


_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
_PYTEST = re.compile(r"(?:.*/)?(?:pytest|py\.test)")
_SHELL = re.compile(r"[;&|<>`]|\$\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """``python`` is empty for "the one on PATH"; ``flags`` are the interpreter's own, ``args`` the runner's.

    ``cwd_on_path`` says whether modules are looked for in the repository's root first, as ``python -m`` does.
    """

    python: str = ""
    flags: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    cwd_on_path: bool = False
    env: dict[str, str] = field(default_factory=dict)


def parse_command(task: Task) -> Command:
    """The command of ``task`` (default: its runner, bare).

    Raises :class:`SpecError` if it is more than assignments, an interpreter and the runner.
    """
    runner = task.spec.runner
    text = task.spec.test_command or ("pytest" if runner == "pytest" else "python -m unittest")

    def error(why: str) -> SpecError:
        want = "'[VAR=value ...] [python -m] pytest ...'" if runner == "pytest" else "'python -m unittest ...'"
        return SpecError(f"{why} (got {text!r}); expected {want}", field="test_command", where=task.where)

    try:
        words = shlex.split(text)
    except ValueError as problem:
        raise error(str(problem)) from None
    if any(_SHELL.search(word) for word in words[:1]) or _has_operator(text):
        raise error("shell operators are not understood; put preparations into environment.install")
    env: dict[str, str] = {}
    while words and (found := _ASSIGNMENT.fullmatch(words[0])):
        env[found[1]] = found[2]
        del words[0]
    if words and runner == "pytest" and _PYTEST.fullmatch(words[0]):
        return Command(args=tuple(words[1:]), env=env)
    if not words or not _PYTHON.fullmatch(words[0]) or "-m" not in words:
        raise error(f"does not start the {runner} runner")
    at = words.index("-m")
    if words[at + 1 : at + 2] != [runner]:
        raise error(f"does not start the {runner} runner")
    python = "" if words[0] in ("python", "python3") else words[0]
    return Command(python=python, flags=tuple(words[1:at]), args=tuple(words[at + 2 :]), cwd_on_path=True, env=env)


def _has_operator(text: str) -> bool:
    """Whether a shell would see ``;``, ``&``, ``|`` or a redirection outside quotes."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return any(token and set(token) <= set("();<>|&") for token in lexer)
