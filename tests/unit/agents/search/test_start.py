"""The prompts that a population begins with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.config import read_config
from pytest_swegym.agents.search import Population
from pytest_swegym.agents.search.start import STYLES
from pytest_swegym.agents.search.start import start_prompts
from pytest_swegym.agents.search.start import write_agent
from pytest_swegym.agents.search.start import write_population
from pytest_swegym.errors import ConfigError


class Same:
    def mutate(self, prompt: str, *, seed: int) -> str:
        return f"{prompt}!"

    def cross(self, one: str, other: str, *, seed: int) -> str:
        return one + other


def test_what_was_written_is_read_back_the_fittest_first(tmp_path: Path) -> None:
    population = Population(["a", "b", "c"], Same(), elite=0.34, mutation=0.33, crossover=0.33)
    population.evolve([0.5, 2.0, 1.0])
    population.rate([2.0, 0.0, 3.0])
    write_population(tmp_path / "population.json", population, [])
    present = {each.fitness: each.prompt for each in population.individuals}
    assert start_prompts(tmp_path / "population.json") == (present[3.0], present[2.0], present[0.0])


def test_a_plain_list_is_enough(tmp_path: Path) -> None:
    (tmp_path / "prompts.json").write_text(json.dumps(["Be quick.", "Be slow."]))
    assert start_prompts(tmp_path / "prompts.json") == ("Be quick.", "Be slow.")


def test_the_styles_differ() -> None:
    assert len(set(STYLES)) == len(STYLES) >= 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "not valid JSON"),
        ("[]", "expected a JSON list"),
        ('["", "a"]', "expected a JSON list"),
        ("[1]", "expected a JSON list"),
        (json.dumps(["a" * 5000]), "1 to 4000 characters"),
        ('{"format": "swegym.population/1"}', "expected a JSON list"),
        ('{"format": "swegym.population/1", "individuals": [{"number": 1}], "present": [1]}', "expected a JSON list"),
        ('{"format": "swegym.population/1", "individuals": 3, "present": [[]]}', "expected a JSON list"),
        ('"text"', "expected a JSON list"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_another_file_is_named_with_what_is_expected(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "start.json").write_text(text)
    with pytest.raises(ConfigError, match=f"genetic.start: .*start.json.*{said}"):
        start_prompts(tmp_path / "start.json")


@given(st.text())
def test_an_agents_words_are_read_back(tmp_path_factory: pytest.TempPathFactory, words: str) -> None:
    path = tmp_path_factory.mktemp("best") / "best.toml"
    write_agent(path, AgentConfig(system=words))
    assert read_config([str(path)]).system == words


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        start_prompts(tmp_path / "none.json")
