"""Every candidate works under its own share of the budgets, whatever kind of solver it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_swegym.agents import AgentSolver
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.config import BestOf
from pytest_swegym.agents.config import Genetic
from pytest_swegym.agents.model.player import ModelPlayer
from pytest_swegym.agents.search import BestOfSolver
from pytest_swegym.agents.search import GeneticSolver
from pytest_swegym.agents.search.best_of import model_config
from pytest_swegym.agents.search.best_of import with_config
from pytest_swegym.errors import ConfigError
from pytest_swegym.solvers import LoadedSolver
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


CONFIG = AgentConfig(base_url="http://127.0.0.1:9/v1", model="some", max_tokens=1000)


class Own:
    """A solver of the user's that asks models itself, as a recipe does."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config

    def __call__(self, task: TaskSpec, workspace: Workspace) -> None: ...


def loaded(function: object) -> LoadedSolver:
    return LoadedSolver(name="some", identity="some", function=function)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "solver",
    [
        loaded(AgentSolver(ModelPlayer(CONFIG))),
        loaded(Own(CONFIG)),
        loaded(GeneticSolver(CONFIG)),
        loaded(BestOfSolver(loaded(Own(CONFIG)), 2, AgentConfig())),
    ],
)
def test_a_share_of_the_budgets(solver: LoadedSolver) -> None:
    assert model_config(solver) == CONFIG
    less = with_config(solver, replace(CONFIG, max_tokens=10))
    assert model_config(less) == replace(CONFIG, max_tokens=10)
    assert model_config(solver) == CONFIG
    if isinstance(less.function, BestOfSolver):
        assert model_config(less.function.inner) == replace(CONFIG, max_tokens=10)


def test_a_solver_that_asks_no_model_stays_as_it_is() -> None:
    plain = loaded(lambda task, workspace: None)
    assert model_config(plain) is None
    assert with_config(plain, CONFIG) is plain


def test_what_cannot_work_is_said_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    plain = loaded(lambda task, workspace: None)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        BestOfSolver(plain, 2, AgentConfig(best_of=BestOf(select="model")))
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        GeneticSolver(AgentConfig())
    with pytest.raises(ConfigError, match="must be at least 1"):
        GeneticSolver(replace(CONFIG, genetic=Genetic(population=0)))
    with pytest.raises(ConfigError, match="must sum up to 1"):
        GeneticSolver(replace(CONFIG, genetic=Genetic(elite=0.9)))
    with pytest.raises(ConfigError, match=r"none\.json"):
        GeneticSolver(replace(CONFIG, genetic=Genetic(start="none.json")))
