"""Solvers by name: built in, players, ``module:attr``, ``path/to/file.py:attr``."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.loading import load
from pytest_swegym._support.loading import looks_like_name
from pytest_swegym.errors import LoadError
from pytest_swegym.solvers import builtin
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


#: What ``--swegym-solver`` takes besides the user's own code.
BUILT_IN = {
    "gold": "the task's own solution",
    "empty": "no change at all",
    "predictions:FILE": "patches from a SWE-bench predictions file",
    "command:PROGRAM": "a program that works in the workspace; its tree is the answer",
    "command:RECIPE": "another agent, such as mini-swe-agent, installed and run inside the sandbox",
    "openai[:MODEL]": "a language model behind an OpenAI-compatible endpoint, step by step",
    "best_of:N[:SOLVER]": "the best of N attempts of another solver (openai)",
    "genetic": "a population of prompts that is bred by their graded rewards",
    "human": "a person at the terminal, step by step",
    "scripted:FILE": "actions that were written down before",
    "replay:FILE": "the actions of a trajectory, or of those of a run's folder",
    "random": "harmless actions by chance",
}
#: Solvers that play step by step, and who makes them: named by text, for they are made of what is above solvers.
_AGENTS = ("openai", "best_of", "genetic", "human", "scripted", "replay", "random")
_LOAD_AGENT = "pytest_swegym.agents:load_agent"
#: Programs, and agents that are run as programs.
_LOAD_COMMAND = "pytest_swegym.agents.recipes:load_command"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSolver:
    """A solver with its name. ``identity`` changes when its code or file does; ``trusted`` ones see the hidden part.

    One that is ``alone`` needs the terminal for itself. One that is ``graded`` searches by the graded reward, one that
    is ``oracle`` is told which paths the known solution changes: the record of both says so. ``tools`` are the folders
    that its workspaces must have installed besides those of the run.
    """

    name: str
    identity: str
    function: Callable[[Any, Workspace], str | None]
    trusted: bool = False
    alone: bool = False
    graded: bool = False
    oracle: bool = False
    tools: tuple[Path, ...] = ()

    def __call__(self, task: TaskSpec | Task, workspace: Workspace) -> str | None:
        return self.function(task, workspace)


def load_solver(name: str, *, root: Path | None = None, agent: Sequence[str] = ()) -> LoadedSolver:
    """The solver called ``name``; files are relative to ``root``, ``agent`` are the words of ``--swegym-agent``.

    Raises :class:`LoadError` or :class:`ConfigError`.
    """
    kind, colon, rest = name.partition(":")
    if name == "gold":
        return LoadedSolver(name=name, identity=name, function=builtin.gold, trusted=True)
    if name == "empty":
        return LoadedSolver(name=name, identity=name, function=builtin.empty)
    if kind == "predictions" and colon:
        path = (root or Path.cwd()) / rest
        predictions = builtin.Predictions(path)
        return LoadedSolver(name=name, identity=content_key(predictions.patches), function=predictions)
    if kind == "command" and colon:
        program: LoadedSolver = load(_LOAD_COMMAND)(name, root=root, words=agent)
        return program
    if kind in _AGENTS:
        made: LoadedSolver = load(_LOAD_AGENT)(name, root=root, words=agent)
        return made
    if not looks_like_name(name):
        choices = ", ".join([*BUILT_IN, "module:attr", "path/to/file.py:attr"])
        raise LoadError(f"unknown solver {name!r}; choose from: {choices}{_meant(kind)}")
    try:
        found = load(name, what="solver", root=root)
    except LoadError as error:
        raise LoadError(f"{error}{_meant(kind)}") from error.__cause__
    return own_solver(name, found)


def _meant(kind: str) -> str:
    """``; did you mean openai[:MODEL]?``, if that is near; else nothing."""
    forms = {form.replace("[", ":").partition(":")[0]: form for form in BUILT_IN}
    near = difflib.get_close_matches(kind, forms, 1, 0.75)
    return f"; did you mean {forms[near[0]]}?" if near and kind not in forms else ""


def own_solver(name: str, found: Any) -> LoadedSolver:
    """The user's own: a function, an object with ``solve``, or a class of either kind (made without arguments).

    Raises :class:`LoadError` for anything else.
    """
    made = found() if isinstance(found, type) else found
    function = made.solve if hasattr(made, "solve") else made
    if not callable(function):
        kind = type(made).__name__
        raise LoadError(f"solver {name!r} is of type {kind}; expected solve(task, workspace), or a class with solve")
    if not _takes_two(function):
        raise LoadError(f"solver {name!r} must take two arguments, (task, workspace)")

    def wants(what: str) -> bool:
        return any(getattr(each, what, False) is True for each in (made, function))

    identity = _code_identity(name, function)
    return LoadedSolver(name=name, identity=identity, function=function, graded=wants("graded"), oracle=wants("oracle"))


def _takes_two(function: Any) -> bool:
    import inspect

    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        return True  # written in C: it has no signature to ask
    return True


def _code_identity(name: str, function: Any) -> str:
    """The name, and the text of the file that holds the solver: a changed solver is another solver."""
    import inspect

    try:
        source = inspect.getsourcefile(inspect.unwrap(getattr(function, "__func__", function)))
        text = Path(source).read_text(encoding="utf-8") if source else ""
    except (TypeError, OSError):
        text = ""
    return content_key(name, text)
