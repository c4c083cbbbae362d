"""A player as a solver: it plays an episode in the workspace, and what it leaves there is its answer."""

from __future__ import annotations

from pytest_swegym.agents.base import Player
from pytest_swegym.agents.base import play
from pytest_swegym.errors import SolverError
from pytest_swegym.session import Session
from pytest_swegym.session import SessionLimits
from pytest_swegym.session import load_protocol
from pytest_swegym.session import open_trajectory
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


#: The protocol of players that speak them all.
PROTOCOL = "json"


class AgentSolver:
    """``solve(task, workspace)`` for a player; ``protocol`` is for those that speak all.

    The episode ends some seconds before the task's ``solve_timeout``, so that what is there by then is graded.
    """

    def __init__(self, player: Player, *, protocol: str = PROTOCOL) -> None:
        self.player = player
        self.oracle = player.oracle
        self._protocol = protocol

    def __call__(self, task: TaskSpec, workspace: Workspace) -> str | None:
        occasion = workspace.occasion
        policy = self.player.make(task, number=occasion.number, seed=occasion.seed)
        name = policy.protocol or self._protocol
        protocol = load_protocol(name)(occasion.tools)
        session = Session(
            task,
            workspace,
            protocol,
            limits=SessionLimits(steps=occasion.steps, seconds=solving_seconds(task)),
            trajectory=open_trajectory(occasion, protocol, name),
            step_reward=occasion.step_reward,
        )
        with session:
            try:
                played = play(session, policy)
            finally:
                occasion.told.update(policy.told)
        occasion.told.update(steps=played.steps, ending=played.ending)
        if occasion.step_reward is not None:
            occasion.told["step_reward"] = played.reward
        if played.ending == "sandbox":
            raise SolverError("everything in the sandbox was ended from inside")
        if played.ending in ("forfeit", "close"):
            workspace.reset()
            return ""
        return None


def solving_seconds(task: TaskSpec) -> float:
    """How long an episode at ``task`` may last, so that what is there by then is graded."""
    limit = task.limits.solve_timeout
    return limit - min(10.0, limit / 10)
