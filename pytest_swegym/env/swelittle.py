"""The names of SWE-Little: ``ContainerEnv`` and ``SweEnv``, whose actions are ``<execute>…</execute>`` blocks."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from typing import ClassVar

from pytest_swegym.env.swegym import SWEGymEnv
from pytest_swegym.env.tasks import load_tasks
from pytest_swegym.errors import ConfigError
from pytest_swegym.rows import row_options
from pytest_swegym.session import Command
from pytest_swegym.session import Invalid
from pytest_swegym.session import Submit
from pytest_swegym.session.protocols.execute import ExecuteProtocol
from pytest_swegym.task import Task


log = logging.getLogger("pytest_swegym.env")
DATA = "princeton-nlp/SWE-bench_Lite"
#: Rewards by name: what each is in the middle of an episode is the step reward of that name.
REWARDS = {"tests": "none", "similarity": "similarity", "distance": "distance"}
#: What a patch equal to the gold one is worth under ``similarity``.
SIMILARITY = 50.0
GOOD_HINT = "<|HINT: This was a good move, go on from there|>"
BAD_HINT = "<|HINT: This was no good move, find out why|>"
TEMPLATE = """\
Problem statement:
{problem_statement}

Repository: {project_dir}
The shell is in: {location}
{history}{plan}
End your answer with one command in <execute> and </execute>; <execute>exit</execute> hands in your work.
"""
PLAN_TEMPLATE = TEMPLATE.replace("\nEnd your answer", "\nSay what you are going to do in <plan> and </plan>, then end")
#: A function of the user's: the task, what :meth:`ContainerEnv.step` tells in ``extra``, and whether it was the end.
Scoring = Callable[[Task, Mapping[str, Any], bool], float]


class Prompt(str):
    """The text for the player, which is also its row: ``prompt["problem_statement"]``."""

    row: Mapping[str, Any]

    def __new__(cls, text: str, row: Mapping[str, Any]) -> Prompt:
        made = super().__new__(cls, text)
        made.row = row
        return made

    def __getitem__(self, key: Any) -> Any:
        return self.row[key] if isinstance(key, str) else super().__getitem__(key)


class ContainerEnv:
    """Tasks of a data set, chosen by chance; a step is a command, and ``exit`` hands in what is there.

    ``data_name_or_path`` is what ``--swegym-tasks`` takes, ``filter_fn`` says which rows are played (default: those
    with a problem statement). Each of ``tool_list`` is a folder of ``base_tools_path``, or the name of a shipped tool.
    ``reward`` is ``tests`` (the graded reward at the end), ``similarity`` (to the gold patch, 50 at most, at the end),
    ``distance`` (nearer to the edited files with each step, graded at the end), or a function, see ``Scoring``.
    With ``use_plan`` a ``<plan>…</plan>`` has to come before each command.
    ``sif_folder`` is not used. ``options`` are those of :class:`EnvConfig`. Raises :class:`ConfigError`.
    """

    #: How many commands the prompt shows.
    rounds: ClassVar[int] = 10

    def __init__(
        self,
        data_name_or_path: str = DATA,
        split: str = "test",
        sif_folder: str | None = None,
        base_tools_path: str | None = None,
        tool_list: Sequence[str] | None = None,
        *,
        use_plan: bool = False,
        filter_fn: Callable[[Mapping[str, Any]], bool] | None = None,
        reward: str | Scoring = "tests",
        prompt_template: str = "",
        seed: int = 0,
        **options: Any,
    ) -> None:
        if sif_folder is not None:
            log.info("sif_folder=%r is not used: environments are kept in the cache of pytest-swegym", sif_folder)
        if isinstance(reward, str) and reward not in REWARDS:
            raise ConfigError(f"reward={reward!r}: choose from {', '.join(REWARDS)}, or give a function")
        self.dataset = _played(load_tasks(data_name_or_path, row_options(split=split)), filter_fn)
        self.tool_list = list(tool_list or ())
        self.use_plan = use_plan
        self.prompt_template = prompt_template or (PLAN_TEMPLATE if use_plan else TEMPLATE)
        self.history: list[tuple[str, str]] = []
        self._score = reward if callable(reward) else None
        self._kind = reward if isinstance(reward, str) else "tests"
        self._random = random.Random(seed)
        self._protocol = ExecuteProtocol(use_plan=use_plan)
        self._task: Task | None = None
        self._over = False
        own = {
            "protocol": "execute-plan" if use_plan else "execute",
            "step_reward": REWARDS[self._kind],
            "order": "shuffled",
            "seed": seed,
            "tools": tuple(_tool(name, base_tools_path) for name in self.tool_list),
        }
        self._env = SWEGymEnv(self.dataset, **{**own, **options})

    # -- playing ---------------------------------------------------------------------------------

    def reset(self) -> Any:
        """The next task: its prompt, which is its row as well. Raises :class:`InfraError` if it cannot be prepared."""
        _, info = self._env.reset()
        self._task = next(task for task in self.dataset if task.id == info["instance_id"])
        self._over = False
        self.history.clear()
        return self._prompt(self._task.spec.workdir)

    def step(self, raw_cmd: str) -> tuple[str, float, bool, dict[str, Any]]:
        """Do what the last block of ``raw_cmd`` says: message, reward, whether it was the end, and ``extra``.

        ``extra`` has ``diff``, ``command``, ``output`` and ``exit_code``; at the end ``verdict`` and ``resolved`` too.
        """
        if self._task is None:
            self.reset()
        text, reward, terminated, truncated, info = self._env.step(raw_cmd)
        done = terminated or truncated
        command = self._said(raw_cmd)
        extra = {"diff": info["diff"], "command": command, "output": text, "exit_code": info["exit_code"]}
        extra |= {name: info[name] for name in ("verdict", "resolved", "reasons", "infra_error") if name in info}
        if done:
            worth = 0.0 if self._over else self._final(reward, info, extra)
            self._over = True
            return self._ended(text), worth, True, extra
        self.history.append((command, text))
        if self._score is not None:
            reward = float(self._score(self._playing(), extra, False))
        session = self._env.session
        where = session.location() if session is not None else ""
        shaped = 0.0 if self._kind == "similarity" else reward
        return self._prompt(where, plan=self._protocol.plan(raw_cmd), reward=reward), shaped, False, extra

    def _playing(self) -> Task:
        if self._task is None:
            raise ConfigError("no task is being played: call reset() first")
        return self._task

    def _said(self, raw_cmd: str) -> str:
        asked = self._protocol.parse(raw_cmd)
        if isinstance(asked, Command):
            return asked.command
        return "" if isinstance(asked, Invalid) else "exit" if isinstance(asked, Submit) else "forfeit"

    def _final(self, reward: float, info: Mapping[str, Any], extra: Mapping[str, Any]) -> float:
        if self._score is not None:
            return float(self._score(self._playing(), extra, True))
        return SIMILARITY * float(info["step_reward_sum"]) if self._kind == "similarity" else reward

    def _ended(self, text: str) -> str:
        session = self._env.session
        return "Patch submitted" if session is not None and session.ending == "submit" else text

    # -- the prompt ------------------------------------------------------------------------------

    def _prompt(self, location: str, *, plan: str = "", reward: float | None = None) -> Prompt:
        task = self._playing()
        rounds = "\n".join(f"$ {command}\n{output}" for command, output in self.history[-self.rounds :])
        rounds = f"\nThe last commands and what they printed:\n{rounds}\n" if rounds else ""
        text = self.prompt_template.format(
            problem_statement=task.spec.problem_statement,
            project_dir=task.spec.workdir,
            location=location,
            history=rounds + self._hint(reward),
            plan=f"\nYour plan was:\n{plan}\n" if plan and self.use_plan else "",
            tool_list=", ".join(f"`{name}`" for name in self.tool_list),
        )
        return Prompt(text.strip(), _row(task))

    def _hint(self, reward: float | None) -> str:
        """Nothing, unless the environment gives hints."""
        return ""

    def close(self) -> None:
        """End every sandbox. Twice is fine."""
        self._env.close()

    def __enter__(self) -> ContainerEnv:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SweEnv(ContainerEnv):
    """The same with a plan before each command, hints, and a mode for tests.

    After a step a hint is added to the prompt with the probability ``hint_rate``: ``good_hint`` if the step's reward
    was above 0, else ``bad_hint``. With ``is_test`` the tasks come in order: ``reset`` gives prompt and row, and
    ``None`` after the last.
    """

    rounds: ClassVar[int] = 4

    def __init__(
        self,
        data_name_or_path: str = DATA,
        split: str = "test",
        sif_folder: str | None = None,
        use_plan: bool = True,
        hint_rate: float = 0.0,
        good_hint: str = GOOD_HINT,
        bad_hint: str = BAD_HINT,
        base_tools_path: str | None = None,
        tool_list: Sequence[str] | None = None,
        is_test: bool = False,
        prompt_template: str = "",
        **options: Any,
    ) -> None:
        self.hint_rate, self.good_hint, self.bad_hint, self.is_test = hint_rate, good_hint, bad_hint, is_test
        options = {**({"order": "sequential"} if is_test else {}), "use_plan": use_plan, **options}
        self._begun = 0
        super().__init__(
            data_name_or_path, split, sif_folder, base_tools_path, tool_list, prompt_template=prompt_template, **options
        )

    def reset(self) -> Any:
        if self.is_test and self._begun == len(self.dataset):
            return None
        self._begun += 1
        prompt = super().reset()
        return (prompt, prompt.row) if self.is_test else prompt

    def _hint(self, reward: float | None) -> str:
        if reward is None or self._random.random() >= self.hint_rate:
            return ""
        return self.good_hint if reward > 0 else self.bad_hint

    def normalize_state(self, state: str) -> str:
        """The prompt without hints."""
        return state.replace(self.good_hint, "").replace(self.bad_hint, "")


def _played(tasks: Sequence[Task], wanted: Callable[[Mapping[str, Any]], bool] | None) -> tuple[Task, ...]:
    wanted = wanted or (lambda row: bool(row["problem_statement"].strip()))
    played = tuple(task for task in tasks if wanted(_row(task)))
    if not played:
        raise ConfigError(f"none of the {len(tasks)} rows is wanted: see filter_fn")
    return played


def _tool(name: str, base: str | None) -> str:
    folder = Path(base or "") / name
    return str(folder) if base and folder.is_dir() else name


def _row(task: Task) -> Mapping[str, Any]:
    """What a player may know of a task, by the names of SWE-Little's rows."""
    spec = task.spec
    return {
        "name": spec.instance_id,
        "instance_id": spec.instance_id,
        "problem_statement": spec.problem_statement,
        "hint": spec.hints_text,
        "repo": spec.repo,
        "base_commit": spec.base_commit or "",
        "project_dir": spec.workdir,
    }
