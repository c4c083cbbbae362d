"""Many episodes at once: gymnasium's own vectors, and ours in threads."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError
from gymnasium.error import CustomSpaceError
from gymnasium.vector.utils import create_shared_memory

import pytest_swegym.env  # noqa: F401  (registers the ids)
from pytest_swegym.env import ThreadVectorEnv
from pytest_swegym.errors import ConfigError
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import Task


SUBMIT = '{"action": "submit"}'


def command(text: str) -> str:
    return json.dumps({"action": "command", "command": text})


FIX = command("sed -i 's/a - b/a + b/' calc.py")


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    lab = Lab(make_backend("bubblewrap"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def tasks(make_task: Callable[..., Task]) -> list[Task]:
    return [make_task(instance_id=f"calc-{number}") for number in range(3)]


@pytest.fixture
def make(shared: Lab, tasks: list[Task]) -> Iterator[Callable[..., ThreadVectorEnv]]:
    made: list[ThreadVectorEnv] = []

    def make(num_envs: int = 2, **options: Any) -> ThreadVectorEnv:
        made.append(ThreadVectorEnv(num_envs, **{"tasks": tasks, "lab": shared, **options}))
        return made[-1]

    yield make
    for envs in made:
        envs.close()


@pytest.mark.parametrize("mode", ["sync", None], ids=["sync", "ours"])
def test_gymnasium_makes_vectors(shared: Lab, tasks: list[Task], mode: str | None) -> None:
    envs = gymnasium.make_vec("SWEGym-v0", 2, mode, tasks=tasks, lab=shared, observation="dict")
    seen, info = envs.reset(seed=1)
    assert list(info["instance_id"]) == (["calc-0", "calc-0"] if mode else ["calc-0", "calc-1"])
    seen, *_ = envs.step((command("echo 1"), command("exit 3")))
    assert (seen["output"][0], list(seen["exit_code"])) == ("1\n", [0, 3])
    assert envs.observation_space.contains(seen)
    assert envs.action_space.contains(envs.action_space.sample())
    envs.close()


def test_text_does_not_go_into_shared_memory(make: Callable[..., ThreadVectorEnv]) -> None:
    with pytest.raises(CustomSpaceError, match="'shared_memory': False"):
        create_shared_memory(make().single_observation_space, n=2)


def test_a_hundred_episodes_live_in_one_process(make: Callable[..., ThreadVectorEnv]) -> None:
    envs = make(100, watch=False)
    envs.reset()
    envs.step([command(f"cd /tmp; N={number}") for number in range(100)])
    seen, rewards, terminated, truncated, info = envs.step([command("echo $N; pwd")] * 100)
    assert list(seen) == [f"{number}\n/tmp\n" for number in range(100)]
    assert not rewards.any()
    assert not (terminated | truncated).any()
    assert [list(info["instance_id"]).count(f"calc-{number}") for number in range(3)] == [34, 33, 33]


def test_the_next_step_begins_the_next_task(make: Callable[..., ThreadVectorEnv]) -> None:
    envs = make()
    envs.reset(seed=5)
    envs.step([FIX, command("true")])
    _, rewards, terminated, _, info = envs.step([SUBMIT, command("true")])
    assert (list(rewards), list(terminated)) == ([1.0, 0.0], [True, False])
    assert info["resolved"][0]
    _, rewards, terminated, _, info = envs.step([SUBMIT, command("true")])
    assert (list(rewards), list(terminated)) == ([0.0, 0.0], [False, False])
    assert (list(info["instance_id"]), list(info["step"])) == (["calc-2", "calc-1"], [0, 3])


def test_the_same_step_begins_the_next_task(make: Callable[..., ThreadVectorEnv]) -> None:
    envs = make(autoreset_mode="SameStep")
    envs.reset()
    seen, rewards, terminated, _, info = envs.step([SUBMIT, command("echo 1")])
    assert (list(rewards), list(terminated)) == ([0.0, 0.0], [True, False])
    assert info["final_obs"][0] == "Code submitted."
    assert info["final_info"]["verdict"][0] == "invalid_patch"
    assert (list(info["instance_id"]), seen[1]) == (["calc-2", "calc-1"], "1\n")
    assert seen[0].startswith("Task calc-2")


def test_where_nothing_begins_by_itself_the_caller_does(make: Callable[..., ThreadVectorEnv]) -> None:
    envs = make(autoreset_mode="Disabled")
    with pytest.raises(ConfigError, match=r"env 0: no task is being played: call reset\(\)"):
        envs.step([SUBMIT, SUBMIT])
    envs.reset(options={"task_id": ["calc-2", "calc-0"]})
    envs.step([SUBMIT, command("true")])
    with pytest.raises(ConfigError, match="env 0: its episode has ended"):
        envs.step([SUBMIT, SUBMIT])
    _, info = envs.reset(options={"reset_mask": np.array([True, False])})
    assert (info["instance_id"][0], list(info["_instance_id"])) == ("calc-0", [True, False])
    assert list(envs.step([command("true")] * 2)[4]["step"]) == [1, 2]


def test_an_error_names_its_environment_and_the_others_have_made_their_step(
    make: Callable[..., ThreadVectorEnv],
) -> None:
    envs = make()
    envs.reset()
    for actions, message in (([FIX], "1 actions for 2"), ([FIX, 3], "env 1: an action is text")):
        with pytest.raises(ConfigError, match=message):
            envs.step(actions)
    with pytest.raises(ConfigError, match="env 1: options: index=9"):
        envs.reset(options={"index": [0, 9]})
    assert envs.step([command("pwd")] * 2)[0][0] == "/testbed\n"
    envs.close()
    with pytest.raises(ClosedEnvironmentError):
        envs.step([FIX, FIX])


def test_a_task_that_cannot_be_prepared_is_masked_and_the_others_go_on(
    make: Callable[..., ThreadVectorEnv], tasks: list[Task]
) -> None:
    envs = make(tasks=[tasks[0], replace(tasks[1], problem="its row is damaged")])
    seen, info = envs.reset()
    assert list(info["mask"]) == [False, True]
    assert "its row is damaged" in seen[1]
    seen, rewards, _, truncated, info = envs.step([command("echo 1")] * 2)
    assert (seen[0], list(rewards), list(truncated)) == ("1\n", [0.0, 0.0], [False, True])
    assert "its row is damaged" in info["infra_error"][1]
    _, _, _, truncated, info = envs.step([command("echo 1")] * 2)
    assert (list(info["instance_id"]), list(truncated)) == (["calc-0", "calc-0"], [False, False])
