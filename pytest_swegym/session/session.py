"""One episode at a task: text in, observation out, by way of a workspace with a shell that lives on."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol as TypingProtocol

from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.base import Shell
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.session import actions as a
from pytest_swegym.session.execution import Execution
from pytest_swegym.session.execution import Seen
from pytest_swegym.session.observation import Observation
from pytest_swegym.session.observation import Remaining
from pytest_swegym.session.observation import SessionLimits
from pytest_swegym.session.observation import Turn
from pytest_swegym.session.protocols.base import Protocol
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


if TYPE_CHECKING:
    from pytest_swegym.trajectory import TrajectoryWriter


class StepReward(TypingProtocol):
    """Makes the reward of a step; the final reward, which is always the graded one, is added by others."""

    def begin(self, session: Session) -> None:
        """An episode has begun, or was set back to an earlier moment."""
        ...

    def after(self, session: Session, action: a.Action, observation: Observation) -> float:
        """The reward of the step that has just been made."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A state of an episode that can be gone back to: its files, its shell's folder and variables, what it had used.

    Running processes are not part of it.
    """

    snapshot: Snapshot
    shell: bytes
    step: int
    used: Mapping[str, float]
    observation: Observation
    patches: tuple[str, ...] = ()


class Session:
    """One episode at ``task`` in ``workspace``, spoken with through ``protocol``. Not for several threads at once.

    With ``watch`` every observation has the diff since the start and the tree's name, which costs some milliseconds a
    step. The workspace is the caller's: :meth:`close` ends the shell and leaves the workspace open.
    """

    def __init__(
        self,
        task: TaskSpec,
        workspace: Workspace,
        protocol: Protocol,
        *,
        limits: SessionLimits | None = None,
        trajectory: TrajectoryWriter | None = None,
        step_reward: StepReward | None = None,
        watch: bool = True,
    ) -> None:
        self.task = task
        self.workspace = workspace
        self.protocol = protocol
        self.limits = limits or SessionLimits()
        self.ending = ""
        self.observation = Observation()
        #: Every patch that was applied in this episode, in order.
        self.patches: tuple[str, ...] = ()
        self._watch = watch
        self._trajectory = trajectory
        self._step_reward = step_reward
        self._execution = Execution(task, workspace, protocol.tools, self.limits)
        self._step = 0
        self._used = {"seconds": 0.0, "output": 0.0, "cost": 0.0}
        self._said: dict[str, Any] = {}
        self._since = time.monotonic()
        self._lock = threading.Lock()

    # -- playing ---------------------------------------------------------------------------------

    def begin(self) -> Observation:
        """The first observation: the task and how to act, in the protocol's words."""
        self._since = time.monotonic()
        self.observation = self._observed(Seen(), text=self.protocol.greet(self.task))
        if self._step_reward is not None:
            self._step_reward.begin(self)
        if self._trajectory is not None:
            self._trajectory.begin(self.observation.to_dict())
        return self.observation

    def step(self, given: str) -> Turn:
        """Do what ``given`` asks for. After the end of the episode every step says so, and does nothing.

        Raises :class:`SandboxError` if the sandbox failed; that it was ended from inside ends the episode.
        """
        with self._lock:
            return self._do(given, self.protocol.parse(given))

    def act(self, action: a.Action) -> Turn:
        """The same for an action that needs no parsing; the protocol writes it down."""
        with self._lock:
            return self._do(self._written(action), action)

    def tell(self, said: Mapping[str, Any]) -> None:
        """What the player has to say of its next action (JSON only): the action's line in the trajectory has it."""
        self._said |= dict(said)

    def note(self, said: Mapping[str, Any]) -> None:
        """Something beside the steps (JSON only), written into the trajectory at once."""
        if self._trajectory is not None:
            self._trajectory.note(said)

    def spend(self, cost: float) -> None:
        """Count ``cost`` (of model calls, in whatever unit the limit is) for the episode."""
        self._used["cost"] += cost

    def stop(self, ending: str) -> None:
        """End the episode for a reason of the player's; what is in the workspace stands."""
        if not self.ending:
            self.ending = ending
            self.note({"ended": ending})

    @property
    def done(self) -> bool:
        return bool(self.ending)

    def close(self) -> None:
        """End the shell, and whatever runs in it. Twice is fine."""
        self._execution.close()

    def shell(self) -> Shell:
        """The episode's own shell, which commands run in."""
        return self._execution.shell()

    def location(self) -> str:
        """The folder that the player's shell is in; empty if it does not say."""
        # The exit code that the player's next command may ask for stays.
        told = self.shell().run("(kept=$?; pwd; exit $kept)", timeout=10, output_limit=4096)
        said = told.stdout.decode("utf-8", "replace").strip()
        return said if said.startswith("/") else ""

    # -- branching -------------------------------------------------------------------------------

    def snapshot(self) -> Moment:
        """This moment, to come back to with :meth:`restore`, here or in another session."""
        return Moment(
            snapshot=self.workspace.snapshot(),
            shell=self._execution.state(),
            step=self._step,
            used={**self._used, "seconds": self._seconds()},
            observation=self.observation,
            patches=self.patches,
        )

    def restore(self, moment: Moment, *, rewind: bool = True) -> Observation:
        """Go back to a moment; what had been used of the limits then counts, what came after does not.

        Without ``rewind`` the workspace is taken as it is: it was branched from the moment's snapshot.
        """
        if rewind:
            self._execution.close()
            self.workspace.rewind(moment.snapshot)
        self._execution.resume(moment.shell)
        self.ending, self._step, self._used = "", moment.step, dict(moment.used)
        self._since = time.monotonic() - moment.used["seconds"]
        self.observation, self.patches = moment.observation, moment.patches
        if self._step_reward is not None:
            self._step_reward.begin(self)
        if self._trajectory is not None:
            self._trajectory.note({"restored": moment.step})
        return self.observation

    # -- inside ----------------------------------------------------------------------------------

    def _do(self, given: str, action: a.Action) -> Turn:
        started_at, begin = time.time(), time.monotonic()
        if self.ending:
            return Turn(
                given=given, action=action, observation=self._over(), started_at=started_at, **self._how_ended()
            )
        self._step += 1
        said, self._said = self._said, {}
        reward = self._acted(action)
        turn = Turn(
            given=given,
            player=said,
            action=action,
            observation=self.observation,
            reward=reward,
            **self._how_ended(),
            started_at=started_at,
            seconds=round(time.monotonic() - begin, 6),
        )
        if self._trajectory is not None:
            self._trajectory.step(turn.to_dict())
        return turn

    def _acted(self, action: a.Action) -> float:
        """Do it and look at what came of it; what it was worth."""
        seen = Seen()
        try:
            seen = self._execute(action)
            self._used["output"] += len(seen.output.encode("utf-8", "surrogateescape"))
            self.ending = seen.ending or self._exhausted()
            self.observation = self._observed(seen, action=action)
            return self._rewarded(action)
        except SandboxClosed:  # be it while it was done, or while it was looked at
            self.ending = "sandbox"
            gone = replace(seen, notice="Everything in the sandbox was ended from inside.", ending="sandbox")
            self.observation = self._observed(gone, action=action)
            return self._rewarded(action)

    def _over(self) -> Observation:
        """What is seen after the end: the last, and that nothing is done any more."""
        notice = "The episode has ended; no action is taken any more."
        kept = replace(self.observation, output="", exit_code=None, timed_out=False, truncated=False)
        return replace(kept, notice=notice, text=notice)

    def _how_ended(self) -> dict[str, Any]:
        """The player ended it, or a limit (or what became of the sandbox) did; or it goes on."""
        by_player = self.ending in ("submit", "forfeit", "close", "resolved")
        return {"ending": self.ending, "terminated": by_player, "truncated": self.done and not by_player}

    def _execute(self, action: a.Action) -> Seen:
        if isinstance(action, a.Invalid):
            return Seen(notice=action.message)
        if isinstance(action, a.Patch):
            return self._apply(action.patches)
        seen = self._execution.run(action, within=self._left("seconds"))
        if seen.anew:
            self.patches = ()  # what the steps before were worth is taken back by the reward of this one
        return seen

    def _apply(self, patches: Sequence[str]) -> Seen:
        said = []
        for patch in patches:
            try:
                said.append(f"Applied by {self.workspace.apply(patch)}.")
                self.patches += (patch,)
            except PatchError as error:
                said.append(f"Not applied: {error}")
        return Seen(notice="\n".join(said))

    def _observed(self, seen: Seen, *, action: a.Action | None = None, text: str | None = None) -> Observation:
        diff, tree, unseen = self._changes(seen)
        observation = Observation(
            output=seen.output,
            exit_code=seen.exit_code,
            timed_out=seen.timed_out,
            truncated=seen.truncated,
            diff=diff,
            tree=tree,
            state=self._execution.tool_state() if action is not None and seen.ending != "sandbox" else {},
            notice=_joined(seen.notice, unseen, self._ending_text(seen)),
            step=self._step,
            remaining=self._remaining(),
        )
        if text is None and action is not None:
            text = self.protocol.tell(action, observation)
        return replace(observation, text=text or "")

    def _changes(self, seen: Seen) -> tuple[str, str, str]:
        """The diff and the files' name; or, in words, why a player that can undo it has left neither."""
        diff, tree = self.observation.diff, self.observation.tree
        if not self._watch or seen.ending == "sandbox":
            return diff, tree, ""
        try:
            now = "" if tree else self._execution.unchanged()
            if now:
                return "", now, ""
            now = self._execution.tree()
            return (diff if now == tree else self.workspace.diff()), now, ""
        except SandboxClosed:
            raise
        except (PatchError, SandboxError) as error:
            return "", "", f"What has changed cannot be shown: {error}"

    def _ending_text(self, seen: Seen) -> str:
        if not self.ending or seen.ending or self.ending == "submit":
            return ""
        return f"The episode has ended: its limit of {self.ending} is reached."

    def _rewarded(self, action: a.Action) -> float:
        reward = self.protocol.invalid_reward if isinstance(action, a.Invalid) else 0.0
        if self._step_reward is not None and self.ending != "sandbox":
            reward += float(self._step_reward.after(self, action, self.observation))
        return reward

    def _written(self, action: a.Action) -> str:
        try:
            return self.protocol.write(action)
        except ValueError:
            return repr(action)

    # -- limits ----------------------------------------------------------------------------------

    def _seconds(self) -> float:
        return time.monotonic() - self._since

    def _left(self, name: str) -> float | None:
        limit = getattr(self.limits, name)
        used = {**self._used, "steps": self._step, "seconds": self._seconds()}[name]
        return None if limit is None else max(limit - used, 0)

    def _exhausted(self) -> str:
        return next((name for name in ("steps", "seconds", "output", "cost") if self._left(name) == 0), "")

    def _remaining(self) -> Remaining:
        steps, output = self._left("steps"), self._left("output")
        return Remaining(
            steps=None if steps is None else int(steps),
            seconds=self._left("seconds"),
            output=None if output is None else int(output),
            cost=self._left("cost"),
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _joined(*texts: str) -> str:
    return "\n".join(text for text in texts if text)
