"""Environments in real sandboxes: episodes and their end, branches, step rewards."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.error import ClosedEnvironmentError
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

import pytest_swegym.env
from pytest_swegym.env import SWEGymEnv
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.lab import Lab
from pytest_swegym.results import ResultStore
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.session import Action
from pytest_swegym.session import Observation
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import Verdict
from pytest_swegym.trajectory import read_trajectory


SUBMIT = '{"action": "submit"}'
FORFEIT = '{"action": "forfeit"}'
Make = Callable[..., SWEGymEnv]


def command(text: str) -> str:
    return json.dumps({"action": "command", "command": text})


FIX = command("sed -i 's/a - b/a + b/' calc.py")
BREAK = command("sed -i 's/a \\* 2/a * 3/' calc.py")


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    lab = Lab(make_backend("bubblewrap"))
    yield lab
    lab.close()


@pytest.fixture
def make(shared: Lab, task: Task) -> Iterator[Make]:
    """An environment at the small task, closed at the end; keywords are its options."""
    made: list[SWEGymEnv] = []

    def make(**options: Any) -> SWEGymEnv:
        made.append(SWEGymEnv(**{"tasks": task, "lab": shared, **options}))
        return made[-1]

    yield make
    for env in made:
        env.close()


# -- an episode ----------------------------------------------------------------------------------


def test_an_episode_from_its_id_to_its_graded_reward(task: Task, tmp_path: Path) -> None:
    with gymnasium.make(
        "pytest_swegym.env:SWEGym-v0", tasks=task, sandbox="bubblewrap", render_mode="ansi", output=tmp_path
    ) as env:
        first, info = env.reset(seed=1)
        assert "add(1, 2) is -1" in first
        assert (info["instance_id"], info["step"], info["diff"], info["ending"]) == ("calc-1", 0, "", "")
        seen, reward, terminated, truncated, info = env.step(FIX)
        assert (seen, reward, terminated, truncated) == ("", 0.0, False, False)
        assert "+    return a + b" in info["diff"]
        assert "\x1b[32m+    return a + b\x1b[0m" in str(env.render())
        seen, reward, terminated, truncated, info = env.step(SUBMIT)
        assert (seen, reward, terminated, truncated) == ("Code submitted.", 1.0, True, False)
        assert (info["verdict"], info["resolved"], info["mask"], info["ending"]) == ("resolved", True, False, "submit")
        assert info["grade"].f2p_passed == 1
        assert "ended by submit: resolved" in str(env.render())
        assert env.step(FIX)[1:4] == (0.0, True, False)
    (record,) = ResultStore(root=tmp_path).records()
    assert (record.verdict, record.reward, record.solver) == (Verdict.RESOLVED, 1.0, "gymnasium")
    assert record.extra["steps"] == 2
    played = read_trajectory(tmp_path / "attempts" / "calc-1" / "trajectory.jsonl")
    assert [step["action"] for step in played.steps] == [FIX, SUBMIT]
    assert played.end is not None
    assert played.end["verdict"] == "resolved"


def test_what_is_out_of_order_is_said(make: Make) -> None:
    env = make()
    with pytest.raises(ResetNeeded, match=r"call reset\(\) first"):
        env.step(SUBMIT)
    with pytest.raises(ResetNeeded, match=r"call reset\(\) first"):
        env.snapshot()
    env.reset()
    with pytest.raises(ConfigError, match="an action is text"):
        env.step(3)  # type: ignore[arg-type]
    for options in (
        {"index": 1},
        {"index": "0"},
        {"task_id": "calc-2"},
        {"task": "calc-1"},
        {"index": 0, "task_id": 1},
    ):
        with pytest.raises(ConfigError):
            env.reset(options=options)
    env.step(FORFEIT)
    with pytest.raises(ResetNeeded, match="has ended"):
        env.fork()
    env.close()
    env.close()
    for call in (env.reset, lambda: env.step(SUBMIT)):
        with pytest.raises(ClosedEnvironmentError, match="closed"):
            call()
    never_begun = make()
    never_begun.close()


@pytest.mark.parametrize("options", [{}, {"observation": "dict", "protocol": "tools"}], ids=["text", "dict"])
def test_gymnasium_finds_nothing_to_say(shared: Lab, task: Task, options: dict[str, Any]) -> None:
    with gymnasium.make("SWEGym-v0", tasks=task, lab=shared, render_mode="ansi", **options) as env:
        check_env(env.unwrapped)


def test_a_forfeit_submits_nothing_and_a_limit_grades_what_is_there(make: Make) -> None:
    env = make(steps=2)
    env.reset()
    env.step(FIX)
    seen, reward, terminated, truncated, info = env.step(FORFEIT)
    assert (reward, terminated, truncated, info["verdict"]) == (0.0, True, False, "invalid_patch")
    env.reset()
    env.step(FIX)
    seen, reward, terminated, truncated, info = env.step(command("true"))
    assert (reward, terminated, truncated, info["ending"]) == (1.0, False, True, "steps")
    assert "limit of steps" in seen
    assert info["remaining"]["steps"] == 0


def test_killing_the_sandbox_is_the_players_own_fault(make: Make) -> None:
    env = make()
    env.reset()
    env.step(FIX)
    turn = env.step(command("kill -9 -1"))
    if not turn[2] and not turn[3]:  # the shell is a fresh one, and the sandbox is still there
        turn = env.step(SUBMIT)
    assert turn[4]["verdict"] in ("resolved", "solver_error")
    assert turn[4]["mask"] is False


def failing(task: TaskSpec, action: Action, observation: Observation) -> float:
    if observation.step == 2:
        raise InfraError("the machinery went away")
    return 0.25


def test_a_failure_of_the_machinery_is_masked_and_no_wrong_answer(make: Make, tmp_path: Path) -> None:
    env = make(step_reward=f"{__file__}:failing", output=tmp_path)
    env.reset()
    assert env.step(FIX)[1] == 0.25
    _, reward, terminated, truncated, info = env.step(FIX)
    assert (reward, terminated, truncated, info["mask"]) == (0.0, False, True, True)
    assert "the machinery went away" in info["infra_error"]
    (record,) = ResultStore(root=tmp_path).records()
    assert (record.verdict, record.reward) == (Verdict.INFRA_ERROR, None)
    env.reset()
    assert env.step(FIX)[4]["instance_id"] == "calc-1"


def test_a_task_that_cannot_be_prepared_is_said_at_reset(make: Make, task: Task) -> None:
    damaged = replace(task, spec=replace(task.spec, instance_id="lost-1"), problem="its row is damaged")
    env = make(tasks=[damaged, task])
    with pytest.raises(InfraError, match="lost-1: its row is damaged"):
        env.reset()
    assert env.reset()[1]["instance_id"] == "calc-1"


# -- which task ----------------------------------------------------------------------------------


def test_the_shipped_curriculum_begins_with_hello_world(shared: Lab) -> None:
    with SWEGymEnv("curriculum", lab=shared) as env:
        first, info = env.reset(options={"task_id": "1"})
        assert "Hello World" in first
        env.step(command("echo \"print('Hello, world!')\" > hello.py"))
        assert env.step(SUBMIT)[1] == 0.0
        env.reset(options={"index": 0})
        # The player cannot leave its task for another.
        seen, _, _, _, other = env.step('{"action": "start", "task_id": "2"}')
        assert (info["instance_id"], other["instance_id"], other["step"]) == ("curriculum__1", "curriculum__1", 1)
        assert seen == "Task 2 not found."


def test_beginning_anew_takes_back_what_steps_were_worth_and_counts(make: Make) -> None:
    env = make(step_reward="tests", steps=4)
    env.reset()
    assert env.step(FIX)[1] == 1.0
    assert env.step('{"action": "reset", "task_id": "calc-1"}')[1] == -1.0
    _, reward, *_, info = env.step(FIX)
    assert (reward, info["step_reward_sum"], info["step"]) == (1.0, 1.0, 3)
    *_, truncated, info = env.step(command("true"))
    assert (truncated, info["resolved"]) == (True, True)


def wrong(task: TaskSpec, action: Action, observation: Observation) -> float:
    raise RuntimeError("boom")


def test_a_step_reward_that_fails_blames_nobody_who_plays(make: Make) -> None:
    env = make(step_reward=wrong)
    env.reset()
    _, reward, terminated, truncated, info = env.step(FIX)
    assert (reward, terminated, truncated, info["mask"]) == (0.0, False, True, True)
    assert info["infra_error"] == "step reward 'wrong' raised RuntimeError: boom"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reward": "lol"}, "unknown reward 'lol'; choose from resolved"),
        ({"reward": 3}, "reward=3: expected a name or a function"),
        ({"step_reward": "lol"}, "unknown step reward 'lol'; choose from none"),
        ({"step_reward": 3}, "step_reward=3: expected a name or a function"),
        ({"tasks": 5}, "tasks=5: expected a file"),
        ({"limit": "x"}, "limit='x': expected a whole number of at least 1"),
        ({"seed": "x"}, "seed='x': expected a whole number of at least 0"),
        ({"filters": "zzz*"}, "filters='zzz*': expected a list"),
        ({"grade_steps": "x"}, "grade_steps='x': expected True, False or None"),
    ],
)
def test_a_wrong_option_is_said_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        SWEGymEnv(**options)


# -- branches ------------------------------------------------------------------------------------


def test_branches_go_their_own_ways(make: Make, tmp_path: Path) -> None:
    env = make(output=tmp_path)
    env.reset(seed=3)
    env.step(command("cd tests; WHO=parent; echo 1 > note.txt"))
    start = env.snapshot()
    with env.fork() as child:
        assert child.step(command("pwd; echo $WHO; cat note.txt"))[0] == "/testbed/tests\nparent\n1\n"
        child.step(command("WHO=child; echo 2 > note.txt"))
        with child.fork() as grandchild:
            assert grandchild.step(command("echo $WHO; cat note.txt"))[0] == "child\n2\n"
            assert grandchild.step(FIX.replace("calc.py", "../calc.py"))[4]["step"] == 5
            assert grandchild.step(SUBMIT)[1] == 1.0
    assert env.step(command("echo $WHO; cat note.txt; rm note.txt"))[0] == "parent\n1\n"
    assert env.step(SUBMIT)[1] == 0.0
    # Back from behind the end, in an attempt of its own.
    assert env.restore(start)[1]["step"] == 1
    assert env.step(command("echo $WHO; cat note.txt; pwd"))[0] == "parent\n1\n/testbed/tests\n"
    env.restore(start)
    env.step(FIX.replace("calc.py", "../calc.py"))
    assert env.step(SUBMIT)[1] == 1.0
    records = {record.attempt: record.reward for record in ResultStore(root=tmp_path).records()}
    assert records == {0: 0.0, 2: 1.0, 3: 1.0}
    steps = read_trajectory(tmp_path / "attempts" / "calc-1.2" / "trajectory.jsonl").steps
    assert [step["observation"]["step"] for step in steps] == [1, 2, 3, 4, 5, 6]
    steps = read_trajectory(tmp_path / "attempts" / "calc-1.3" / "trajectory.jsonl").steps
    assert [step["observation"]["step"] for step in steps] == [1, 2, 3]


@pytest.mark.skipif(not required("docker"), reason="Docker is not asked for (SWEGYM_REQUIRE)")
def test_an_episode_with_tools_branches_and_is_graded_on_docker() -> None:
    with SWEGymEnv("curriculum", sandbox="docker", tools=["submit"], step_reward="tests") as env:
        env.reset(options={"task_id": "1"})
        env.step(command("cd /tmp && X=kept"))
        with env.fork() as other:
            other.step('{"action": "write_file", "path": "hello.py", "content": "print(\'Hello, World!\')"}')
            observation, reward, terminated, _, info = other.step(command("echo $PWD $X; submit"))
        assert (reward, terminated, info["verdict"]) == (1.0, True, "resolved")
        assert observation.startswith("/tmp kept\n")
        *_, info = env.step(SUBMIT)
        assert info["verdict"] == "unresolved"


def test_the_best_of_several_is_found(make: Make) -> None:
    env = make()
    env.reset()
    start = env.snapshot()
    rewards = {}
    for action in (command("true"), BREAK, FIX):
        env.restore(start)
        env.step(action)
        rewards[action] = env.step(SUBMIT)[1]
    assert max(rewards, key=lambda action: rewards[action]) == FIX
    assert sorted(rewards.values()) == [0.0, 0.0, 1.0]


# -- step rewards --------------------------------------------------------------------------------


def test_with_patches_the_episode_ends_when_it_is_resolved(make: Make, task: Task) -> None:
    env = make(protocol="patch")
    env.reset()
    wrong = task.hidden.patch.replace("a + b", "a * b")
    _, reward, terminated, _, info = env.step(wrong)
    assert (reward, terminated, info["grade"].f2p_passed) == (0.0, False, 0)
    right = task.hidden.patch.replace("-    return a - b", "-    return a * b")
    _, reward, terminated, truncated, info = env.step(right)
    assert (reward, terminated, truncated, info["ending"]) == (1.0, True, False, "resolved")


@pytest.mark.parametrize(
    ("name", "worth"),
    [
        ("tests", [1.0, -1.0, 0.0, 1.0]),  # mended, a kept test broken, looked at, put back
        ("similarity", [1.0, None, 0.0, None]),
        ("distance", [None, None, None, None]),
    ],
)
def test_step_rewards_sum_up_to_what_was_reached(make: Make, name: str, worth: list[float | None]) -> None:
    env = make(step_reward=name)
    env.reset()
    undo = command("sed -i 's/a \\* 3/a * 2/' calc.py")
    rewards = []
    for action in (FIX, BREAK, command("cat calc.py"), undo):
        rewards.append(env.step(action)[1])
    for reward, expected in zip(rewards, worth, strict=True):
        assert expected is None or reward == pytest.approx(expected)
    info = env.step(SUBMIT)[4]
    assert info["reward"] == 1.0
    assert info["step_reward_sum"] == pytest.approx(sum(rewards) + info["step_reward"])
    if name != "distance":
        assert sum(rewards) == pytest.approx(1.0)


def test_moving_nearer_is_worth_something_and_moving_away_takes_it_back(make: Make) -> None:
    env = make(step_reward="distance")
    env.reset()
    away = env.step(command("cd /usr/lib"))[1]
    back = env.step(command("cd /testbed"))[1]
    assert away < 0 < back
    assert away + back == pytest.approx(0.0)
    assert env.step(command("false"))[1] == 0.0
    assert env.step(command("echo $?"))[0] == "1\n"  # looking where the shell is changes nothing in it


def test_the_gold_patch_never_reaches_the_sandbox(make: Make) -> None:
    env = make(step_reward="similarity")
    env.reset()
    hidden = "grep -rlsE 'return a [+] b|test_add' /testbed /.swegym /tmp /home /etc; env | grep -E 'a [+] b|test_add'"
    assert env.step(command(hidden))[0] == ""


# -- nothing is left -----------------------------------------------------------------------------

_LEFT_OPEN = """
import os, sys
from pytest_swegym.env import SWEGymEnv
env = SWEGymEnv("curriculum", sandbox="bubblewrap", limit=1)
env.reset()
env.step('{"action": "command", "command": "sleep 1000 & echo started"}')
print("playing", flush=True)
if sys.argv[1] == "kill":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_an_environment_that_nobody_closed_leaves_nothing(end: str, tmp_path: Path) -> None:
    own = {**os.environ, "SWEGYM_CACHE": str(tmp_path)}
    left = subprocess.run([sys.executable, "-c", _LEFT_OPEN, end], env=own, capture_output=True, text=True, timeout=120)
    assert "playing" in left.stdout, left.stderr
    script = "from pytest_swegym.sandbox import make_backend\nbackend = make_backend('bubblewrap')\n"
    script += "print(backend.sweep())\nprint(backend.sweep())\n"
    swept = subprocess.run([sys.executable, "-c", script], env=own, capture_output=True, text=True, check=True)
    lines = swept.stdout.splitlines()
    assert lines[1] == "[]"
    assert end == "kill" or lines[0] == "[]"


def test_ids_are_registered_once() -> None:
    pytest_swegym.env.register()
    assert {name for name in gymnasium.registry if name.startswith("SWEGym")} == set(pytest_swegym.env.IDS)
