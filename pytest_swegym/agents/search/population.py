"""A population of prompts: elites live on, the others are mutated and crossed; its size never changes."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

from pytest_swegym.agents.search.breeder import Breeder
from pytest_swegym.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Individual:
    """A prompt. ``how`` it came about: ``start``, ``mutation`` or ``crossover`` of its ``parents`` (their numbers), or
    ``copy`` where a child could not be made of them; ``born`` in which generation. ``fitness`` is the last one told."""

    number: int
    prompt: str
    how: str = "start"
    parents: tuple[int, ...] = ()
    born: int = 0
    fitness: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "parents": list(self.parents)}


class Population:
    """``size`` prompts (default: as many as are given) that :meth:`evolve` by their fitness.

    ``elite``, ``mutation`` and ``crossover`` are shares of the size and sum up to 1. Parents are chosen by rank, by a
    chance that ``seed`` decides. Too few prompts are filled up by mutation; of too many the first are taken. Raises
    :class:`ConfigError` for shares or sizes that make no population.
    """

    def __init__(
        self,
        prompts: Sequence[str],
        breeder: Breeder,
        *,
        size: int | None = None,
        elite: float = 0.25,
        mutation: float = 0.5,
        crossover: float = 0.25,
        seed: int = 0,
    ) -> None:
        wanted = len(prompts) if size is None else size
        if wanted < 1 or not prompts:
            raise ConfigError(f"a population needs at least one prompt (got {len(prompts)}, for a size of {wanted})")
        self.counts = counts(wanted, {"elite": elite, "mutation": mutation, "crossover": crossover})
        self.generation = 0
        #: Everyone who ever lived, by number.
        self.all: dict[int, Individual] = {}
        self._breeder = breeder
        self._random = random.Random(f"population {seed}")
        self.individuals = [self._born(prompt) for prompt in prompts[:wanted]]
        first = list(self.individuals)
        while len(self.individuals) < wanted:
            self.individuals.append(self._mutated(self._random.choice(first)))

    def __len__(self) -> int:
        return len(self.individuals)

    @property
    def best(self) -> Individual:
        """The fittest of the present ones; the first, before any fitness is told."""
        return self._ranked()[0]

    def rate(self, fitnesses: Sequence[float]) -> None:
        """Tell how fit each of the present individuals is, in their order. Raises :class:`ConfigError`."""
        if len(fitnesses) != len(self.individuals):
            raise ConfigError(f"{len(fitnesses)} fitnesses for a population of {len(self.individuals)}")
        if not all(math.isfinite(each) for each in fitnesses):
            raise ConfigError(f"fitnesses must be finite numbers, got {list(fitnesses)!r:.200}")
        told = zip(self.individuals, fitnesses, strict=True)
        self.individuals = [replace(each, fitness=float(fitness)) for each, fitness in told]
        self.all.update({each.number: each for each in self.individuals})

    def evolve(self, fitnesses: Sequence[float]) -> None:
        """The next generation: the fittest as they are, and children of parents that were chosen by their rank.

        Raises as :meth:`rate`, and what the breeder does; the present generation then stays.
        """
        self.rate(fitnesses)
        ranked, known = self._ranked(), dict(self.all)
        self.generation += 1
        try:
            children = [self._mutated(self._chosen(ranked)) for _ in range(self.counts["mutation"])]
            children += [self._crossed(ranked) for _ in range(self.counts["crossover"])]
        except Exception:
            self.generation, self.all = self.generation - 1, known
            raise
        self.individuals = [*ranked[: self.counts["elite"]], *children]

    # -- inside ----------------------------------------------------------------------------------

    def _ranked(self) -> list[Individual]:
        return sorted(
            self.individuals, key=lambda each: -math.inf if each.fitness is None else each.fitness, reverse=True
        )

    def _chosen(self, ranked: Sequence[Individual]) -> Individual:
        """One of them by chance: the fitter, the likelier."""
        return self._random.choices(ranked, range(len(ranked), 0, -1))[0]

    def _mutated(self, parent: Individual) -> Individual:
        child = self._breeder.mutate(parent.prompt, seed=self._random.getrandbits(31))
        return self._born(child, "mutation", parent)

    def _crossed(self, ranked: Sequence[Individual]) -> Individual:
        """A child of two different parents; of one twice, where there is no other."""
        first = self._chosen(ranked)
        second = self._chosen([each for each in ranked if each is not first] or ranked)
        child = self._breeder.cross(first.prompt, second.prompt, seed=self._random.getrandbits(31))
        return self._born(child, "crossover", first, second)

    def _born(self, prompt: str | None, how: str = "start", *parents: Individual) -> Individual:
        """A new individual; without a prompt of its own it is a copy of its first parent."""
        made = Individual(
            number=len(self.all),
            prompt=parents[0].prompt if prompt is None else prompt,
            how="copy" if prompt is None else how,
            parents=tuple(each.number for each in parents),
            born=self.generation,
        )
        self.all[made.number] = made
        return made


def counts(size: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many individuals each share is: together always ``size``.

    What is left by rounding goes to the largest rests; a share above 0 gets at least one, as far as there are enough.
    Raises :class:`ConfigError` for shares that do not sum up to 1.
    """
    total = sum(shares.values())
    if not all(0 <= share <= 1 for share in shares.values()) or not math.isclose(total, 1, abs_tol=1e-6):
        said = " + ".join(f"{name} {share:g}" for name, share in shares.items())
        raise ConfigError(f"{said} = {total:g}: the shares of a population are from 0 to 1 and must sum up to 1")
    found = {name: int(share * size) for name, share in shares.items()}
    by_rest = sorted(shares, key=lambda name: found[name] - shares[name] * size)
    for name in by_rest[: size - sum(found.values())]:
        found[name] += 1
    for name in shares:
        largest = max(found, key=lambda each: found[each])
        if shares[name] > 0 and not found[name] and (found[largest] > 1 or name == "elite"):
            found[largest] -= 1
            found[name] += 1
    return found
