"""``genetic``: a population of prompts plays the task, and is bred by the graded reward of what each left."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.model import ModelClient
from pytest_swegym.agents.model.player import ModelPlayer
from pytest_swegym.agents.model.prompts import default_system
from pytest_swegym.agents.search.best_of import by_reward
from pytest_swegym.agents.search.breeder import ModelBreeder
from pytest_swegym.agents.search.candidate import Candidate
from pytest_swegym.agents.search.candidate import Trial
from pytest_swegym.agents.search.candidates import Candidates
from pytest_swegym.agents.search.population import Individual
from pytest_swegym.agents.search.population import Population
from pytest_swegym.agents.search.population import counts
from pytest_swegym.agents.search.shares import Shares
from pytest_swegym.agents.search.start import BEST
from pytest_swegym.agents.search.start import POPULATION
from pytest_swegym.agents.search.start import STYLES
from pytest_swegym.agents.search.start import start_prompts
from pytest_swegym.agents.search.start import write_agent
from pytest_swegym.agents.search.start import write_population
from pytest_swegym.agents.solver import AgentSolver
from pytest_swegym.errors import BudgetSpent
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import ModelError
from pytest_swegym.errors import ModelUnavailable
from pytest_swegym.session import load_protocol
from pytest_swegym.solvers import LoadedSolver
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.tools import Toolset
from pytest_swegym.workspace import Workspace


#: What a patch, and a short episode, are worth where rewards are equal.
_PATCH_BONUS, _BREVITY_BONUS = 1e-3, 1e-4
#: A reward that cannot be bettered.
_FULL = 1.0


class GeneticSolver:
    """Prompts extend the model agent's own; who has the best reward in the end is the answer.

    Every generation each new individual plays the task in a branch; elites keep what they have shown. The search ends
    when a reward is full, after ``genetic.generations``, or when time or budgets are used up.
    """

    graded = True

    def __init__(self, config: AgentConfig) -> None:
        how = config.genetic
        if how.generations < 1 or how.population < 1:
            raise ConfigError("genetic.generations and genetic.population must be at least 1")
        self.player = ModelPlayer(config)  # what cannot work is said before anything runs
        shares = counts(how.population, {"elite": how.elite, "mutation": how.mutation, "crossover": how.crossover})
        self.config = config
        self.prompts = start_prompts(Path(how.start).expanduser()) if how.start else STYLES
        #: Most episodes that are played.
        self.episodes = how.population + (how.generations - 1) * (how.population - shares["elite"])

    @property
    def identity(self) -> str:
        """Changes with the prompts that it begins with."""
        return content_key(*self.prompts)

    def with_config(self, config: AgentConfig) -> GeneticSolver:
        """The same search under other budgets."""
        return GeneticSolver(config)

    def __call__(self, task: TaskSpec | Task, workspace: Workspace) -> str | None:
        parallel = self.config.genetic.parallel
        candidates = Candidates(task, workspace, self.config, planned=self.episodes, parallel=parallel)
        evolution = _Evolution(self, candidates, workspace)
        try:
            evolution.run()
            return candidates.answer(evolution.best)
        finally:
            told = candidates.told(evolution.best)
            workspace.occasion.told.update(told, **evolution.told())
            candidates.close()


class _Evolution:
    """One search."""

    def __init__(self, solver: GeneticSolver, candidates: Candidates, workspace: Workspace) -> None:
        self._solver, self._candidates = solver, candidates
        occasion = workspace.occasion
        self._look, self._folder, self._seed = by_reward(workspace), occasion.folder, occasion.seed
        self._tools = occasion.tools
        self._played: dict[int, Candidate] = {}
        self._generations: list[list[dict[str, Any]]] = []
        self._stopped = ""

    @property
    def best(self) -> Candidate | None:
        """Of all that was played the fittest, and of those the first; ``None`` if none came to a patch."""
        return _fittest(each for each in self._played.values() if each.real)

    def run(self) -> None:
        """Play, breed, play again, as long as that may help."""
        how = self._solver.config.genetic
        population = Population(
            self._solver.prompts,
            _Shared(self._candidates.shares),
            size=how.population,
            elite=how.elite,
            mutation=how.mutation,
            crossover=how.crossover,
            seed=self._seed,
        )
        for generation in range(how.generations):
            whole = self._play(population)
            if not whole or self._solved() or generation == how.generations - 1:
                return
            try:
                population.evolve([fitness(self._played[each.number]) for each in population.individuals])
            except (BudgetSpent, ModelError, ModelUnavailable) as error:
                self._stopped = f"no children could be made: {error}"
                return

    def told(self) -> dict[str, Any]:
        """What the record tells besides the candidates."""
        best = self.best or _fittest(self._played.values())
        about = {"individual": best.about["individual"], "fitness": fitness(best)} if best else None
        stopped = {"stopped": self._stopped} if self._stopped else {}
        return {"genetic": {"generations": len(self._generations), "best": about, **stopped}}

    # -- inside ----------------------------------------------------------------------------------

    def _play(self, population: Population) -> bool:
        """Let the new ones play; whether all of them did."""
        waiting = [each for each in population.individuals if each.number not in self._played]
        ended = self._candidates.run([self._trial(each, population.generation) for each in waiting], self._look)
        self._played.update({each.about["individual"]: each for each in ended})
        whole = len(ended) == len(waiting)
        if whole:
            population.rate([fitness(self._played[each.number]) for each in population.individuals])
        self._generations.append([self._shown(each) for each in population.individuals])
        if self._folder is not None:
            write_population(self._folder / POPULATION, population, self._generations)
            # No prompt is shown to be worth anything by having done nothing.
            if (population.best.fitness or 0.0) > 0:
                write_agent(self._folder / BEST, self._prompted(self._solver.config, population.best))
        return whole

    def _trial(self, individual: Individual, generation: int) -> Trial:
        def make(config: AgentConfig) -> LoadedSolver:
            own = self._prompted(config, individual)
            return LoadedSolver(
                name="openai", identity=own.identity, function=AgentSolver(self._solver.player.with_config(own))
            )

        about = {"generation": generation, "individual": individual.number}
        # Everyone plays once, so that the number of the individual is the candidate's too.
        return Trial(number=individual.number, make=make, about=about)

    def _prompted(self, config: AgentConfig, individual: Individual) -> AgentConfig:
        return prompted(config, individual.prompt, tools=self._tools)

    def _shown(self, individual: Individual) -> dict[str, Any]:
        played = self._played.get(individual.number)
        value = fitness(played) if played else None
        return {"individual": individual.number, "candidate": individual.number if played else None, "fitness": value}

    def _solved(self) -> bool:
        scores = [each.seen.score for each in self._played.values() if each.seen is not None]
        return any(score is not None and score >= _FULL for score in scores)


class _Shared:
    """A breeder that keeps within the budgets of the whole search."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares

    def mutate(self, prompt: str, *, seed: int) -> str | None:
        return self._asked(lambda breeder: breeder.mutate(prompt, seed=seed))

    def cross(self, one: str, other: str, *, seed: int) -> str | None:
        return self._asked(lambda breeder: breeder.cross(one, other, seed=seed))

    def _asked(self, ask: Callable[[ModelBreeder], str | None]) -> str | None:
        with closing(ModelClient(self._shares.rest())) as client:
            try:
                return ask(ModelBreeder(client))
            finally:
                self._shares.spend(client.usage)


def _fittest(candidates: Iterable[Candidate]) -> Candidate | None:
    """Of those as fit the first."""
    return max(candidates, key=lambda each: (fitness(each), -each.number), default=None)


def fitness(candidate: Candidate) -> float:
    """The graded reward, and next to nothing for a patch that is not empty, and for few steps; 0 without a reward."""
    if candidate.seen is None or candidate.seen.score is None:
        return 0.0
    steps = candidate.told.get("steps")
    brevity = _BREVITY_BONUS / (1 + steps) if isinstance(steps, int) else 0.0
    return candidate.seen.score + _PATCH_BONUS + brevity


def prompted(config: AgentConfig, prompt: str, *, tools: Toolset | None = None) -> AgentConfig:
    """An agent that is told ``prompt`` besides what ``config`` tells it, or what it is told without one."""
    words = config.system or default_system(load_protocol(config.protocol)(tools))
    return replace(config, system=f"{words}\n\n{prompt}")
