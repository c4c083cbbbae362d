"""The contract of an executor: where the attempts of a run are made, in threads here or on other machines."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Protocol
from typing import runtime_checkable

from pytest_swegym.runs.job import Conditions
from pytest_swegym.runs.job import Done
from pytest_swegym.runs.job import Job


#: Takes what came of a job: what was done, or why the machinery could not do it at all.
Ended = Callable[[Job, "Done | Exception"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an executor is made with.

    ``jobs`` attempts run at the same time; ``folder`` says where, on this machine, the files of the attempt of that key
    belong (``None``: nowhere). ``on_event`` hears what happens to an attempt while it goes on, as far as that can be
    told from where it runs: its key, and a line of its trajectory or the end of a stage.

    ``ended`` is called once for each job that was not cancelled, in a thread of the executor's, as soon as it has
    ended. It may take its time: whoever is slow to take results wants no more attempts for now, so nothing may be
    started in the place of an attempt for which it has not returned.
    """

    conditions: Conditions
    jobs: int
    ended: Ended
    run_id: str = ""
    folder: Callable[[str], Path] | None = None
    on_event: Callable[[str, Mapping[str, Any]], None] | None = None


@runtime_checkable
class Executor(Protocol):
    """Makes attempts. Made with :class:`Terms`, started at once. Safe to call from several threads."""

    def submit(self, job: Job) -> None:
        """Queue a job. Of those that wait the one with the highest priority starts first, of equals the oldest.

        Raises :class:`ConfigError` if a job of its key waits or runs here, or if the executor is closed.
        """
        ...

    def cancel(self, key: str) -> bool:
        """Take a job out of the queue, or end it where it runs, its sandboxes too; nothing will be told of it.

        False if there is none, or if it has ended.
        """
        ...

    def close(self) -> None:
        """Cancel every job, and end what the executor started. Twice is fine; never raises."""
        ...


__all__ = ["Ended", "Executor", "Terms"]
