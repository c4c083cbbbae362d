"""The size never changes, the fittest is never lost, and a child comes from its parents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.search import Population
from pytest_swegym.agents.search.population import counts
from pytest_swegym.errors import BudgetSpent
from pytest_swegym.errors import ConfigError


class Words:
    """Children whose text names their parents; with ``left`` given it ends after so many of them."""

    def __init__(self, left: int | None = None) -> None:
        self.left = left

    def mutate(self, prompt: str, *, seed: int) -> str | None:
        return self._made(f"m({prompt})", seed)

    def cross(self, one: str, other: str, *, seed: int) -> str | None:
        return self._made(f"x({one},{other})", seed)

    def _made(self, text: str, seed: int) -> str | None:
        if self.left is not None:
            if not self.left:
                raise BudgetSpent("tokens")
            self.left -= 1
        return text if seed % 7 else None


@st.composite
def shares(draw: st.DrawFn) -> dict[str, float]:
    elite = draw(st.floats(0, 1))
    mutation = draw(st.floats(0, 1)) * (1 - elite)
    return {"elite": elite, "mutation": mutation, "crossover": max(1 - elite - mutation, 0.0)}


@given(st.integers(1, 40), shares())
def test_counts_add_up_to_the_size_and_no_share_is_forgotten(size: int, given_shares: dict[str, float]) -> None:
    found = counts(size, given_shares)
    assert sum(found.values()) == size
    assert min(found.values()) >= 0
    assert all(given_shares[name] > 0 or not number for name, number in found.items())
    if given_shares["elite"] > 0:
        assert found["elite"] >= 1
    if size >= 3:
        assert all(found[name] >= 1 for name, share in given_shares.items() if share > 0)


@given(
    st.integers(1, 9),
    shares(),
    st.lists(st.lists(st.floats(-1, 2), min_size=9, max_size=9), min_size=1, max_size=4),
    st.integers(0, 5),
)
def test_evolution(size: int, parts: dict[str, float], told: list[list[float]], seed: int) -> None:
    population = Population(["a", "b", "c"], Words(), size=size, seed=seed, **parts)
    again = Population(["a", "b", "c"], Words(), size=size, seed=seed, **parts)
    for fitnesses in told:
        before = list(population.individuals)
        population.evolve(fitnesses[:size])
        again.evolve(fitnesses[:size])
        assert len(population) == size
        assert population.individuals == again.individuals
        numbers = {each.number for each in before}
        best = max(zip(fitnesses, before, strict=False), key=lambda pair: pair[0])
        if parts["elite"] > 0:
            assert any(each.fitness == best[0] and each.number in numbers for each in population.individuals)
        for child in (each for each in population.individuals if each.number not in numbers):
            assert set(child.parents) <= numbers
            assert child.born == population.generation
            texts = [population.all[parent].prompt for parent in child.parents]
            made = {"mutation": f"m({texts[0]})", "crossover": f"x({','.join(texts)})", "copy": texts[0]}
            assert child.prompt == made[child.how]


def test_a_crossing_takes_two_different_parents() -> None:
    population = Population(["a", "b"], Words(), elite=0.5, mutation=0, crossover=0.5)
    for _ in range(20):
        population.evolve([1.0, 0.0])
        assert len(set(population.individuals[1].parents)) == 2


def test_what_cannot_be_bred_leaves_the_generation_as_it_was() -> None:
    population = Population(["a", "b", "c", "d"], Words(left=2))
    before = population.individuals
    with pytest.raises(BudgetSpent):
        population.evolve([0.0, 1.0, 2.0, 3.0])
    assert [each.number for each in population.individuals] == [each.number for each in before]
    assert population.best.prompt == "d"
    assert (len(population.all), population.generation) == (4, 0)


def test_a_population_that_cannot_be_says_so() -> None:
    with pytest.raises(ConfigError, match=r"elite 0.3 \+ mutation 0.3 \+ crossover 0.3 = 0.9.*must sum up to 1"):
        Population(["a"], Words(), elite=0.3, mutation=0.3, crossover=0.3)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        Population(["a"], Words(), elite=-0.5, mutation=1.0, crossover=0.5)
    with pytest.raises(ConfigError, match="at least one prompt"):
        Population([], Words(), size=3)
    population = Population(["a", "b"], Words())
    with pytest.raises(ConfigError, match="1 fitnesses for a population of 2"):
        population.evolve([1.0])
    with pytest.raises(ConfigError, match="finite"):
        population.evolve([1.0, float("nan")])
