"""A run divided into parts of about the same weight, and their results as one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.grading.canary import make_canaries
from pytest_swegym.grading.events import Collected
from pytest_swegym.grading.run import Run
from pytest_swegym.grading.shards import balanced
from pytest_swegym.grading.shards import merged
from pytest_swegym.task import Outcome
from pytest_swegym.task import TestResult


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 100), max_size=12), st.integers(1, 5))
def test_every_part_is_in_one_group(weights: dict[str, float], count: int) -> None:
    groups = balanced(weights, count)
    assert sorted(name for group in groups for name in group) == sorted(weights)
    assert len(groups) == min(count, len(weights))
    assert all(groups)


def test_groups_weigh_about_the_same() -> None:
    weights = {"a": 5.0, "b": 4.0, "c": 3.0, "d": 3.0, "e": 3.0}
    assert sorted(sum(weights[name] for name in group) for group in balanced(weights, 2)) == [8.0, 10.0]
    assert balanced(dict.fromkeys("abcd", 0.0), 2) == (frozenset("ac"), frozenset("bd"))


def run(name: str, outcome: Outcome, *, plain: int, early: str | None = None) -> Run:
    canaries = make_canaries([f"tests/{name}.py"], [], runner="pytest", seed=1)
    results = {f"tests/{name}.py::t": outcome, **{each: must for each, (_, must) in canaries.expected.items()}}
    seen = Collected(
        tests={each: TestResult(id=each, outcome=told) for each, told in results.items()},
        node_ids={each: each for each in results},
        codes={f"tests/{name}.py": name},
        aliases={"What it does": [f"tests/{name}.py::t"]},
        runner="pytest 9",
        status=1,
        plain=plain,
        early=early,
    )
    return Run(seen=seen, canaries=canaries, exit_code=1, duration=float(len(name)), full_log=name.encode())


def test_merged_runs_have_the_tests_of_all_and_canaries_of_none() -> None:
    one = merged([run("a", Outcome.PASSED, plain=0), run("bb", Outcome.SKIPPED, plain=0)])
    assert {name: test.outcome for name, test in one.seen.tests.items()} == {
        "tests/a.py::t": Outcome.PASSED,
        "tests/bb.py::t": Outcome.SKIPPED,
    }
    assert (one.exit_code, one.plain_exit, one.orderly, one.duration) == (0, 0, True, 2.0)
    assert one.full_log == one.log == b"a\nbb\n"
    assert one.seen.aliases == {"What it does": ["tests/a.py::t", "tests/bb.py::t"]}
    assert one.seen.codes == {"tests/a.py": "a", "tests/bb.py": "bb"}
    assert one.canaries.expected == {}


def test_a_failure_is_in_the_merged_exit_code() -> None:
    one = merged([run("a", Outcome.PASSED, plain=0), run("b", Outcome.FAILED, plain=1, early="")])
    assert (one.exit_code, one.seen.status, one.plain_exit, one.seen.early) == (1, 1, 1, "")
