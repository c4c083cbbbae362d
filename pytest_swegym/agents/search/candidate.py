"""A candidate of a search: what is to be run, what became of it, what was seen of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SwegymError
from pytest_swegym.solvers import LoadedSolver
from pytest_swegym.task.usage import USAGE
from pytest_swegym.task.usage import Usage
from pytest_swegym.workspace import Workspace


#: Longest text of an error that the record tells, in characters.
LONGEST = 2000
#: Looks at what a candidate left in its workspace, which stays as it is: a score, and what else the record tells.
Look = Callable[[Workspace, str], "Seen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a candidate: ``rank`` orders it among the others, ``score`` and ``about`` are for the record.

    Without a score it could not be looked at.
    """

    score: float | None = None
    rank: tuple[float, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A candidate to be run: ``make`` gives the solver that keeps to a configuration. ``about`` is for the record."""

    number: int
    make: Callable[[AgentConfig], LoadedSolver]
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What became of a trial: its answer, and whether anything is ``changed`` by it, or the ``error`` it ended with."""

    number: int
    seed: int
    patch: str = ""
    tree: bytes | None = None
    changed: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)
    seen: Seen | None = None
    error: SwegymError | None = None
    seconds: float = 0.0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def real(self) -> bool:
        """Whether it came to an answer that is not empty."""
        return self.error is None and self.changed

    @property
    def usage(self) -> Usage:
        """Its model calls; what a solver tells in another form counts as none."""
        told = self.told.get(USAGE)
        try:
            return Usage.from_dict(told) if isinstance(told, Mapping) else Usage()
        except ConfigError:
            return Usage()

    def to_dict(self, *, chosen: bool) -> dict[str, Any]:
        """What the record tells of it."""
        return {
            "number": self.number,
            "seed": self.seed,
            "chosen": chosen,
            "score": self.seen.score if self.seen else None,
            "ending": self.told.get("ending", ""),
            "steps": self.told.get("steps"),
            "error": str(self.error)[:LONGEST] if self.error else "",
            "usage": self.usage.to_dict(),
            "patch_sha": _sha(self.patch) if self.patch else "",
            "seconds": self.seconds,
            **self.about,
            **(self.seen.about if self.seen else {}),
        }


def told_alike(candidates: Sequence[Candidate]) -> dict[str, Any]:
    """What can be said of candidates of which none is chosen: the most ``steps`` that one took, the ``ending`` if all
    have the same, and the ``model`` if those that name one name the same."""
    steps = [told for each in candidates if isinstance(told := each.told.get("steps"), int)]
    endings = {str(each.told.get("ending") or "") for each in candidates}
    models = {str(told) for each in candidates if (told := each.told.get("model"))}
    return {
        **({"steps": max(steps)} if steps else {}),
        **({"ending": endings.pop()} if len(endings) == 1 and endings != {""} else {}),
        **({"model": models.pop()} if len(models) == 1 else {}),
    }


def _sha(patch: str) -> str:
    return hashlib.sha256(patch.encode("utf-8", "surrogateescape")).hexdigest()
