"""Candidates: several attempts at one task, each in a branch of the same workspace."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.paths import replacing
from pytest_swegym._support.paths import write_atomic
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.search.candidate import LONGEST
from pytest_swegym.agents.search.candidate import Candidate
from pytest_swegym.agents.search.candidate import Look
from pytest_swegym.agents.search.candidate import Seen
from pytest_swegym.agents.search.candidate import Trial
from pytest_swegym.agents.search.candidate import told_alike
from pytest_swegym.agents.search.shares import Share
from pytest_swegym.agents.search.shares import Shares
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SolverError
from pytest_swegym.errors import SwegymError
from pytest_swegym.results.store import PATCH
from pytest_swegym.solvers.answer import checked
from pytest_swegym.solvers.answer import handed_in
from pytest_swegym.solvers.answer import tree_digest
from pytest_swegym.solvers.guard import in_time
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task.usage import USAGE
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import end_trajectory
from pytest_swegym.workspace import Occasion
from pytest_swegym.workspace import Workspace


#: The folder of an attempt that holds one of its own for each candidate, called by its number.
FOLDER = "candidates"


class Candidates:
    """The candidates of one attempt, and what all of them may use.

    ``task`` is what their solver is given. Each starts from the workspace as it is now, in a sandbox of its own that is
    gone when it has ended; ``planned`` is how many there are to be. ``graded`` and ``oracle`` ones find in their
    occasion what the attempt's own has.
    """

    def __init__(
        self,
        task: Task | TaskSpec,
        workspace: Workspace,
        config: AgentConfig,
        *,
        planned: int,
        parallel: int = 1,
    ) -> None:
        self.spec = task.spec if isinstance(task, Task) else task
        self.start = workspace.snapshot()
        self._untouched = tree_digest(handed_in(self.spec, workspace, None)[1])
        self.ended: list[Candidate] = []
        self._task, self.workspace = task, workspace
        self._planned, self._parallel = planned, max(parallel, 1)
        self.shares = Shares(config, seconds=self.spec.limits.solve_timeout, planned=planned, parallel=self._parallel)
        self._lock = threading.Lock()

    def run(self, trials: Sequence[Trial], look: Look | None = None) -> list[Candidate]:
        """Run them, ``parallel`` at once; those that time and budgets are enough for come back, in their order.

        What fails is a failed candidate, and no more. Real ones are looked at while their workspace is there.
        """
        waiting = list(reversed(trials))
        found: list[Candidate] = []
        broke: list[BaseException] = []

        def work() -> None:
            try:
                while not broke and (begun := self._begin(waiting)) is not None:
                    ended = self._candidate(*begun, look)
                    with self._lock:
                        found.append(ended)
            except BaseException as error:  # what no candidate can be blamed for is raised below
                broke.append(error)

        # Threads of our own that end with the process: a run that is ended does not wait for a model's answer.
        threads = [threading.Thread(target=work, name="swegym-candidate", daemon=True) for _ in range(self._parallel)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if broke:
            raise broke[0]
        found.sort(key=lambda each: each.number)
        self.ended += found
        return found

    def seed(self, number: int) -> int:
        """The seed of a candidate, made from the attempt's own."""
        return int(content_key("candidate", self.workspace.occasion.seed, number)[:7], 16)

    def folder(self, number: int) -> Path | None:
        """Where a candidate's own files lie."""
        folder = self.workspace.occasion.folder
        return None if folder is None else folder / FOLDER / str(number)

    def told(self, chosen: Candidate | None) -> dict[str, Any]:
        """What the record tells of all of them; what the chosen one told of itself, or all alike, comes first."""
        own = dict(chosen.told) if chosen else told_alike(self.ended)
        listed = [each.to_dict(chosen=each is chosen) for each in sorted(self.ended, key=lambda each: each.number)]
        stopped = {"candidates_stopped": self.shares.spent} if self.shares.spent else {}
        return {**own, USAGE: self.shares.usage.to_dict(), "candidates": listed, **stopped}

    def answer(self, chosen: Candidate | None) -> str | None:
        """What the solver is to return for the chosen one; its trajectory becomes the attempt's.

        Without one nothing is changed, if one candidate at least ended well. Raises what the others failed with.
        """
        if chosen is None:
            self._raise_failure()
            return "" if self.spec.submission == "patch" else None
        self._keep(chosen)
        if chosen.tree is None:
            return chosen.patch
        self.workspace.unpack(chosen.tree)
        return None

    def close(self) -> None:
        """Give up what they started from."""
        self.workspace.drop(self.start)

    # -- inside ----------------------------------------------------------------------------------

    def _begin(self, waiting: list[Trial]) -> tuple[Trial, Share] | None:
        """The next trial with its share, if there is one, and enough left for it."""
        with self._lock:
            share = self.shares.take() if waiting else None
            return None if share is None else (waiting.pop(), share)

    def _candidate(self, trial: Trial, share: Share, look: Look | None) -> Candidate:
        occasion = self._occasion(trial)
        begin = time.monotonic()
        result: dict[str, Any] = {}
        try:
            result = self._branched(trial, share, occasion, look)
        except (SwegymError, OSError) as error:
            result = {"error": error if isinstance(error, SwegymError) else InfraError(str(error))}
        ended = Candidate(
            number=trial.number,
            seed=occasion.seed,
            about=trial.about,
            told=dict(occasion.told),
            seconds=round(time.monotonic() - begin, 6),
            **result,
        )
        self.shares.give_back(share, ended.usage)
        self._write(ended)
        return ended

    def _occasion(self, trial: Trial) -> Occasion:
        given = self.workspace.occasion
        seed, hears = self.seed(trial.number), given.on_event
        return replace(
            given,
            number=given.number * self._planned + trial.number,
            seed=seed,
            folder=self.folder(trial.number),
            named={**given.named, "seed": seed, "candidate": trial.number},
            on_event=None if hears is None else lambda line: hears({**line, "candidate": trial.number}),
            told={},
        )

    def _branched(self, trial: Trial, share: Share, occasion: Occasion, look: Look | None) -> dict[str, Any]:
        solver = trial.make(share.config)
        # Whoever does not say that it searches by the graded reward must not see it because the choice is made by it.
        own = replace(occasion, score=occasion.score if solver.graded else None)
        with self.workspace.branch(self.start, occasion=own) as branch:
            given = self._given(share.seconds)
            answer = checked(in_time(lambda: solver(given, branch), share.seconds, branch))
            self._put(branch, answer)
            patch, tree = handed_in(self.spec, branch, None)
            changed = bool(patch.strip()) or tree_digest(tree) != self._untouched
            seen = self._look(look, branch, patch) if look is not None and changed else None
        return {"patch": patch, "tree": tree, "changed": changed, "seen": seen}

    def _given(self, seconds: float) -> Task | TaskSpec:
        """The task as the solver gets it: with the time that is its own."""
        spec = replace(self.spec, limits=replace(self.spec.limits, solve_timeout=seconds))
        return replace(self._task, spec=spec) if isinstance(self._task, Task) else spec

    def _put(self, branch: Workspace, answer: str | None) -> None:
        """Have in the branch what the solver answered."""
        if answer is None or answer == branch.diff():
            return
        branch.rewind(self.start)
        if answer.strip():
            branch.apply(answer)

    def _look(self, look: Look, branch: Workspace, patch: str) -> Seen:
        """What cannot be looked at, or not in the time that is left, is an answer all the same."""
        begin = time.monotonic()
        try:
            seen: Seen = in_time(lambda: look(branch, patch), max(self.shares.seconds, 1.0), branch)
        except (SwegymError, OSError) as error:
            seen = Seen(about={"unseen": str(error)[:LONGEST]})
        self.shares.looked(time.monotonic() - begin)
        return seen

    def _write(self, ended: Candidate) -> None:
        folder = self.folder(ended.number)
        if folder is None:
            return
        if ended.patch:
            write_atomic(folder / PATCH, ended.patch.encode("utf-8", "surrogateescape"))
        else:
            (folder / PATCH).unlink(missing_ok=True)
        score = ended.seen.score if ended.seen else None
        end_trajectory(
            folder / TRAJECTORY, {"candidate": ended.number, "score": score, "error": str(ended.error or "")}
        )

    def _keep(self, chosen: Candidate) -> None:
        """The chosen one's trajectory is the attempt's."""
        folder, own = self.workspace.occasion.folder, self.folder(chosen.number)
        if folder is not None and own is not None and (own / TRAJECTORY).is_file():
            with replacing(folder / TRAJECTORY) as copy:
                shutil.copyfile(own / TRAJECTORY, copy)

    def _raise_failure(self) -> None:
        """If every candidate failed: the machinery's failure before the solver's."""
        failed = [each.error for each in self.ended if each.error is not None]
        if len(failed) < len(self.ended):
            return
        for error in failed:
            if isinstance(error, InfraError) and not isinstance(error, SandboxClosed):
                raise error
        first = f"; the first: {failed[0]}" if failed else f": no {self.shares.spent} left for one"
        raise SolverError(f"no candidate of {self._planned} came to an answer{first}")
