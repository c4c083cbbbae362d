"""The whole of one attempt as JSON: what ran, what came out, how long each stage took."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

from pytest_swegym._support.redact import redacted
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SolverError
from pytest_swegym.errors import SolverTimeout
from pytest_swegym.errors import SwegymError
from pytest_swegym.errors import UnrunnableTask
from pytest_swegym.task.outcome import Compat
from pytest_swegym.task.outcome import Grade
from pytest_swegym.task.outcome import Outcome
from pytest_swegym.task.outcome import Verdict


FORMAT = "swegym.attempt/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One solver, one task, one seed.

    ``stages`` maps a stage (checkout, sandbox, solve, grade) to seconds. ``content_key`` names everything the verdict
    depends on (task, environment, solver, grader, settings): ``--swegym-resume`` trusts a record only if it is equal.
    ``task_key`` names the task's content alone and ``grader`` the rules it was graded by: runs compare only where they
    agree. ``reward`` is ``None`` for an infra error: masked, not 0. ``compat`` is what the SWE-bench harness would have
    said, ``protect`` the policy the grade was made under.
    ``environment`` says what the tests ran in (which image, or what was built and why), ``variables`` which values the
    fixed variables (hash seed, time zone, locale, build date) had. ``cached`` is true if the same patch was graded
    before and that grade was taken. ``unrunnable`` is true for the infra error of a task that nobody could have
    attempted: its row is damaged, or no environment for it is known. ``tree`` is the SHA-256 of the tree that was
    handed in, where the task wants one; ``patch`` then is what of it a diff can show. ``score`` is a judge's. ``early``
    says where a grade ended that did not run all its tests. ``extra`` is what hooks added, JSON only.
    """

    instance_id: str
    attempt: int = 0
    seed: int = 0
    solver: str = ""
    sandbox: str = ""
    run_id: str = ""
    content_key: str = ""
    task_key: str = ""
    grader: str = ""
    verdict: Verdict
    reward: float | None = None
    reward_name: str = "resolved"
    patch: str = ""
    fail_to_pass: Mapping[str, Outcome] = field(default_factory=dict)
    pass_to_pass: Mapping[str, Outcome] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    error: str = ""
    error_stage: str = ""
    apply_method: str = ""
    exit_code: int | None = None
    compat: Compat | None = None
    protect: str = "strict"
    environment: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    cached: bool = False
    unrunnable: bool = False
    stages: Mapping[str, float] = field(default_factory=dict)
    started_at: float = 0.0
    tries: int = 1
    tags: tuple[str, ...] = ()
    tree: str = ""
    score: float | None = None
    early: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def resolved(self) -> bool:
        return self.verdict is Verdict.RESOLVED

    @property
    def disagrees(self) -> bool:
        """Whether the SWE-bench harness would have come to the other verdict."""
        return self.compat is not None and self.compat.resolved != self.resolved

    @property
    def key(self) -> str:
        """The attempt's name: instance id, and ``.N`` for attempts after the first."""
        return f"{self.instance_id}.{self.attempt}" if self.attempt else self.instance_id

    def redacted(self) -> AttemptRecord:
        """The same without secrets in what was said; the patch stays as it is, it is what was graded."""
        said = {name: redacted(getattr(self, name)) for name in ("reasons", "error", "extra")}
        return replace(self, **{**said, "reasons": tuple(said["reasons"])})

    def to_dict(self) -> dict[str, Any]:
        data = asdict(self)
        data["verdict"] = self.verdict.value
        data["resolved"] = self.resolved
        data["disagrees"] = self.disagrees
        for name in ("fail_to_pass", "pass_to_pass"):
            data[name] = {key: outcome.value for key, outcome in getattr(self, name).items()}
        for name in ("reasons", "protected", "tags"):
            data[name] = list(data[name])
        return {"format": FORMAT, **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, where: str = "record") -> AttemptRecord:
        """Read ``to_dict``'s form back. Raises :class:`ConfigError` for another format or a damaged record."""
        given = dict(data)
        if given.pop("format", None) != FORMAT:
            raise ConfigError(f"{where}: not a {FORMAT} record")
        for derived in ("resolved", "disagrees"):
            given.pop(derived, None)
        try:
            given["verdict"] = Verdict(given["verdict"])
            for name in ("fail_to_pass", "pass_to_pass"):
                given[name] = {key: Outcome(value) for key, value in given[name].items()}
            for name in ("reasons", "protected", "tags"):
                given[name] = tuple(given[name])
            if given.get("compat") is not None:
                given["compat"] = Compat(**given["compat"])
            return cls(**given)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"{where}: damaged record: {error}") from error


def graded_fields(grade: Grade) -> dict[str, Any]:
    """The fields of a record that a grade fills."""
    return {
        "verdict": grade.verdict,
        "fail_to_pass": dict(grade.fail_to_pass),
        "pass_to_pass": dict(grade.pass_to_pass),
        "reasons": grade.reasons,
        "protected": grade.protected,
        "exit_code": grade.exit_code,
        "apply_method": grade.apply_method,
        "compat": grade.compat,
        "score": grade.score,
        "early": grade.early,
    }


def failed_fields(error: Exception) -> dict[str, Any]:
    """The fields of a record whose attempt raised: whose fault it was, and what was said."""
    reason = str(error)
    if isinstance(error, PatchError):
        return {"verdict": Verdict.INVALID_PATCH, "reward": 0.0, "reasons": (reason,)}
    text = reason if isinstance(error, SwegymError) else "".join(traceback.format_exception(error))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = f"no space left on the disk: {error}; free some, or set SWEGYM_CACHE to a folder on another disk"
    if isinstance(error, SolverError):
        verdict = Verdict.TIMEOUT if isinstance(error, SolverTimeout) else Verdict.SOLVER_ERROR
        text = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ is not None else text
        return {"verdict": verdict, "reward": 0.0, "reasons": (reason.split("\n")[0],), "error": text}
    infra = {"verdict": Verdict.INFRA_ERROR, "reward": None, "reasons": (reason.split("\n")[0],), "error": text}
    return {**infra, "unrunnable": isinstance(error, UnrunnableTask)}
