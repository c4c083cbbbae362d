"""What an environment is made of: its options, the order of its tasks, its spaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.env.config import make_config
from pytest_swegym.env.spaces import action_space
from pytest_swegym.env.spaces import observation_space
from pytest_swegym.env.spaces import observed
from pytest_swegym.env.tasks import Order
from pytest_swegym.env.tasks import find_task
from pytest_swegym.env.tasks import load_tasks
from pytest_swegym.errors import ConfigError
from pytest_swegym.rows import RowOptions
from pytest_swegym.session import PROTOCOLS
from pytest_swegym.session import Invalid
from pytest_swegym.session import Observation
from pytest_swegym.session import Remaining
from pytest_swegym.session import SessionLimits
from pytest_swegym.session import load_protocol
from pytest_swegym.task import Task


def tasks(*ids: str) -> list[Task]:
    return [Task.from_dict({"instance_id": name, "repo": "here", "fail_to_pass": ["a::b"]}) for name in ids]


# -- tasks and their order -----------------------------------------------------------------------


@given(count=st.integers(1, 30), passes=st.integers(1, 3), seed=st.integers(0, 2**32))
@pytest.mark.parametrize("kind", ["sequential", "shuffled"])
def test_every_task_comes_once_per_pass(kind: str, count: int, passes: int, seed: int) -> None:
    order = Order(count, kind, seed)
    drawn = [[order.next() for _ in range(count)] for _ in range(passes)]
    assert all(sorted(each) == list(range(count)) for each in drawn)
    order.restart(seed)
    assert [order.next() for _ in range(count)] == drawn[0]


def test_every_pass_is_shuffled_anew_and_by_its_seed() -> None:
    order, other = Order(20, "shuffled", 1), Order(20, "shuffled", 2)
    first, second = [order.next() for _ in range(20)], [order.next() for _ in range(20)]
    assert first != second
    assert first != [other.next() for _ in range(20)]
    assert first != list(range(20))


def test_an_indexed_order_has_to_be_told() -> None:
    with pytest.raises(ConfigError, match="give reset"):
        Order(3, "indexed").next()
    with pytest.raises(ConfigError, match="choose from sequential, shuffled, indexed"):
        Order(3, "backwards")


def test_a_task_is_found_by_its_id_or_by_the_end_of_it() -> None:
    several = tasks("curriculum__1", "curriculum__11", "other__7", "more__7", "1x")
    assert find_task(several, "1") == 0
    assert find_task(several, "curriculum__11") == 1
    with pytest.raises(ConfigError, match="ambiguous: other__7, more__7"):
        find_task(several, "7")
    with pytest.raises(ConfigError, match=r"no task is called 'curriculum__2'.*curriculum__1"):
        find_task(several, "curriculum__2")
    assert find_task(tasks("7", "a__7"), "7") == 0


def test_tasks_come_from_all_kinds_of_sources(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"instance_id": "a-1", "repo": "here", "fail_to_pass": ["a::b"]}\n')
    (one,) = tasks("b-1")
    assert [task.id for task in load_tasks([rows, one], RowOptions())] == ["a-1", "b-1"]
    assert [task.id for task in load_tasks(str(rows), RowOptions())] == ["a-1"]
    assert load_tasks("curriculum", RowOptions())[0].spec.title == "Hello World"
    with pytest.raises(ConfigError, match="'b-1' is there twice"):
        load_tasks([one, one], RowOptions())
    with pytest.raises(ConfigError, match="holds no task"):
        load_tasks([], RowOptions())


# -- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stepz": 3}, "unknown option 'stepz'; choose from .*steps"),
        ({"observation": "picture"}, "choose from text, dict"),
        ({"steps": 0}, "steps=0: expected a number above 0"),
        ({"seconds": True}, "seconds=True"),
        ({"limits": {"calls": 3}}, "unknown 'calls'; choose from .*output"),
        ({"tools": "search"}, "expected a list"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(options)


def test_single_limits_go_before_those_given_together() -> None:
    limits = make_config({"limits": {"steps": 9, "output": 100}, "steps": 3, "cost": 1.5}).session_limits()
    assert limits == SessionLimits(steps=3, output=100, cost=1.5)
    assert make_config({"limits": limits}).session_limits() == limits


# -- spaces --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_a_sample_is_an_action_of_the_protocol(name: str) -> None:
    protocol = load_protocol(name)()
    space = action_space(protocol)
    space.seed(3)
    for _ in range(8):
        assert not isinstance(protocol.parse(space.sample()), Invalid)


@given(text=st.text())
def test_every_text_is_an_action_and_nothing_else(text: str) -> None:
    space = action_space(load_protocol("json")())
    assert text in space
    assert text.encode("utf-8", "surrogatepass") not in space
    assert None not in space


@given(
    exit_code=st.none() | st.integers(0, 255),
    text=st.text(),
    steps=st.none() | st.integers(0, 10**6),
    seconds=st.none() | st.floats(0, 1e9),
)
@pytest.mark.parametrize("kind", ["text", "dict"])
def test_observations_are_in_their_space(
    kind: str, exit_code: int | None, text: str, steps: int | None, seconds: float | None
) -> None:
    left = Remaining(steps=steps, seconds=seconds, output=steps, cost=seconds)
    seen = Observation(text=text, output=text, exit_code=exit_code, remaining=left, state={"open": text})
    element = observed(kind, seen)
    assert element in observation_space(kind)
    if kind == "dict":
        assert element["exit_code"] == (-1 if exit_code is None else exit_code)
        assert element["remaining"]["steps"] == (-1 if steps is None else steps)
    else:
        assert element == text
