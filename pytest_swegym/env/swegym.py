"""Tasks as a gymnasium environment: text in, observation out, and the hidden tests at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium.error import ClosedEnvironmentError
from gymnasium.error import ResetNeeded

from pytest_swegym.env.config import make_config
from pytest_swegym.env.course import Course
from pytest_swegym.env.play import Branch
from pytest_swegym.env.play import Play
from pytest_swegym.env.render import rendered
from pytest_swegym.env.spaces import NONE
from pytest_swegym.env.spaces import action_space
from pytest_swegym.env.spaces import observation_space
from pytest_swegym.env.spaces import observed
from pytest_swegym.env.tasks import Order
from pytest_swegym.env.tasks import TaskSource
from pytest_swegym.env.tasks import find_task
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.session import Session
from pytest_swegym.session import Turn
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Task


_ENDED = "The episode has ended: reset begins another."


class SWEGymEnv(gymnasium.Env[Any, str]):
    """Play tasks step by step. An action is text in the words of the protocol; see :class:`EnvConfig` for the options.

    ``step`` gives the reward of the step; at the end of an episode it gives the graded reward, whoever ended it, and
    ``info`` says what was found. An episode that the machinery failed has ``info["infra_error"]`` and
    ``info["mask"]``: its reward of 0 means nothing. Not for several threads at once.

    Raises :class:`ConfigError` for wrong options.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012  (gymnasium declares it so)

    def __init__(self, tasks: TaskSource = "curriculum", **options: Any) -> None:
        self._use(Course(make_config({"tasks": tasks, **options})))

    @classmethod
    def sharing(cls, course: Course) -> SWEGymEnv:
        """An environment that shares tasks, lab and records with others."""
        env = cls.__new__(cls)
        env._use(course)
        return env

    def _use(self, course: Course) -> None:
        config = course.config
        if config.render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(f"render_mode={config.render_mode!r}: choose from ansi, or None")
        self.course, self.render_mode = course, config.render_mode
        self.action_space = action_space(course.protocol(None))
        self.observation_space = observation_space(config.observation)
        self._order = Order(len(course.tasks), config.order, config.seed)
        self._play: Play | None = None
        self._turn: Turn | None = None
        self._reward = 0.0
        self._closed = False
        course.join()

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.course.tasks

    @property
    def session(self) -> Session | None:
        """The session that is being played, if one is."""
        return self._play.session if self._play is not None else None

    @property
    def record(self) -> AttemptRecord | None:
        """The record of the episode, once it has ended."""
        return self._play.record if self._play is not None else None

    @property
    def schemas(self) -> list[Mapping[str, Any]]:
        """What a model may call in the running episode, as OpenAI function schemas; empty where actions are text."""
        return self._playing().session.protocol.schemas()

    # -- gymnasium -------------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin the next task, or that of ``options``: ``{"task_id": "1"}`` or ``{"index": 0}``.

        A ``seed`` begins the order anew. An episode that had not ended is left ungraded. Raises :class:`InfraError` if
        the task cannot be prepared, :class:`ConfigError` for an unknown one.
        """
        self._check_open()
        super().reset(seed=seed)
        if seed is not None:
            self._order.restart(seed)
        self._begin(self._chosen(options or {}))
        return self._seen(), self._info()

    def step(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One action. After the end nothing is done any more, and the reward is 0."""
        play = self._playing()
        if not isinstance(action, str):
            raise ConfigError(f"an action is text (got {type(action).__name__})")
        if play.over:
            return self._after_the_end(play)
        try:
            self._turn = turn = play.step(action)
            self._reward = turn.reward
            if not turn.done:
                return self._seen(), turn.reward, False, False, self._info()
            terminated, truncated = turn.terminated, turn.truncated
        except InfraError as error:
            play.fail(error)
            terminated, truncated = False, True
        record = play.finish()
        self._reward = record.reward or 0.0
        return self._seen(), self._reward, terminated, truncated, self._info()

    def render(self) -> Any:
        """What is going on, as text for a terminal."""
        if self.render_mode is None:
            return None
        return rendered(self._play, self._turn, self._reward)

    def close(self) -> None:
        """End every sandbox of its own. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        try:
            self._leave()
        finally:
            self.course.leave()

    # -- branching -------------------------------------------------------------------------------

    def snapshot(self) -> Branch:
        """This moment, to come back to with :meth:`restore`. Running processes are not part of it."""
        return self._live().branch()

    def restore(self, branch: Branch) -> tuple[Any, dict[str, Any]]:
        """Go back to a moment of this environment or of one it was forked from, also after the end of the episode."""
        self._check_open()
        if self._play is not None and self._play.knows(branch):
            self._play.rewind(branch)
        else:
            self._leave()
            self._play = self._made(branch.play.task, branch)
        self._turn, self._reward = None, 0.0
        return self._seen(), self._info()

    def fork(self) -> SWEGymEnv:
        """Another environment that goes on from here, with a sandbox of its own; it is to be closed as well."""
        play = self._live()
        other = self.sharing(self.course)
        try:
            other._np_random, other._np_random_seed = self._np_random, self._np_random_seed
            other._play = other._made(play.task, play.branch())
        except BaseException:
            other.close()
            raise
        return other

    def spend(self, cost: float) -> None:
        """Count ``cost`` for the limit of the episode."""
        self._live().session.spend(cost)

    # -- inside ----------------------------------------------------------------------------------

    def _chosen(self, options: dict[str, Any]) -> Task:
        if not isinstance(options, Mapping):
            raise ConfigError(f"options={options!r:.80}: expected a table with 'task_id' or 'index'")
        unknown = sorted(set(options) - {"task_id", "index"})
        if unknown or len(options) > 1:
            what = f"unknown {unknown[0]!r}" if unknown else "both were given"
            raise ConfigError(f"options: {what}; give 'task_id' or 'index'")
        if "task_id" in options:
            return self.tasks[find_task(self.tasks, str(options["task_id"]))]
        index = options.get("index")
        index = self._order.next() if index is None else index
        if isinstance(index, bool) or not hasattr(index, "__index__") or not 0 <= index < len(self.tasks):
            raise ConfigError(f"options: index={index!r}: expected a number from 0 to {len(self.tasks) - 1}")
        return self.tasks[index]

    def _begin(self, task: Task) -> None:
        self._leave()
        self._play = self._made(task)
        self._turn, self._reward = None, 0.0

    def _made(self, task: Task, branch: Branch | None = None) -> Play:
        return Play(self.course, task, seed=self.np_random_seed if self._np_random_seed else 0, branch=branch)

    def _leave(self) -> None:
        play, self._play = self._play, None
        if play is not None:
            play.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedEnvironmentError("the environment is closed: make another")

    def _playing(self) -> Play:
        self._check_open()
        if self._play is None:
            raise ResetNeeded("no task is being played: call reset() first")
        return self._play

    def _live(self) -> Play:
        play = self._playing()
        if play.over:
            raise ResetNeeded(_ENDED)
        return play

    def _seen(self) -> Any:
        return observed(self.course.config.observation, self._playing().session.observation)

    def _after_the_end(self, play: Play) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        turn = self._turn
        return self._seen(), 0.0, bool(turn and turn.terminated), not (turn and turn.terminated), self._info()

    def _info(self) -> dict[str, Any]:
        """What a trainer may know; none of it is told to the player."""
        play = self._playing()
        seen = play.session.observation
        info: dict[str, Any] = {
            "instance_id": play.task.id,
            "step": seen.step,
            "ending": play.session.ending,
            # A number for gymnasium's vectors, which join the infos of all.
            "exit_code": NONE if seen.exit_code is None else seen.exit_code,
            "timed_out": seen.timed_out,
            "diff": seen.diff,
            "tree": seen.tree,
            "remaining": seen.to_dict()["remaining"],
            "step_reward": self._turn.reward if self._turn is not None else 0.0,
            "step_reward_sum": play.summed,
        }
        if play.graded is not None:
            info["grade"] = play.graded
        if play.record is not None:
            info |= _ended(play.record, play.grade())
        return info


def _ended(record: AttemptRecord, grade: Grade | None) -> dict[str, Any]:
    failed = record.reward is None
    return {
        "verdict": record.verdict.value,
        "resolved": record.resolved,
        "reward": record.reward or 0.0,
        "reasons": list(record.reasons),
        "mask": failed,
        "infra_error": record.error or "; ".join(record.reasons) if failed else "",
        "attempt": record.attempt,
        "grade": grade,
    }
