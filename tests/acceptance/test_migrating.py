"""The older gyms by their own names: the snippets of docs/migrating.md run, and mean what they meant."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

import pytest_swegym.env.codecraft as gym_codecraft
import pytest_swegym.env.segym as se_gym
from pytest_swegym.env.swelittle import ContainerEnv
from pytest_swegym.env.swelittle import SweEnv
from pytest_swegym.errors import ConfigError
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import Task


DOCS = Path(__file__).resolve().parents[2] / "docs"
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", (DOCS / "migrating.md").read_text(), re.MULTILINE | re.DOTALL)
TOOL = """\
tools:
  find_word:
    signature: "find_word <word>"
    docstring: prints the lines that have a word
    arguments:
      - {name: word, type: string, description: what to look for, required: true}
"""


@pytest.fixture(scope="module")
def small() -> Iterator[Lab]:
    """One lab for what does not depend on the backend."""
    backend = make_backend("bubblewrap")
    reason = backend.available()
    if reason is not None:
        (pytest.fail if required("bubblewrap") else pytest.skip)(f"bubblewrap: {reason}")
    lab = Lab(backend)
    yield lab
    lab.close()


@pytest.fixture
def here(tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a data set under the name of a published one, and a tool folder."""
    rows = tmp_path / "princeton-nlp" / "SWE-bench_Lite"
    rows.mkdir(parents=True)
    (rows / "test.jsonl").write_text(json.dumps(task.to_dict()) + "\n")
    tool = tmp_path / "src" / "tools" / "search"
    (tool / "bin").mkdir(parents=True)
    (tool / "config.yaml").write_text(TOOL)
    (tool / "bin" / "find_word").write_text('#!/bin/sh\ngrep -rn --include="*.py" -- "$1" .\n')
    (tool / "install.sh").write_text("#!/bin/bash\nchmod +x bin/find_word\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(number: int, capsys: pytest.CaptureFixture[str]) -> str:
    exec(compile(SNIPPETS[number], f"docs/migrating.md:snippet {number}", "exec"), {"__name__": "snippet"})
    return capsys.readouterr().out


# -- the snippets --------------------------------------------------------------------------------


def test_there_are_four_snippets() -> None:
    assert len(SNIPPETS) == 4


def test_the_snippet_of_segym(capsys: pytest.CaptureFixture[str]) -> None:
    out = ran(0, capsys)
    assert "Blanks are no words." in out
    assert "InvalidState 0.0\nState 1.0\nIssue fixed in 1 timesteps\n" in out


def test_the_snippet_of_gym_codecraft(capsys: pytest.CaptureFixture[str]) -> None:
    out = ran(1, capsys)
    assert out.startswith("({'obs': 'Welcome!")
    for action, seen, reward in (
        ("{'action': 'test'}", "{'obs': \"No running container: please use `{'action':'reset', 'task_id':'?'}` "
         'to choose a task."}', "Reward: -1.0\n"),
        ("{'action': 'lol'}", "{'obs': 'Unknown action: lol'}", "Reward: -1.0\n"),
        ("{'action': 'command', 'command': 'pwd'}", "{'obs': '/workspace\\n'}", ""),
        ("{'action': 'command', 'command': 'ls'}", "{'obs': 'hello.py\\n'}", ""),
        ("{'action': 'command', 'command': 'cat hello.py'}", "{'obs': 'print(\"Hello, world!\")'}", ""),
        ("{'action': 'command', 'command': 'python hello.py'}", "{'obs': 'Hello, world!\\n'}", ""),
    ):  # fmt: skip
        assert f"{action}\n{seen}\n{reward}" in out
    assert "{'obs': 'File hello.py written.'}" in out
    assert "Task 1:\\n {" in out
    assert out.endswith("{'action': 'submit'}\n{'obs': 'Code submitted.'}\n")  # and no reward


@pytest.mark.usefixtures("here")
def test_the_snippets_of_swe_little(capsys: pytest.CaptureFixture[str]) -> None:
    out = ran(2, capsys)
    assert "Problem: add(1, 2) is -1\n" in out
    assert "calc.py" in out
    assert "Reward: 0.0\n" in out
    assert ran(3, capsys) == "Success! Output: /testbed\n"


# -- gym-codecraft -------------------------------------------------------------------------------


@pytest.fixture
def craft(small: Lab) -> Iterator[gymnasium.Env[Any, Any]]:
    env = gymnasium.make(gym_codecraft.ID, lab=small)
    yield env
    env.close()


def test_the_right_greeting_is_worth_one(craft: gymnasium.Env[Any, Any]) -> None:
    craft.reset()
    assert craft.unwrapped.current_task_id is None  # type: ignore[attr-defined]
    craft.step(json.dumps({"action": "start", "task_id": 1}))
    craft.step(json.dumps({"action": "write_file", "path": "hello.py", "content": 'print("Hello, World!")'}))
    obs, reward, terminated, truncated, info = craft.step('{"action": "submit"}')
    assert (obs, reward, terminated, truncated) == ({"obs": "Code submitted."}, 1.0, False, False)
    assert info["resolved"]
    obs, reward, *_ = craft.step('{"action": "command", "command": "ls"}')
    assert (obs["obs"], reward) == (gym_codecraft.NO_CONTAINER, -1)
    assert craft.step('{"action": "exit"}')[:3] == ({"obs": "Exited."}, 0.0, True)


def test_what_needs_a_task_and_what_does_not(craft: gymnasium.Env[Any, Any]) -> None:
    craft.reset()
    for action, message, worth in (
        ("{'action': 'reset'}", "Not valid JSON", -1),
        ('{"action": "reset"}', gym_codecraft.NOT_STARTED, -1),
        ('{"action": "submit"}', gym_codecraft.NO_CONTAINER, -1),
        ('{"action": "start", "task_id": "none"}', "Task none not found.\n", 0),
        ('{"action": "close"}', "Task closed.", 0),
    ):
        obs, reward, terminated, _, _ = craft.step(action)
        assert obs["obs"].startswith(message)
        assert (reward, terminated) == (worth, False)


def test_a_task_can_be_begun_anew_and_left(craft: gymnasium.Env[Any, Any], tmp_path: Path) -> None:
    env = gym_codecraft.EnvLogger(craft, tmp_path / "logs" / "env.log")
    obs, info = env.reset(options={"task_id": "1"})
    assert obs["obs"].startswith("Task 1:\n {'category': 'Python'")
    assert info["instance_id"] == "curriculum__1"
    env.step({"action": "command", "command": "echo > new"})  # the object itself will do
    again = env.step({"action": "reset"})[0]
    assert again == obs
    assert env.step({"action": "command", "command": "ls"})[0] == {"obs": ""}
    assert env.step({"action": "close"})[0] == {"obs": "Task closed."}
    assert env.step({"action": "command", "command": "ls"})[1] == -1
    env.close()
    log = (tmp_path / "logs" / "env.log").read_text()
    assert "INFO - Action: {'action': 'reset'}" in log
    assert "INFO - Reward: -1" in log


def test_gymnasium_finds_nothing_wrong_with_it(small: Lab) -> None:
    env = gym_codecraft.CodeCraftEnv(lab=small)
    check_env(env, skip_render_check=True)
    env.close()


# -- SEGym ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def issues(small: Lab) -> Iterator[se_gym.Environment]:
    with se_gym.make("dummy", lab=small) as env:
        yield env


def test_a_state_says_all_of_itself(issues: se_gym.Environment) -> None:
    state = issues.reset(0)
    assert "backwards" in state.issue
    assert (state.logs, state.previous_patches, state.steps) == ((), (), 0)
    assert state.fail_to_pass == (
        "tests.test_hidden.TestHidden.test_reverse",
        "tests.test_hidden.TestHidden.test_reverse_nothing",
    )
    gold = issues.dataset["patch"][0]
    after = issues.step(gold)
    assert after.resolved
    assert after.previous_patches == (gold,)
    assert after.tree != state.tree
    assert {test["status"] for test in after.logs[0].values()} == {"passed"}
    assert issues.step(gold, state).tree == after.tree
    assert "text[::-1]" in (Path(after.path) / "words.py").read_text()
    assert "text[::-1]" not in (Path(state.path) / "words.py").read_text()
    assert not (Path(after.path) / "tests" / "test_hidden.py").exists()


def test_a_patch_that_is_none_changes_nothing(issues: se_gym.Environment) -> None:
    state = issues.reset(2)
    bad = issues.step("nonsense")
    assert isinstance(bad, se_gym.InvalidState)
    assert "No valid patches" in bad.reason
    assert (bad.tree, bad.previous_patches) == (state.tree, ())
    assert (se_gym.percent_successfull(bad), se_gym.num_failed_tests(bad)) == (0.0, 3)
    empty = issues.step(" \n")
    assert isinstance(empty, se_gym.InvalidState)
    assert empty.reason == "the patch is empty"
    good = issues.step(issues.dataset[2]["patch"])
    assert se_gym.percent_successfull(good) == 1
    assert se_gym.fitness.number_retries(good) == 2
    assert 0 < se_gym.fitness.execution_speed(good) < 1


NOTE = "--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+note\n"


def test_patches_add_up_and_candidates_stand_beside_each_other(issues: se_gym.Environment) -> None:
    start = issues.reset(1)
    half = NOTE.format(name="note.txt")
    gold = issues.dataset[1]["patch"]
    first, second = issues.step([half, gold])
    assert not first.resolved
    assert 0 < se_gym.percent_successfull(first) < 1
    assert second.resolved
    assert second.previous_patches == (half, gold)
    assert len(second.logs) == 2
    beside = issues.step([half, "", gold], start)
    assert [len(state.previous_patches) for state in beside] == [1, 0, 1]
    assert [state.resolved for state in beside] == [False, False, True]


def test_the_choice_of_issues_is_repeatable(issues: se_gym.Environment, small: Lab) -> None:
    picked = []
    for _ in range(2):
        with se_gym.make("dummy", lab=small, seed=3) as env:
            picked.append([env.reset().issue for _ in range(4)])
    assert picked[0] == picked[1]
    assert issues.num_challenges == issues.dataset.num_rows == len(issues.dataset["instance_id"]) == 3


def test_data_sets_by_name_and_as_columns(here: Path, task: Task) -> None:
    assert se_gym.get_ds("princeton-nlp/SWE-bench_Lite/test").tasks[0].id == task.id
    columns = {"instance_id": ["a__a-1"], "repo": ["a/a"], "base_commit": ["0" * 40], "problem_statement": ["x"],
               "patch": [""], "test_patch": [""], "FAIL_TO_PASS": ['["t.py::t"]'], "PASS_TO_PASS": ["[]"]}  # fmt: skip
    assert se_gym.get_ds(columns)["FAIL_TO_PASS"] == [["t.py::t"]]
    with pytest.raises(ConfigError, match="differ in length"):
        se_gym.get_ds({"instance_id": ["a"], "repo": []})
    with pytest.raises(ConfigError, match="holds no task"):
        se_gym.make([])


def test_a_closed_environment_leaves_nothing(small: Lab) -> None:
    env = se_gym.make("dummy", lab=small)
    path = Path(env.reset(0).path)
    assert path.is_dir()
    env.close()
    env.close()
    assert not path.exists()
    with pytest.raises(ConfigError, match="closed"):
        env.reset(0)
    with pytest.raises(ConfigError, match="closed"):
        env.step(NOTE.format(name="a.txt"))


# -- SWE-Little ----------------------------------------------------------------------------------

Little = Callable[..., ContainerEnv]
MEND = "<execute>cd /testbed && sed -i 's/a - b/a + b/' calc.py</execute>"


@pytest.fixture
def little(here: Path, small: Lab) -> Iterator[Little]:
    made: list[ContainerEnv] = []

    def make(kind: type[ContainerEnv] = ContainerEnv, **options: Any) -> ContainerEnv:
        made.append(kind(**{"lab": small, **options}))
        return made[-1]

    yield make
    for env in made:
        env.close()
        env.close()


def test_an_episode_of_swe_little(little: Little) -> None:
    env = little()
    prompt = env.reset()
    assert prompt["instance_id"] == "calc-1"
    assert prompt[:7] == "Problem"
    assert "add(1, 2) is -1" in prompt
    message, reward, done, extra = env.step("<execute>cd tests; echo hi; false</execute>")
    assert (reward, done, extra["output"].splitlines()[0], extra["exit_code"]) == (0.0, False, "hi", 1)
    assert "The shell is in: /testbed/tests" in message
    assert "$ cd tests; echo hi; false\nhi" in message
    message, _, done, extra = env.step("words")
    assert (done, extra["command"]) == (False, "")
    assert "There is no <execute> block" in extra["output"]
    _, _, _, extra = env.step(MEND)
    assert "+    return a + b" in extra["diff"]
    message, reward, done, extra = env.step("<execute>exit</execute>")
    assert (message, reward, done, extra["command"]) == ("Patch submitted", 1.0, True, "exit")
    assert extra["resolved"]


def test_similarity_is_fifty_at_most(little: Little) -> None:
    env = little(reward="similarity")
    assert env.step(MEND)[1] == 0
    assert env.step("<execute>exit</execute>")[1] == pytest.approx(50)
    assert env.step("<execute>exit</execute>")[1:3] == (0, True)  # once is enough


def test_moving_nearer_is_worth_something(little: Little) -> None:
    env = little(reward="distance")
    away = env.step("<execute>cd /usr/lib</execute>")[1]
    back = env.step("<execute>cd /testbed</execute>")[1]
    assert away < 0 < back
    assert away + back == pytest.approx(0)


def test_a_scoring_function_is_asked_each_time(little: Little) -> None:
    def score(task: Task, extra: Any, done: bool) -> float:
        return 10.0 * done + len(extra["output"])

    env = little(reward=score)
    assert env.step("<execute>echo 12</execute>")[1] == 2
    assert env.step("<execute>submit</execute>")[1] >= 10


def test_a_plan_and_hints(little: Little) -> None:
    env = little(SweEnv, hint_rate=1.0, reward="distance")
    assert isinstance(env, SweEnv)
    env.reset()
    message, _, _, extra = env.step("<execute>ls</execute>")
    assert "There is no <plan> block" in extra["output"]
    assert env.bad_hint in message
    env.step("<plan>away</plan><execute>cd /</execute>")
    message, reward, _, _ = env.step("<plan>come back</plan><execute>cd /testbed</execute>")
    assert reward > 0
    assert env.good_hint in message
    assert "Your plan was:\ncome back" in message
    plain = env.normalize_state(message)
    assert env.good_hint not in plain
    assert len(plain) == len(message) - len(env.good_hint)


def test_each_row_is_tested_once(little: Little) -> None:
    env = little(SweEnv, is_test=True, use_plan=False, prompt_template="{problem_statement} in {project_dir}")
    prompt, row = env.reset()
    assert prompt == "add(1, 2) is -1 in /testbed"
    assert row["instance_id"] == "calc-1"
    assert env.reset() is None


def test_a_tool_folder_is_on_the_path(little: Little) -> None:
    env = little(lab=None, base_tools_path="./src/tools", tool_list=["search"], sif_folder="./env")
    extra = env.step("<execute>find_word twice</execute>")[3]
    assert "calc.py:5:def twice(a):" in extra["output"]
    assert extra["diff"] == ""


def test_wrong_choices_are_said(little: Little) -> None:
    with pytest.raises(ConfigError, match="choose from tests, similarity, distance"):
        little(reward="best")
    with pytest.raises(ConfigError, match="none of the 1 rows is wanted"):
        little(filter_fn=lambda row: False)
