"""The event stream of a graded run: authenticated line by line, then put together test by test."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from pytest_swegym.task import Outcome
from pytest_swegym.task import TestResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What came through the channel. ``fault`` says what was wrong with the first bad line (empty if none)."""

    events: tuple[list[Any], ...] = ()
    fault: str = ""


def decode(data: bytes, key: bytes) -> Stream:
    """Authenticate ``data``; everything from the first line that does not fit its chain on is dropped."""
    events: list[list[Any]] = []
    lines = data.split(b"\n")
    tail = lines.pop()
    for line in lines:
        if line.startswith(b"! "):
            events.append(["alarm", *_texts(line[2:])])
            continue
        mac, _, body = line.partition(b" ")
        digest = hashlib.blake2b(body, key=key).digest()
        if not hmac.compare_digest(mac, digest[:16].hex().encode()):
            return Stream(
                events=tuple(events), fault=f"event {len(events)} was not written by the reporter: {line[:80]!r}"
            )
        key = digest[32:]
        events.append(json.loads(body))
        if events[-1][0] == "end":
            break
    rest = data[sum(len(line) + 1 for line in lines[: len(events)]) :]
    if events and events[-1][0] == "end" and rest:
        return Stream(events=tuple(events), fault=f"something was written after the end: {rest[:80]!r}")
    # A line cut by a crash in the middle of a write is no forgery: the missing end tells of it.
    if tail and not _could_be_cut(tail):
        return Stream(events=tuple(events), fault=f"not written by the reporter: {tail[:80]!r}")
    return Stream(events=tuple(events))


def _texts(body: bytes) -> list[str]:
    """What was seen, and where: told outside of the chain, so of any form."""
    try:
        what, file = json.loads(body)
    except (TypeError, ValueError, RecursionError):
        what, file = body[:80], ""
    return [str(what)[:500], str(file)[:500]]


def _could_be_cut(tail: bytes) -> bool:
    if tail.startswith(b"! "):
        return True
    return all(byte in b"0123456789abcdef" for byte in tail[:32]) and tail[32:34] in (b"", b" ", b" [")


@dataclass(slots=True, kw_only=True)
class Collected:
    """The events put together.

    ``node_ids`` are ids as the process itself has them; ``bent`` names machinery that was replaced; ``hooks`` are
    implementations of deciding hooks that came late, each with its name and its file; ``alarms`` tell what was seen,
    and in which file; ``codes`` maps a test file to a
    digest of what its functions do; ``aliases`` maps what the runner prints of a test, if that is not its id, to the
    tests it stands for. ``status`` is the session's exit status, ``plain`` what it would be without the canaries.
    ``early`` is where a run ended before its end: at a listed test that is lost, or empty: after the last listed one.
    """

    tests: dict[str, TestResult] = field(default_factory=dict)
    node_ids: dict[str, str] = field(default_factory=dict)
    contradicted: list[str] = field(default_factory=list)
    bent: list[str] = field(default_factory=list)
    hooks: list[tuple[str, str, str]] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    alarms: list[tuple[str, str]] = field(default_factory=list)
    aliases: dict[str, list[str]] = field(default_factory=dict)
    plain: int | None = None
    runner: str = ""
    early: str | None = None
    absent: str = ""
    broken: str = ""
    status: int | None = None
    xml: bytes | None = None


def collect(events: Iterable[list[Any]]) -> Collected:
    """Put events together: one outcome per test, the worst of its phases."""
    found = Collected()
    phases: dict[str, _Phases] = {}
    prefix = ""
    for kind, *values in events:
        if kind == "test":
            name, when, outcome, wasxfail, duration, message, partial = values
            test_id = _join(prefix, name)
            found.node_ids[test_id] = name
            phases.setdefault(test_id, _Phases()).add(when, outcome, bool(wasxfail), duration, message, bool(partial))
        elif kind == "collect":
            name, outcome, message = values
            if outcome == "failed":
                test_id = _join(prefix, name)
                found.node_ids[test_id] = name
                phases.setdefault(test_id, _Phases()).add("collect", outcome, False, 0.0, message, False)
        elif kind == "root":
            prefix = values[0]
        elif kind == "hook":
            found.hooks.append((values[0], values[1], values[2]))
        elif kind == "codes":
            found.codes[values[0]] = values[1]
        elif kind == "bent":
            found.bent.append(values[0])
        elif kind == "alarm":
            found.alarms.append((values[0], values[1]))
        elif kind == "alias":
            found.aliases.setdefault(values[0], []).append(_join(prefix, values[1]))
        elif kind == "plain":
            found.plain = int(values[0])
        elif kind == "end":
            found.status = int(values[0])
        elif kind in ("runner", "early", "absent", "broken"):
            setattr(found, kind, values[0])
        elif kind == "xml":
            found.xml = _unpack(values[0])
    for name, phase in phases.items():
        found.tests[name] = phase.result(name)
        if phase.contradicted:
            found.contradicted.append(name)
    return found


def _join(prefix: str, name: str) -> str:
    """An id as the terminal prints it: from the folder where the command runs. Old pytest's ``::()`` is dropped."""
    name = name.replace("::()::", "::")
    if not prefix or not name:
        return name
    parts = prefix.split("/")
    while parts and parts[0] == "..":  # the root lies above the folder
        parts, name = parts[1:], name.partition("/")[2] or name
    return "/".join([*parts, name])


def _unpack(text: str) -> bytes | None:
    import base64
    import zlib

    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text), 64 * 2**20)
    except (ValueError, zlib.error):
        return None
    return None if unpacker.unconsumed_tail else data


class _Phases:
    """One test's phases; a rerun starts it over."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.contradicted = False
        self.duration = 0.0
        self.message = ""
        self._calls: set[str] = set()

    def add(self, when: str, outcome: str, wasxfail: bool, duration: float, message: str, partial: bool) -> None:
        self.duration += duration
        if outcome == "rerun":
            self.outcome, self.message, self._calls = None, "", set()
            return
        meant = _meaning(when, outcome, wasxfail)
        if when == "call" and not partial:
            self._calls.add(outcome)
            self.contradicted = self.contradicted or (len(self._calls) > 1 and "passed" in self._calls)
        if meant is None or (partial and meant is not Outcome.FAILED):
            return
        if self.outcome is None or _RANK[meant] > _RANK[self.outcome]:
            self.outcome = meant
            self.message = message

    def result(self, name: str) -> TestResult:
        # Set up, but its call never came: the process died in it.
        outcome = self.outcome or Outcome.ERROR
        message = self.message or ("" if self.outcome else "the test began and did not end")
        return TestResult(id=name, outcome=outcome, duration=round(self.duration, 6), message=message)


_RANK = {
    Outcome.PASSED: 0,
    Outcome.XPASSED: 1,
    Outcome.XFAILED: 1,
    Outcome.SKIPPED: 2,
    Outcome.FAILED: 3,
    Outcome.ERROR: 4,
}


def _meaning(when: str, outcome: str, wasxfail: bool) -> Outcome | None:
    """What one phase says of the test; ``None`` for a set-up or tear-down that just went well."""
    if outcome == "passed":
        if when != "call":
            return None
        return Outcome.XPASSED if wasxfail else Outcome.PASSED
    if outcome == "skipped":
        return Outcome.XFAILED if wasxfail else Outcome.SKIPPED
    if outcome == "xfailed":
        return Outcome.XFAILED
    if outcome == "error" or when in ("setup", "teardown", "collect"):
        return Outcome.ERROR
    return Outcome.FAILED
