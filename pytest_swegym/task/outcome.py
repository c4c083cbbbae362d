"""What tests, grades and attempts can come to: plain values shared by every layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import Enum


class Outcome(str, Enum):
    """The exact outcome of one test, as the runner meant it."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"  # in setup, teardown or collection
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"  # non-strict; a strict xpass is FAILED
    MISSING = "missing"  # expected, but never ran
    NOT_RUN = "not_run"  # expected, but the grade had ended by then, at another test that is lost


#: Outcomes that count as solved for FAIL_TO_PASS (verdicts.md 2.7; a skip proves nothing).
F2P_OK = frozenset({Outcome.PASSED, Outcome.XFAILED})
#: Outcomes that count as maintained for PASS_TO_PASS.
P2P_OK = frozenset({Outcome.PASSED, Outcome.XFAILED, Outcome.SKIPPED})


class Verdict(str, Enum):
    """What one attempt came to."""

    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    INVALID_PATCH = "invalid_patch"  # empty, malformed, does not apply
    TAMPERED = "tampered"  # the verdict channel was bent
    TIMEOUT = "timeout"  # the tests or the solver ran out of time
    SOLVER_ERROR = "solver_error"  # the solver raised or returned a wrong type
    INFRA_ERROR = "infra_error"  # the machinery failed: retried, shown apart, never counted


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test's outcome. ``duration`` in seconds, ``message`` the failure's last lines."""

    __test__ = False  # not a test class of pytest's

    id: str
    outcome: Outcome
    duration: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compat:
    """What the SWE-bench harness 5.x would say of the same run, read from its text log.

    ``profile`` is the log parser's name. ``gradeable`` is the harness's ``patch_successfully_applied``; ``reason`` says
    why a log is not. The lists map each expected id to success; an id that its rules leave out is in neither.
    """

    profile: str
    gradeable: bool
    resolved: bool
    fail_to_pass: Mapping[str, bool] = field(default_factory=dict)
    pass_to_pass: Mapping[str, bool] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What the hidden tests said of one patch.

    ``fail_to_pass`` and ``pass_to_pass`` map each expected test id to its outcome (``MISSING`` if it never ran);
    ``tests`` maps every id that ran. ``reasons`` says in words why the verdict is not ``resolved``; for
    ``tampered`` it names what was seen. ``oom`` tells that a process was killed for memory. ``protected`` lists files
    of the patch that grading put back. ``compat`` is the second verdict, where the task names a log parser. ``score``,
    from 0 to 1, is a judge's, where one decides. ``early`` says where a run ended that did not run to its end (empty
    if it did); listed tests that it did not come to are ``NOT_RUN``.
    """

    verdict: Verdict
    fail_to_pass: Mapping[str, Outcome] = field(default_factory=dict)
    pass_to_pass: Mapping[str, Outcome] = field(default_factory=dict)
    tests: Mapping[str, TestResult] = field(default_factory=dict)
    baseline: Mapping[str, Outcome] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    exit_code: int | None = None
    oom: bool = False
    duration: float = 0.0
    junit_xml: bytes = b""
    log: bytes = b""
    apply_method: str = ""
    compat: Compat | None = None
    score: float | None = None
    early: str = ""

    @property
    def resolved(self) -> bool:
        return self.verdict is Verdict.RESOLVED

    @property
    def f2p_passed(self) -> int:
        return sum(o in F2P_OK for o in self.fail_to_pass.values())

    @property
    def p2p_passed(self) -> int:
        return sum(o in P2P_OK for o in self.pass_to_pass.values())
