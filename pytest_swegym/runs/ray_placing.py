"""Which worker of a cluster makes which attempt next: by free cores, and by where a task is prepared already."""

from __future__ import annotations

import math
import secrets
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from pytest_swegym.runs.job import Done
from pytest_swegym.runs.job import Job


#: Jobs that are looked through for one that fits a node, and how often one may be passed over for another. Fewer hold
#: fewer tasks than a large cluster has nodes, which then all fetch the same ones.
LOOK, _PASSED = 2048, 32
#: Seconds in which a worker that is not there yet is expected: later it most likely waits for a core.
_STARTING = 60.0


@dataclass(slots=True, kw_only=True, eq=False)
class Flight:
    """A job that waits or runs. ``task`` names its task, ``passed`` counts how often another was taken before it."""

    job: Job
    task: str
    ident: str = field(default_factory=lambda: secrets.token_hex(8))
    tries: int = 0
    passed: int = 0
    at: Worker | None = None
    done: Done | Exception | None = None
    cancelled: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """A hand as its driver sees it: ``node`` is empty until it lives; ``flights`` by what its calls returned."""

    actor: Any
    probe: Any
    who: str
    threads: int
    hired: float = field(default_factory=time.monotonic)
    node: str = ""
    flights: dict[Any, Flight] = field(default_factory=dict)

    @property
    def free(self) -> bool:
        return bool(self.node) and len(self.flights) < self.threads


def fair_share(workers: Sequence[Worker], flights: int) -> float:
    """How many attempts one worker may have now: what is for those that are just starting is left to them."""
    now = time.monotonic()
    if any(not worker.node and now - worker.hired < _STARTING for worker in workers):
        return math.ceil(flights / len(workers))
    return math.inf


class Placing:
    """Knows on which nodes each task is prepared, or will be soon."""

    def __init__(self) -> None:
        self._homes: defaultdict[str, set[str]] = defaultdict(set)

    def placed(self, flight: Flight, node: str) -> None:
        """The task is prepared on that node from now on."""
        self._homes[flight.task].add(node)

    def lost(self, node: str) -> None:
        """The node is gone."""
        for homes in self._homes.values():
            homes.discard(node)

    def choose(self, upcoming: Sequence[Flight], node: str) -> Flight:
        """Of the next jobs of one priority one that is prepared on the node, else one that is prepared on none."""
        first = upcoming[0]
        equals = [each for each in upcoming[:LOOK] if each.job.priority == first.job.priority]
        home = next((each for each in equals if node in self._homes[each.task]), None)
        fresh = next((each for each in equals if not self._homes[each.task]), None)
        chosen = home or fresh or first
        if chosen is not first:
            first.passed += 1
            return first if first.passed > _PASSED else chosen
        return chosen


__all__ = ["LOOK", "Flight", "Placing", "Worker", "fair_share"]
