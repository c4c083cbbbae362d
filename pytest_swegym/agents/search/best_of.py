"""``best_of:N``: several attempts of another solver, of which the best becomes the answer."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.model import ModelClient
from pytest_swegym.agents.search.candidate import Look
from pytest_swegym.agents.search.candidate import Seen
from pytest_swegym.agents.search.candidate import Trial
from pytest_swegym.agents.search.candidates import Candidates
from pytest_swegym.agents.search.choose import Choice
from pytest_swegym.agents.search.choose import choose
from pytest_swegym.agents.search.judge import PatchJudge
from pytest_swegym.agents.search.visible import VisibleTests
from pytest_swegym.agents.solver import AgentSolver
from pytest_swegym.errors import SolverError
from pytest_swegym.solvers import LoadedSolver
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


class BestOfSolver:
    """``count`` attempts of ``inner``, each with a seed of its own, in branches of the workspace.

    ``config.best_of`` says how one is chosen. Time and budgets are shared among all of them. What is chosen by is
    nothing hidden, unless by the ``graded`` reward, which the solver's own record then tells.
    """

    def __init__(self, inner: LoadedSolver, count: int, config: AgentConfig) -> None:
        self.inner, self.count = inner, count
        self.config = model_config(inner) or config
        if self.config.best_of.select == "model":
            ModelClient(self.config)  # what cannot work is said before anything runs

    def __call__(self, task: TaskSpec | Task, workspace: Workspace) -> str | None:
        how = self.config.best_of
        candidates = Candidates(task, workspace, self.config, planned=self.count, parallel=how.parallel)
        choice = Choice(candidate=None, by=how.select)
        try:
            choice = self._search(candidates, workspace)
            return candidates.answer(choice.candidate)
        finally:
            selected = {"by": choice.by, **({"note": choice.note} if choice.note else {})}
            workspace.occasion.told.update(candidates.told(choice.candidate), selected=selected)
            candidates.close()

    def with_config(self, config: AgentConfig) -> BestOfSolver:
        """The same search under other budgets."""
        return BestOfSolver(with_config(self.inner, config), self.count, config)

    def _search(self, candidates: Candidates, workspace: Workspace) -> Choice:
        select, look, problem = self.config.best_of.select, None, ""
        if select == "tests":
            tests = VisibleTests(
                candidates.spec, workspace, candidates.start, limit=candidates.shares.seconds / (self.count + 2)
            )
            candidates.shares.looked(tests.seconds)
            problem = tests.problem
            look = None if problem else lambda branch, patch: tests.look(patch)
        elif select == "graded":
            look = by_reward(workspace)
        trials = [Trial(number=number, make=lambda c: with_config(self.inner, c)) for number in range(self.count)]
        ended = candidates.run(trials, look)
        if select != "model":
            return choose(ended, select, problem=problem)
        return self._judged(candidates)

    def _judged(self, candidates: Candidates) -> Choice:
        def judge(patches: Sequence[str]) -> int:
            with closing(ModelClient(candidates.shares.rest())) as client:
                try:
                    return PatchJudge(client, candidates.spec)(patches)
                finally:
                    candidates.shares.spend(client.usage)

        return choose(candidates.ended, "model", judge=judge)


def by_reward(workspace: Workspace) -> Look:
    """A look that asks for the graded reward. Raises :class:`SolverError` if the attempt does not give it."""
    score = workspace.occasion.score
    if score is None:
        raise SolverError(
            "this search goes by the graded reward, which only a solver that is loaded as graded is given"
        )

    def look(branch: Workspace, patch: str) -> Seen:
        return Seen(score=score(branch))

    return look


def model_config(solver: LoadedSolver) -> AgentConfig | None:
    """The configuration that a solver works by; ``None`` if it has none."""
    function: Any = solver.function
    found = getattr(getattr(function, "player", function), "config", None)
    return found if isinstance(found, AgentConfig) else None


def with_config(solver: LoadedSolver, config: AgentConfig) -> LoadedSolver:
    """The same solver under another configuration, that is under other budgets; one that has none stays as it is."""
    function: Any = solver.function
    if model_config(solver) is None:
        return solver
    if isinstance(function, AgentSolver):
        player: Any = function.player
        made: Any = AgentSolver(player.with_config(config) if hasattr(player, "with_config") else type(player)(config))
    elif hasattr(function, "with_config"):
        made = function.with_config(config)
    else:
        made = copy.copy(function)
        made.config = config
    return replace(solver, function=made)
