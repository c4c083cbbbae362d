"""One episode of an environment: an attempt whose solver is whoever plays."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

from pytest_swegym.env.course import Course
from pytest_swegym.episode import Attempt
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SolverError
from pytest_swegym.grading import compute_reward
from pytest_swegym.session import Moment
from pytest_swegym.session import Session
from pytest_swegym.session import Turn
from pytest_swegym.session import open_trajectory
from pytest_swegym.session.rewards import make_step_reward
from pytest_swegym.session.rewards import number
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.trajectory import TrajectoryWriter
from pytest_swegym.workspace import Occasion
from pytest_swegym.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A moment of an episode that :meth:`SWEGymEnv.restore` goes back to. Good until the last environment closes."""

    play: Play
    moment: Moment
    summed: float


class Play:
    """An episode at ``task``, from its start or from a ``branch`` of an earlier one. One thread at a time.

    Raises :class:`InfraError` if it cannot be prepared, :class:`ConfigError` if an option does not fit the task.
    """

    def __init__(self, course: Course, task: Task, *, seed: int = 0, branch: Branch | None = None) -> None:
        self.task = task
        #: What the steps were worth, together.
        self.summed = branch.summed if branch else 0.0
        self.record: AttemptRecord | None = None
        #: What the last step came to, where steps are graded.
        self.graded: Grade | None = None
        self._course, self._origin = course, branch
        self._failure: InfraError | None = None
        config, lab = course.config, course.lab()
        number, folder = course.claim(task)
        self.attempt = Attempt(
            task,
            self._hand_in,
            lab,
            reward=self._reward,
            number=number,
            seed=seed,
            solver_name=config.player,
            reward_name=config.reward if isinstance(config.reward, str) else getattr(config.reward, "__name__", "own"),
            run_id=course.run_id,
            occasion=Occasion(folder=folder),
            begin=branch.moment.snapshot if branch else None,
        )
        try:
            self.session = self._open(branch)
        except BaseException:
            self.attempt.close()
            raise

    def _open(self, branch: Branch | None) -> Session:
        config, occasion = self._course.config, self.attempt.occasion
        prepared, workspace = self.attempt.checkout(), self.attempt.workspace()
        protocol = self._course.protocol(occasion.tools)
        before = branch.play._trajectory if branch else None
        self._trajectory: TrajectoryWriter | None = open_trajectory(
            occasion, protocol, self._course.config.protocol, before=before
        )
        session = Session(
            prepared.task.spec,
            workspace,
            protocol,
            limits=self._course.limits,
            trajectory=self._trajectory,
            step_reward=make_step_reward(config.step_reward, prepared.task, peek=self.attempt.peek),
            watch=config.watch,
        )
        try:
            if branch is None:
                session.begin()
            else:
                session.restore(branch.moment, rewind=False)
        except BaseException:
            session.close()
            raise
        return session

    # -- playing ---------------------------------------------------------------------------------

    def step(self, given: str) -> Turn:
        """The player's step; where steps are graded, one that resolves the task is the last."""
        before = self.session.observation.tree
        turn = self.session.step(given)
        self.summed += turn.reward
        after = turn.observation.tree
        if not self._course.grade_steps or turn.done or (after and before == after):
            return turn
        self.graded = self._peek()
        if self.graded is None or not self.graded.resolved:
            return turn
        self.session.ending = "resolved"
        return replace(turn, terminated=True, ending="resolved")

    def _peek(self) -> Grade | None:
        try:
            return self.attempt.peek()
        except PatchError:
            return None

    @property
    def over(self) -> bool:
        """Whether it has ended and was graded."""
        return self.record is not None

    def branch(self) -> Branch:
        return Branch(play=self, moment=self.session.snapshot(), summed=self.summed)

    def knows(self, branch: Branch) -> bool:
        """Whether it goes on, and that moment is one of its own past."""
        return not self.over and (branch.play is self or branch is self._origin)

    def rewind(self, branch: Branch) -> None:
        """Back to an earlier moment of this very episode."""
        self.session.restore(branch.moment)
        self.summed = branch.summed

    # -- the end ---------------------------------------------------------------------------------

    def fail(self, error: InfraError) -> None:
        """The machinery failed: the episode ends, and is no one's fault."""
        self._failure = error

    def finish(self) -> AttemptRecord:
        """Grade what is there, and keep the record."""
        if self.record is None:
            told = {"steps": self.session.observation.step, "ending": self.session.ending, "step_reward": self.summed}
            self.attempt.occasion.told.update(told)
            self.session.close()
            self.record = self.attempt.record()
            self._keep(self.record)
        return self.record

    def grade(self) -> Grade | None:
        """The grade of an episode that came to one."""
        try:
            return self.attempt.grade()
        except Exception:  # its record says what
            return None

    def close(self) -> None:
        """End its sandbox; what was not finished is not graded. Twice is fine."""
        self.attempt.close()  # first: with its sandbox the shells end at once
        self.session.close()

    def _keep(self, record: AttemptRecord) -> None:
        if self._course.store is not None:
            self._course.store.write(record, self.grade(), self.attempt.tree)

    def _hand_in(self, task: TaskSpec, workspace: Workspace) -> str | None:
        ending = self.session.ending
        if self._failure is not None and not isinstance(self._failure, SandboxClosed):
            raise self._failure
        if self._failure is not None or ending == "sandbox":
            raise SolverError("everything in the sandbox was ended from inside")
        if ending in ("forfeit", "close"):
            workspace.reset()
            return ""
        return None

    def _reward(self, task: TaskSpec, grade: Grade) -> float:
        reward = self._course.config.reward
        if isinstance(reward, str):
            return compute_reward(reward, grade)
        return number(reward(grade), "reward")
