"""A task's test command, taken apart: which interpreter, which runner, which arguments."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

from pytest_swegym.errors import SpecError
from pytest_swegym.grading.native import native
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec


_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
_PYTEST = re.compile(r"(?:.*/)?(?:pytest|py\.test)")
_TOX = re.compile(r"(?:.*/)?tox")
_SHELL = re.compile(r"[;&|<>`]|\$\(")
#: Runners that are a file of the repository: how that file is called.
SCRIPTS = {"django": re.compile(r"(?:.*/)?runtests\.py"), "sympy": re.compile(r"(?:.*/)?bin/test")}
_DEFAULTS = {
    "pytest": "pytest",
    "unittest": "python -m unittest",
    "django": "python tests/runtests.py --verbosity 2",
    "sympy": "bin/test -C --verbose",
}
_WANTED = {
    "pytest": "'[VAR=value ...] [python -m] pytest ...' or 'tox [-e ENV] [-- ...]'",
    "unittest": "'python -m unittest ...'",
    "django": "'[python] tests/runtests.py ...'",
    "sympy": "'[python] bin/test ...'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """``python`` is empty for "the one on PATH"; ``flags`` are the interpreter's own, ``args`` the runner's.

    ``cwd_on_path`` says whether modules are looked for in the repository's root first, as ``python -m`` does.
    ``script`` is the repository's file that the command starts. ``tox`` names the environment whose commands in
    ``tox.ini`` are meant (``args`` are then what they get as ``{posargs}``), see :mod:`pytest_swegym.grading.tox`.
    """

    python: str = ""
    flags: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    cwd_on_path: bool = False
    env: dict[str, str] = field(default_factory=dict)
    script: str = ""
    tox: str = ""


def visible_tests(spec: TaskSpec) -> str:
    """What a solver types to run the tests that it can see; empty for a task that no test suite decides."""
    table = native(spec.runner)
    return spec.test_command or (table.command if table else _DEFAULTS.get(spec.runner, ""))


def parse_command(task: Task) -> Command:
    """The command of ``task`` (default: its runner, bare).

    Raises :class:`SpecError` if it is more than assignments, an interpreter and the runner.
    """
    runner = task.spec.runner
    text = task.spec.test_command or _DEFAULTS[runner]

    def error(why: str) -> SpecError:
        return SpecError(f"{why} (got {text!r}); expected {_WANTED[runner]}", field="test_command", where=task.where)

    return parse_line(text, runner, error)


def parse_line(text: str, runner: str, error: Callable[[str], Exception]) -> Command:
    """``text`` as a command of ``runner``. Raises what ``error`` makes of the reason if it is none."""
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
    first = words[0] if words else ""
    if runner == "pytest" and _PYTEST.fullmatch(first):
        return Command(args=tuple(words[1:]), env=env)
    if runner == "pytest" and _TOX.fullmatch(first):
        return _tox(words[1:], env, error)
    if runner in SCRIPTS:
        return _script(words, SCRIPTS[runner], env) or _refuse(error, runner)
    if not _PYTHON.fullmatch(first) or "-m" not in words:
        raise error(f"does not start the {runner} runner")
    at = words.index("-m")
    if words[at + 1 : at + 2] != [runner]:
        raise error(f"does not start the {runner} runner")
    return Command(
        python=_interpreter(first), flags=tuple(words[1:at]), args=tuple(words[at + 2 :]), cwd_on_path=True, env=env
    )


def _interpreter(word: str) -> str:
    return "" if word in ("python", "python3") else word


def _refuse(error: Callable[[str], Exception], runner: str) -> Command:
    raise error(f"does not start the {runner} runner")


def _script(words: list[str], name: re.Pattern[str], env: dict[str, str]) -> Command | None:
    """``[python [flags]] SCRIPT args``; ``None`` if it is something else."""
    python = words[0] if words and _PYTHON.fullmatch(words[0]) else ""
    at = 1 if python else 0
    while python and at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in ("-W", "-X") else 1
    if at >= len(words) or not name.fullmatch(words[at]):
        return None
    script = words[at]
    while script.startswith("./"):
        script = script[2:]
    flags = tuple(words[1:at])
    return Command(python=_interpreter(python), flags=flags, args=tuple(words[at + 1 :]), env=env, script=script)


def _tox(words: list[str], env: dict[str, str], error: Callable[[str], Exception]) -> Command:
    """``tox``'s own words: the environment's name counts, how much it says or builds does not."""
    at = words.index("--") if "--" in words else len(words)
    own, posargs, name = words[:at], tuple(words[at + 1 :]), ""
    while own:
        word = own.pop(0)
        if word in ("run", "r", "--current-env", "-v", "-vv", "-q", "-r", "--recreate", "--develop"):
            continue
        if word == "-e" and own:
            name = own.pop(0)
        elif word.startswith("-e") and len(word) > 2:
            name = word[2:]
        else:
            raise error(f"tox option {word!r} is not understood")
    if "," in name:
        raise error("more than one tox environment")
    return Command(args=posargs, env=env, tox=name or "testenv")


def _has_operator(text: str) -> bool:
    """Whether a shell would see ``;``, ``&``, ``|`` or a redirection outside quotes."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return any(token and set(token) <= set("();<>|&") for token in lexer)
