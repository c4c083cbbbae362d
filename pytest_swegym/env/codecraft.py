"""The names of gym-codecraft, for ``import pytest_swegym.env.codecraft as gym_codecraft``: actions are JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium import spaces
from gymnasium.envs.registration import registry

from pytest_swegym.env.spaces import AnyText
from pytest_swegym.env.swegym import SWEGymEnv
from pytest_swegym.env.tasks import TaskSource
from pytest_swegym.env.tasks import find_task
from pytest_swegym.errors import ConfigError
from pytest_swegym.session import Action
from pytest_swegym.session import Close
from pytest_swegym.session import Invalid
from pytest_swegym.session import Start
from pytest_swegym.session.protocols.json import JsonProtocol
from pytest_swegym.task import TaskSpec


ID = "gym_codecraft/CodeCraft-v0"
NO_CONTAINER = "No running container: please use `{'action':'reset', 'task_id':'?'}` to choose a task."
NOT_STARTED = "No task started. Please use start action to start a task."
WELCOME = """\
Welcome! Every action is a JSON object:
{"action": "start", "task_id": "1"}                                 start a task; there are %s
{"action": "command", "command": "ls"}                              run a shell command
{"action": "write_file", "path": "a.py", "content": "print(1)"}     write a file
{"action": "submit"}                                                hand in your work; it is graded
{"action": "reset"}                                                 begin the task anew
{"action": "close"}                                                 leave the task
{"action": "exit"}                                                  leave the environment
"""
Step = tuple[dict[str, str], float, bool, bool, dict[str, Any]]


class CodeCraftEnv(gymnasium.Env[dict[str, str], str]):
    """Tasks to choose from while the environment goes on; ``options`` are those of :class:`EnvConfig`.

    A bad action, and one that needs a task when there is none, is worth -1; a submission what its grade is.
    """

    metadata = SWEGymEnv.metadata

    def __init__(self, tasks: TaskSource = "curriculum", **options: Any) -> None:
        self._env = SWEGymEnv(tasks, **{"order": "indexed", **options, "protocol": "json", "observation": "text"})
        self._protocol = JsonProtocol()
        self._task_id: str | None = None
        self.action_space = self._env.action_space
        self.observation_space = spaces.Dict({"obs": AnyText()})  # type: ignore[assignment]
        self.render_mode = self._env.render_mode

    @property
    def current_task_id(self) -> str | None:
        """The task that is being played, by the name it was started with."""
        return self._task_id

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Leave the task; the welcome. With ``options={"task_id": ...}`` that task is started.

        Raises :class:`ConfigError` if there is none of that name.
        """
        super().reset(seed=seed)
        self._task_id = None
        if options and "task_id" in options:
            return self._start(str(options["task_id"]))
        count = len(self._env.tasks)
        return {"obs": WELCOME % ("one" if count == 1 else f"{count} of them")}, {}

    def step(self, action: str | Mapping[str, Any]) -> Step:
        """One action, as JSON text or as the object itself."""
        text = action if isinstance(action, str) else json.dumps(action)
        asked = self._protocol.parse(text)
        if isinstance(asked, Start) and asked.task_id is not None:
            return self._started(asked.task_id)
        if isinstance(asked, Close):
            if self._task_id is not None:
                self._env.step(text)  # ends its sandbox
            self._task_id = None
            return {"obs": "Exited." if asked.leave else "Task closed."}, 0.0, asked.leave, False, {}
        if self._task_id is None:
            return {"obs": _without_task(asked)}, self._protocol.invalid_reward, False, False, {}
        if isinstance(asked, Start):
            return self._started(self._task_id)
        obs, reward, terminated, truncated, info = self._env.step(text)
        if terminated or truncated:
            self._task_id = None  # the environment goes on: the next task can be started
        return {"obs": obs}, reward, False, truncated, info

    def _started(self, task_id: str) -> Step:
        try:
            find_task(self._env.tasks, task_id)
        except ConfigError:
            return {"obs": f"Task {task_id} not found.\n"}, 0.0, False, False, {}
        obs, info = self._start(task_id)
        return obs, 0.0, False, False, info

    def _start(self, task_id: str) -> tuple[dict[str, str], dict[str, Any]]:
        self._task_id = None
        _, info = self._env.reset(options={"task_id": task_id})
        self._task_id = task_id
        spec = self._env.tasks[find_task(self._env.tasks, task_id)].spec
        return {"obs": f"Task {task_id}:\n {_described(spec)}\n"}, info

    def render(self) -> Any:
        """What is going on, as text for a terminal (``render_mode="ansi"``)."""
        return self._env.render()

    def close(self) -> None:
        """End every sandbox. Twice is fine."""
        self._task_id = None
        self._env.close()


class EnvLogger(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Writes actions, observations and rewards to a log, by default ``logs/env.log``."""

    def __init__(self, env: gymnasium.Env[Any, Any], path: str | Path = "logs/env.log") -> None:
        super().__init__(env)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.logging = logging.getLogger("pytest_swegym.env.codecraft")
        self.logging.setLevel(logging.DEBUG)
        self._handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
        self._handler.setFormatter(logging.Formatter("%(asctime)s - %(levelname)s - %(message)s"))
        self.logging.addHandler(self._handler)

    def step(self, action: Any) -> Any:
        self.logging.info("Action: %s", action)
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.logging.info("Observation: %s", observation)
        if reward:
            self.logging.info("Reward: %s", reward)
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        super().close()
        self.logging.removeHandler(self._handler)
        self._handler.close()


def _without_task(asked: Action) -> str:
    if isinstance(asked, Start):
        return NOT_STARTED
    bad = isinstance(asked, Invalid) and not asked.message.startswith("Unknown action")
    return asked.message if isinstance(asked, Invalid) and bad else NO_CONTAINER


def _described(spec: TaskSpec) -> dict[str, str]:
    """What a player may know of a task, by the names of a ``curriculum.json``."""
    told = {
        "category": spec.tags[0] if spec.tags else "",
        "docker": spec.environment.image or "",
        "shell": spec.shell or "",
        "working_dir": spec.workdir,
        "title": spec.title,
        "description": spec.problem_statement,
    }
    return {name: text for name, text in told.items() if text}


if ID not in registry:
    gymnasium.register(ID, entry_point="pytest_swegym.env.codecraft:CodeCraftEnv", order_enforce=False)
