"""Searches in real sandboxes: candidates in branches, the best of several, and a population of prompts."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_model import FakeModel

from pytest_swegym.agents import load_agent
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.config import BestOf
from pytest_swegym.agents.config import read_config
from pytest_swegym.agents.search import BestOfSolver
from pytest_swegym.episode import Attempt
from pytest_swegym.errors import InfraError
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.solvers import LoadedSolver
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import Verdict
from pytest_swegym.trajectory import read_trajectory
from pytest_swegym.workspace import Occasion
from pytest_swegym.workspace import Workspace


one_backend = pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True, scope="session")
FIX = "sed -i 's/a - b/a + b/' calc.py"
BREAK = "sed -i 's/a - b/a + b/; s/a \\* 2/a * 3/' calc.py"
OTHER = "sed -i 's/a - b/b - a/' calc.py"
Solve = Callable[[TaskSpec, Workspace], "str | None"]


def inner(function: Solve, **wants: bool) -> LoadedSolver:
    return LoadedSolver(name="own", identity="own", function=function, **wants)


def attempt(
    task: Task, lab: Lab, solver: Any, folder: Path | None = None, *, seed: int = 1, reward: str = "resolved"
) -> AttemptRecord:
    return Attempt(
        task,
        solver,
        lab,
        reward=lambda spec, grade: compute_reward(reward, grade),
        seed=seed,
        occasion=Occasion(folder=folder),
    ).record()


def best_of(count: int, function: Solve, *, graded: bool = False, **how: Any) -> LoadedSolver:
    config = AgentConfig(best_of=BestOf(**how))
    solver = BestOfSolver(inner(function), count, config)
    return LoadedSolver(name=f"best_of:{count}", identity="", function=solver, graded=graded)


def commands(*each: str) -> Solve:
    """What the candidates do, one after the other."""

    def solve(task: TaskSpec, workspace: Workspace) -> None:
        workspace.run(each[workspace.occasion.number % len(each)])

    return solve


@pytest.mark.usefixtures("no_sandbox_left")
def test_the_visible_tests_choose(task: Task, lab: Lab, tmp_path: Path) -> None:
    solver = best_of(4, commands("true", BREAK, "kill -9 -1", FIX), select="tests")
    record = attempt(task, lab, solver, tmp_path)
    assert record.resolved, record.reasons
    assert record.extra["selected"] == {"by": "tests"}
    told = {each["number"]: each for each in record.extra["candidates"]}
    assert [each["chosen"] for each in told.values()] == [False, False, False, True]
    assert told[1]["tests"] == {"fixed": 0, "broken": 1, "run": 1}
    assert told[3]["tests"] == {"fixed": 0, "broken": 0, "run": 1}
    assert told[0]["error"] == told[3]["error"] == ""
    assert told[0]["patch_sha"] == ""
    assert len({each["seed"] for each in told.values()}) == 4
    assert "graded_looks" not in record.extra
    assert (tmp_path / "candidates" / "3" / "patch.diff").read_text() == record.patch
    assert not (tmp_path / "candidates" / "0" / "patch.diff").exists()


@one_backend
@pytest.mark.usefixtures("no_sandbox_left")
def test_the_vote_several_at_once(task: Task, lab: Lab, tmp_path: Path) -> None:
    solver = best_of(5, commands(OTHER, FIX, OTHER, FIX + "; echo >> calc.py", FIX), select="vote", parallel=3)
    record = attempt(task, lab, solver, tmp_path)
    assert record.resolved
    assert record.extra["selected"] == {"by": "vote"}
    assert [each["number"] for each in record.extra["candidates"] if each["chosen"]] == [1]


@one_backend
def test_the_graded_reward_is_seen_by_the_search_and_not_by_its_candidates(task: Task, lab: Lab) -> None:
    scores: list[Any] = []

    def solve(spec: TaskSpec, workspace: Workspace) -> str:
        scores.append(workspace.occasion.score)
        workspace.run((OTHER, FIX)[workspace.occasion.number])
        return workspace.diff()

    record = attempt(task, lab, best_of(2, solve, graded=True, select="graded"))
    assert record.resolved
    assert scores == [None, None]
    assert record.extra["graded_looks"] == 2
    assert [each["score"] for each in record.extra["candidates"]] == [0.0, 1.0]
    with_no_right = attempt(task, lab, best_of(2, solve, select="graded"))
    assert with_no_right.verdict is Verdict.SOLVER_ERROR
    assert "only a solver that is loaded as graded" in with_no_right.error


@one_backend
@pytest.mark.usefixtures("no_sandbox_left")
def test_what_fails_is_one_candidate_and_no_more(task: Task, lab: Lab, tmp_path: Path) -> None:
    def solve(spec: TaskSpec, workspace: Workspace) -> Any:
        number = workspace.occasion.number
        if number == 0:
            raise InfraError("no server")
        if number == 1:
            workspace.run("sleep 100")
        if number == 2:
            return "--- a/no\n+++ b/no\n@@ -1 +1 @@\n-x\n+y\n"
        if number == 3:
            return 3
        workspace.run(FIX)
        return None

    quick = replace(task, spec=replace(task.spec, limits=replace(task.spec.limits, solve_timeout=12.0)))
    record = attempt(quick, lab, best_of(5, solve, select="vote"), tmp_path)
    assert record.resolved
    said = [each["error"] for each in record.extra["candidates"]]
    expected = ["no server", "ran out of its", "git apply", "returned int", ""]
    assert all(part in text for part, text in zip(expected, said, strict=True)), said


@one_backend
def test_a_reward_that_cannot_be_had_leaves_it_to_the_vote(task: Task, lab: Lab) -> None:
    record = attempt(task, lab, best_of(3, commands(OTHER, FIX, FIX), graded=True, select="graded"), reward="none such")
    assert record.extra["selected"]["by"] == "vote"
    assert "unknown reward 'none such'" in record.extra["selected"]["note"]
    assert [each["chosen"] for each in record.extra["candidates"]] == [False, True, False]
    assert all("unknown reward" in each["unseen"] for each in record.extra["candidates"])


@one_backend
def test_if_all_fail_the_machinery_is_to_blame_before_the_solver(task: Task, lab: Lab) -> None:
    def solve(spec: TaskSpec, workspace: Workspace) -> str:
        raise InfraError("no server") if workspace.occasion.number == failing else ValueError("no idea")

    failing = 1
    record = attempt(task, lab, best_of(2, solve, select="vote"))
    assert (record.verdict, record.error) == (Verdict.INFRA_ERROR, "no server")
    assert len(record.extra["candidates"]) == 2
    failing = 9
    record = attempt(task, lab, best_of(2, solve, select="vote"))
    assert record.verdict is Verdict.SOLVER_ERROR
    assert "no candidate of 2 came to an answer" in record.error
    assert "no idea" in record.error
    record = attempt(task, lab, best_of(2, lambda spec, workspace: "", select="tests"))
    assert record.verdict is Verdict.INVALID_PATCH


def bred(request: dict[str, Any]) -> str:
    """A model that solves the task if its instructions speak of addition, and whose every child is better by a word."""
    said = "\n".join(message["content"] for message in request["messages"])
    system = request["messages"][0]["content"]
    if "Write a variation" in said or "unite the best" in said:
        return "Mind the sum." if "Mind the signs." in said else "Mind the signs."
    if len(request["messages"]) > 2:
        return "<execute>submit</execute>"
    wanted = FIX if "Mind the sum." in system else OTHER if "Mind the signs." in system else "true"
    return f"<execute>{wanted}</execute>"


def genetic(model: FakeModel, **keys: object) -> LoadedSolver:
    return load_agent("genetic", words=model.words(protocol="execute", **keys))


@one_backend
@pytest.mark.usefixtures("no_sandbox_left")
def test_a_population_finds_the_word_that_solves_the_task(task: Task, lab: Lab, tmp_path: Path) -> None:
    with FakeModel(after=bred) as model:
        record = attempt(
            task, lab, genetic(model, genetic__population=3, genetic__generations=4), tmp_path, reward="fraction"
        )
    assert record.resolved
    told = json.loads((tmp_path / "population.json").read_text())
    fitnesses = [max(each["fitness"] for each in generation) for generation in told["generations"]]
    assert fitnesses == sorted(fitnesses)
    assert len(fitnesses) == 3
    assert fitnesses[-1] > 1.0
    assert {len(generation) for generation in told["generations"]} == {3}
    known = {each["number"]: each for each in told["individuals"]}
    best = known[told["best"]]
    assert best["prompt"] == "Mind the sum."
    assert best["how"] in ("mutation", "crossover")
    assert all(known[parent]["born"] < best["born"] for parent in best["parents"])
    assert record.extra["genetic"]["best"]["individual"] == told["best"]
    assert read_config([str(tmp_path / "best.toml")]).system.endswith("\n\nMind the sum.")
    # Elites are not played again: 3 at first, then 2 new ones in each generation.
    assert [each["generation"] for each in record.extra["candidates"]] == [0, 0, 0, 1, 1, 2, 2]
    assert record.extra["graded_looks"] == len(
        [each for each in record.extra["candidates"] if each["score"] is not None]
    )
    assert record.extra["usage"]["requests"] == len(model.requests)


@one_backend
def test_a_population_that_does_nothing_has_no_best_agent(task: Task, lab: Lab, tmp_path: Path) -> None:
    with FakeModel(after="<execute>true</execute>") as model:
        idle = genetic(model, genetic__population=2, genetic__generations=1, max_requests=4)
        record = attempt(task, lab, idle, tmp_path)
    assert record.verdict is Verdict.INVALID_PATCH  # it is empty
    assert record.extra["genetic"]["best"] == {"individual": 0, "fitness": 0.0}
    assert {key: record.extra[key] for key in ("steps", "ending", "model")} == {
        "steps": 2, "ending": "requests", "model": "fake-1.0",
    }  # fmt: skip
    assert json.loads((tmp_path / "population.json").read_text())["best"] == 0
    assert not (tmp_path / "best.toml").exists()


@one_backend
def test_a_population_goes_on_where_an_earlier_one_ended_and_keeps_its_budget(
    task: Task, lab: Lab, tmp_path: Path
) -> None:
    start = tmp_path / "start.json"
    start.write_text(json.dumps(["Mind the signs.", "Be quick."]))
    with FakeModel(after=bred) as model:
        small = genetic(model, genetic__population=2, genetic__start=start, max_requests=2, genetic__parallel=2)
        record = attempt(task, lab, small, tmp_path / "one")
        assert len(model.requests) == 2
    assert record.verdict is Verdict.UNRESOLVED  # b - a: the best that there was, and it has a patch
    assert record.extra["genetic"]["stopped"] == "no children could be made: the budget of requests is used up"
    assert record.extra["usage"]["requests"] == 2
    with FakeModel(after=bred) as model:
        small = genetic(model, genetic__population=2, genetic__start=tmp_path / "one" / "population.json")
        assert small.function.prompts[0] == "Mind the signs."  # type: ignore[attr-defined]
        record = attempt(task, lab, small, tmp_path / "two")
    assert record.resolved


@one_backend
def test_a_model_chooses_and_the_winners_trajectory_is_the_attempts(task: Task, lab: Lab, tmp_path: Path) -> None:
    replies = [f"<execute>{OTHER}</execute>", "<execute>submit</execute>", f"<execute>{FIX}</execute>"]
    with FakeModel([*replies, "<execute>submit</execute>", "The second adds.\n**2**"]) as model:
        words = model.words(protocol="execute", best_of__select="model", max_requests=5)
        record = attempt(task, lab, load_agent("best_of:2", words=words), tmp_path)
        assert "Patch 2:" in model.texts()
    assert record.resolved
    assert record.extra["selected"] == {"by": "model"}
    assert record.extra["usage"]["requests"] == 5
    assert record.extra["ending"] == "submit"
    trajectory = read_trajectory(tmp_path / "trajectory.jsonl")
    assert trajectory.header["candidate"] == 1
    assert FIX in trajectory.steps[0]["action"]
    other = read_trajectory(tmp_path / "candidates" / "0" / "trajectory.jsonl")
    assert not other.cut


@one_backend
def test_budgets_are_shared_and_what_was_not_begun_is_told(task: Task, lab: Lab) -> None:
    with FakeModel(after=f"<execute>{OTHER}</execute>") as model:
        words = model.words(protocol="execute", best_of__select="vote", max_requests=5)
        record = attempt(task, lab, load_agent("best_of:4", words=words))
        assert len(model.requests) == 5
    assert [each["usage"]["requests"] for each in record.extra["candidates"]] == [1, 1, 1, 2]
    assert {each["ending"] for each in record.extra["candidates"]} == {"requests"}


@one_backend
def test_a_whole_tree_is_the_answer_where_one_is_wanted(lab: Lab) -> None:
    hello = Task.from_dict(
        {
            "instance_id": "hello", "repo": "empty:", "submission": "tree", "environment": {"python": ">=3.8"},
            "checks": [{"name": "says", "run": "cat hello", "contains": ["hello"]}],
        }
    )  # fmt: skip
    solver = best_of(3, commands("true", "echo hello > hello; git init -q .", "false"), graded=True, select="graded")
    record = attempt(hello, lab, solver)
    assert record.resolved
    assert record.tree
    assert [each["score"] for each in record.extra["candidates"]] == [None, 1.0, None]
    untouched = attempt(hello, lab, best_of(2, commands("true")))
    assert untouched.verdict is Verdict.UNRESOLVED
    assert untouched.extra["selected"] == {"by": "tests", "note": "the task has no tests that can be seen"}


def test_a_search_through_the_front_door(
    pytester: pytest.Pytester, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEGYM_SANDBOX", "bubblewrap")
    (pytester.path / "tasks.jsonl").write_text(json.dumps(task.to_dict()) + "\n")
    pytester.makepyfile(
        mine="""
        def solve(task, workspace):
            lucky = workspace.occasion.seed % 2
            workspace.write("calc.py", workspace.read("calc.py").replace("a - b", "a + b" if lucky else "a * b"))
        """
    )
    solver = "best_of:6:mine.py:solve"
    words = ("--swegym-agent=best_of.select=graded", "--swegym-agent=best_of.parallel=2")
    result = pytester.runpytest(
        "--swegym-tasks=tasks.jsonl",
        f"--swegym-solver={solver}",
        *words,
        "--swegym-output=out",
        "-p",
        "no:cacheprovider",
    )
    result.assert_outcomes(passed=1)
    record = json.loads((pytester.path / "out" / "attempts" / "calc-1" / "record.json").read_text())
    told = record["extra"]["candidates"]
    assert len(told) == record["extra"]["graded_looks"] == 6
    assert {each["score"] for each in told} == {0.0, 1.0}
    assert next(each["seed"] for each in told if each["chosen"]) % 2 == 1
    assert (pytester.path / "out" / "attempts" / "calc-1" / "candidates" / "5" / "patch.diff").exists()


def test_the_snippet_of_the_page_runs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "searching.md").read_text()
    snippet = page[page.index("```python\n") + len("```python\n") :].partition("```")[0]
    with FakeModel(
        after=lambda request: "a child" if "Write" in str(request) else "<execute>submit</execute>"
    ) as model:
        monkeypatch.setenv("MODEL_URL", model.url)
        exec(compile(snippet, "searching.md", "exec"), {})
    assert capsys.readouterr().out == "2 3 0.0\n"


@pytest.fixture
def no_sandbox_left(lab: Lab) -> Iterator[None]:
    yield
    backend: Any = lab.backend
    assert not [sandbox for sandbox in backend._sandboxes if not getattr(sandbox, "closed", False)]
