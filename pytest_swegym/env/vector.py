"""Many episodes at once in one process, which share one lab."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from gymnasium.error import ClosedEnvironmentError
from gymnasium.vector import AutoresetMode
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.vector.utils import concatenate
from gymnasium.vector.utils import create_empty_array

from pytest_swegym.env.config import make_config
from pytest_swegym.env.course import Course
from pytest_swegym.env.spaces import observed
from pytest_swegym.env.swegym import SWEGymEnv
from pytest_swegym.env.tasks import Order
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SwegymError
from pytest_swegym.session import Observation


_WORKERS = 64
_MASK = "reset_mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Came:
    """What came of one environment in one step."""

    seen: Any
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: dict[str, Any]

    @property
    def done(self) -> bool:
        return self.terminated or self.truncated


class ThreadVectorEnv(VectorEnv[Any, Any, Any]):
    """``num_envs`` environments with the options of :class:`EnvConfig`, whose steps run at the same time.

    They share tasks and lab, and the order of the tasks: each is begun once per pass, by whoever is free, in the order
    of the environments. ``workers`` threads run them. An episode that cannot be prepared shows ``infra_error`` and
    ``mask`` in its info and is truncated at its next step, and the others go on. Any other error of one is raised when
    all have made their step, and names it.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        workers: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **options: Any,
    ) -> None:
        if num_envs < 1:
            raise ConfigError(f"num_envs={num_envs}: expected at least 1")
        self.num_envs = num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.course = Course(make_config(options))
        self.envs = tuple(SWEGymEnv.sharing(self.course) for _ in range(num_envs))
        first = self.envs[0]
        self.metadata = {**first.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = first.render_mode
        self.single_action_space, self.single_observation_space = first.action_space, first.observation_space
        self.action_space = batch_space(first.action_space, num_envs)
        self.observation_space = batch_space(first.observation_space, num_envs)
        config = self.course.config
        self._order = Order(len(self.course.tasks), config.order, config.seed)
        self._ended = np.zeros(num_envs, dtype=np.bool_)
        self._last: list[_Came | None] = [None] * num_envs
        self._pool = ThreadPoolExecutor(workers or min(num_envs, _WORKERS), thread_name_prefix="swegym-env")

    # -- gymnasium -------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in all, or where ``options["reset_mask"]`` is true.

        ``task_id`` or ``index`` in the options is one for all, or a list with one for each. A ``seed`` begins the
        order of the tasks anew.
        """
        self._check_open()
        seeds = self._seeds(seed)
        given = dict(options or {})
        who = np.flatnonzero(self._mask(given.pop(_MASK))) if _MASK in given else range(self.num_envs)
        begun = next((each for each in seeds if each is not None), None)
        if begun is not None:
            self._order.restart(begun)
        chosen = {int(place): self._chosen(given, int(place)) for place in who}
        came = self._each({place: self._reset(place, choice, seeds[place]) for place, choice in chosen.items()})
        for place, each in came.items():
            self._last[place], self._ended[place] = each, False
        if missing := [place for place, each in enumerate(self._last) if each is None]:
            raise ConfigError(f"env {missing[0]}: reset it first, its reset_mask was false")
        return self._joined(came)[0], self._infos(came)

    def step(
        self, actions: Iterable[str]
    ) -> tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any], dict[str, Any]]:
        """An action for each. What those that have ended get is a matter of ``autoreset_mode``, as gymnasium has it."""
        self._check_open()
        given = self._checked(actions)
        mode = self.autoreset_mode
        again = {int(place): self._chosen({}, int(place)) for place in np.flatnonzero(self._ended)}
        came = self._each(
            {
                place: self._reset(place, again[place]) if place in again else self._step(place, action)
                for place, action in enumerate(given)
            }
        )
        finals: dict[int, _Came] = {}
        if mode is AutoresetMode.SAME_STEP:
            finals = {place: each for place, each in came.items() if each.done}
            new = self._each({place: self._reset(place, self._chosen({}, place)) for place in finals})
            came |= {place: _kept(finals[place], each) for place, each in new.items()}
        for place, each in came.items():
            self._last[place] = each
            self._ended[place] = each.done and mode is not AutoresetMode.SAME_STEP
        seen, rewards, terminated, truncated = self._joined(came)
        return seen, rewards, terminated, truncated, self._infos(came, finals)

    def render(self) -> tuple[Any, ...] | None:
        return tuple(env.render() for env in self.envs) if self.render_mode is not None else None

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The method, or attribute, ``name`` of each."""
        found = [getattr(env, name) for env in self.envs]
        return tuple(each(*args, **kwargs) if callable(each) else each for each in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        return tuple(getattr(env, name) for env in self.envs)

    def close_extras(self, **kwargs: Any) -> None:
        """End every sandbox. What is still running raises in its thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for env in self.envs:
            env.close()

    def __enter__(self) -> ThreadVectorEnv:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- one environment -------------------------------------------------------------------------

    def _reset(self, place: int, options: dict[str, Any], seed: int | None = None) -> Callable[[], _Came]:
        env = self.envs[place]

        def reset() -> _Came:
            try:
                seen, info = env.reset(seed=seed, options=options)
            except InfraError as error:
                return self._down(str(error))
            return _Came(seen=seen, info=info)

        return reset

    def _step(self, place: int, action: str) -> Callable[[], _Came]:
        env, last = self.envs[place], self._last[place]

        def step() -> _Came:
            if last is not None and last.info.get("infra_error") and not last.done:
                return self._down(last.info["infra_error"], truncated=True)
            seen, reward, terminated, truncated, info = env.step(action)
            return _Came(seen=seen, reward=reward, terminated=terminated, truncated=truncated, info=info)

        return step

    def _down(self, error: str, *, truncated: bool = False) -> _Came:
        """An episode that could not be prepared."""
        seen = observed(self.course.config.observation, Observation(text=error, notice=error))
        return _Came(seen=seen, truncated=truncated, info={"infra_error": error, "mask": True, "reward": 0.0})

    def _each(self, calls: Mapping[int, Callable[[], _Came]]) -> dict[int, _Came]:
        """All calls at the same time; the first error is raised when all have ended."""
        futures = {place: self._pool.submit(call) for place, call in calls.items()}
        errors = {place: error for place, future in futures.items() if (error := future.exception()) is not None}
        for place, error in errors.items():
            kind = ConfigError if isinstance(error, ConfigError) else SwegymError
            said = str(error) if isinstance(error, SwegymError) else f"{type(error).__name__}: {error}"
            raise kind(f"env {place}: {said}") from error
        return {place: future.result() for place, future in futures.items()}

    # -- all of them -----------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedEnvironmentError("the environments are closed: make others")

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None or isinstance(seed, (int, np.integer)):
            return [None if seed is None else int(seed) + place for place in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ConfigError(f"seed: {len(seed)} of them for {self.num_envs} environments")
        return list(seed)

    def _mask(self, mask: Any) -> np.ndarray[Any, Any]:
        if not isinstance(mask, np.ndarray) or mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise ConfigError(f"options: reset_mask: expected an array of {self.num_envs} booleans")
        return mask

    def _chosen(self, options: Mapping[str, Any], place: int) -> dict[str, Any]:
        """Which task the environment at ``place`` begins."""
        if not options:
            return {"index": self._order.next()}
        chosen = {}
        for name, value in options.items():
            several = isinstance(value, (list, tuple, np.ndarray))
            if several and len(value) != self.num_envs:
                raise ConfigError(f"options: {name}: {len(value)} of them for {self.num_envs} environments")
            chosen[name] = value[place] if several else value
        return chosen

    def _checked(self, actions: Iterable[str]) -> list[str]:
        given = list(actions) if not isinstance(actions, str) else [actions]
        if len(given) != self.num_envs:
            raise ConfigError(f"{len(given)} actions for {self.num_envs} environments")
        for place, action in enumerate(given):
            if not isinstance(action, str):
                raise ConfigError(f"env {place}: an action is text (got {type(action).__name__})")
            if self._last[place] is None:
                raise ConfigError(f"env {place}: no task is being played: call reset() first")
            if self._ended[place] and self.autoreset_mode is AutoresetMode.DISABLED:
                raise ConfigError(f"env {place}: its episode has ended: reset it, with options={{'reset_mask': ...}}")
        return given

    def _joined(self, came: Mapping[int, _Came]) -> tuple[Any, Any, Any, Any]:
        """Observations of all; rewards and ends of those that ``came``."""
        space = self.single_observation_space
        seen = [each.seen for each in self._last if each is not None]
        rewards = np.array([came[place].reward if place in came else 0.0 for place in range(self.num_envs)])
        ends = [
            np.array([place in came and getattr(came[place], name) for place in range(self.num_envs)])
            for name in ("terminated", "truncated")
        ]
        empty: Any = create_empty_array(space, self.num_envs)
        return concatenate(space, seen, empty), rewards, ends[0], ends[1]

    def _infos(self, came: Mapping[int, _Came], finals: Mapping[int, _Came] | None = None) -> dict[str, Any]:
        infos: dict[str, Any] = {}
        for place, final in (finals or {}).items():
            infos = self._add_info(infos, {"final_obs": final.seen, "final_info": final.info}, place)
        for place, each in came.items():
            infos = self._add_info(infos, each.info, place)
        return infos


def _kept(final: _Came, begun: _Came) -> _Came:
    """The start of the next episode, with the reward and the end of the last."""
    return _Came(
        seen=begun.seen,
        reward=final.reward,
        terminated=final.terminated,
        truncated=final.truncated,
        info=begun.info,
    )
