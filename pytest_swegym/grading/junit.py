"""JUnit XML: the artefact of every attempt, and the second witness of a run. The one door to junitparser."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape
from xml.sax.saxutils import quoteattr

from pytest_swegym.errors import GradingError
from pytest_swegym.task import Outcome
from pytest_swegym.task import TestResult


#: What XML 1.0 cannot hold.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _library() -> Any:
    import junitparser  # deferred: half of its functions are untyped, and an ordinary suite does not need it

    return junitparser


#: Elements that tell what a case came to; a case that went well has none.
_KINDS = {
    Outcome.FAILED: "failure",
    Outcome.ERROR: "error",
    Outcome.SKIPPED: "skipped",
    Outcome.XFAILED: "skipped",
}
_COUNTED = (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))


def write_junit(tests: Iterable[TestResult], *, suite: str = "swegym", properties: dict[str, str]) -> bytes:
    """``junit.xml`` of the controller: each case holds its exact id and outcome as properties."""
    cases, counts, seconds = [], Counter[str](), 0.0
    for test in tests:
        cases.append(_written(test))
        counts[_KINDS.get(test.outcome, "")] += 1
        seconds += test.duration
    total = "".join(f' {name}="{counts[kind]}"' for name, kind in _COUNTED) + f' time="{round(seconds, 6)}"'
    about = f' tests="{len(cases)}"{total}'
    facts = "".join(_property(name, value) for name, value in properties.items())
    facts = f"<properties>{facts}</properties>" if facts else ""
    whole = f"<testsuite name={_attribute(suite)}{about}>{facts}{''.join(cases)}</testsuite>"
    return f"<testsuites{about}>{whole}</testsuites>".encode()


def _written(test: TestResult) -> str:
    """One case as text: thousands of them as objects take longer than the rest of a grade."""
    classname, name = split_id(test.id)
    own = _property("swegym_id", json.dumps(test.id)) + _property("swegym_outcome", test.outcome.value)
    kind, result = _KINDS.get(test.outcome), ""
    if kind is not None:
        first = (test.message.strip().splitlines()[-1:] or [test.outcome.value])[0]
        result = f"<{kind} message={_attribute(first[:200])} type={_attribute(test.outcome.value)}>"
        result += f"{escape(_clean(test.message))}</{kind}>"
    case = f'<testcase name={_attribute(name)} classname={_attribute(classname)} time="{test.duration}">'
    return f"{case}<properties>{own}</properties>{result}</testcase>"


def _property(name: str, value: str) -> str:
    return f"<property name={_attribute(name)} value={_attribute(value)} />"


def _attribute(value: str) -> str:
    return quoteattr(_clean(value))


def read_junit(data: bytes) -> dict[str, TestResult]:
    """The results in a ``junit.xml`` that :func:`write_junit` made. Raises :class:`GradingError` for anything else."""
    found: dict[str, TestResult] = {}
    try:
        whole = ElementTree.fromstring(data)
        if whole.tag != "testsuites":
            raise ValueError(f"<{whole.tag}>")
        for case in whole.iter("testcase"):
            facts, *results = case
            own = {item.attrib["name"]: item.attrib["value"] for item in facts}
            name, outcome = json.loads(own["swegym_id"]), Outcome(own["swegym_outcome"])
            message = "".join(part.text or "" for part in results)
            found[name] = TestResult(id=name, outcome=outcome, duration=float(case.attrib["time"]), message=message)
    except (KeyError, TypeError, ValueError, SyntaxError) as error:
        raise GradingError(f"junit.xml cannot be read: {type(error).__name__}: {error}") from error
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What the XML of the test process itself says: every case it names, and those that did not go well."""

    named: frozenset[tuple[str, str]]
    bad: frozenset[tuple[str, str]]


def read_witness(data: bytes | None) -> Witness | None:
    """Read the process's own XML; ``None`` if there is none, or it is cut or no XML."""
    lib = _library()
    if not data or b"<!" in data:  # no document type, so no entity that expands; pytest writes neither
        return None
    named, bad = set(), set()
    try:
        whole = lib.JUnitXml.fromstring(data)
        for suite in [whole] if isinstance(whole, lib.TestSuite) else whole:
            for case in suite:
                # Old versions leave the instance of a nested class in.
                key = ((case.classname or "").replace(".()", ""), case.name or "")
                named.add(key)
                if any(isinstance(result, (lib.Failure, lib.Error)) for result in case.result):
                    bad.add(key)
    except (lib.JUnitXmlError, TypeError, ValueError, SyntaxError):
        return None
    return Witness(named=frozenset(named), bad=frozenset(bad))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One ``<testcase>`` as any runner writes it.

    ``kind`` is the worst of its results: ``error``, ``failure``, ``skipped``, or empty; ``about`` are that result's
    attributes and ``text`` its message and text; ``output`` is what the test printed.
    """

    attributes: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    output: str = ""
    seconds: float = 0.0


#: What may stand before the root element: no document type, so no entity that expands or reads a file.
_PROLOG = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*<[A-Za-z_]", re.DOTALL)
_ENCODING = re.compile(rb"""\A[^>]*?encoding\s*=\s*["']([^"']*)["']""")
#: Some writers leave control characters as they are, which no parser takes.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_ENCODINGS = (b"utf-8", b"us-ascii", b"ascii", b"iso-8859-1", b"latin1", b"windows-1252")


def read_cases(data: bytes) -> list[Case]:
    """Every case of an untrusted JUnit XML. Raises :class:`GradingError` if it is cut or has a document type."""
    lib = _library()
    encoding = _ENCODING.match(data)
    if not _PROLOG.match(data) or (encoding and encoding[1].lower() not in _ENCODINGS):
        raise GradingError("is not plain XML: cut, in an unusual encoding, or with a document type")
    try:
        whole = lib.JUnitXml.fromstring(_CONTROL.sub(b"?", data))
        suites = [whole] if isinstance(whole, lib.TestSuite) else list(whole)
        return [_case(case) for suite in suites for case in suite]
    except (lib.JUnitXmlError, TypeError, ValueError, SyntaxError, RecursionError) as error:
        raise GradingError(f"cannot be read: {type(error).__name__}: {error}") from error


def _case(case: Any) -> Case:
    lib = _library()
    ranks = {lib.Skipped: "skipped", lib.Failure: "failure", lib.Error: "error"}
    results = sorted((each for each in case.result if type(each) in ranks), key=lambda each: [*ranks].index(type(each)))
    worst = results[-1] if results else None
    kind = ranks[type(worst)] if worst is not None else ""
    if kind in ("", "skipped") and case._elem.find("warning") is not None:
        kind = "failure"  # PHPUnit's own, for a test that it counts among what did not go well
    try:
        seconds = case.time or 0.0
    except ValueError:
        seconds = 0.0
    return Case(
        attributes=dict(case._elem.attrib),  # the library offers a fixed set of names only
        kind=kind,
        about=dict(worst._elem.attrib) if worst is not None else {},
        text="\n".join(part for part in (worst.message, worst.text) if part) if worst is not None else "",
        output=case.system_out or "",
        seconds=seconds,
    )


def split_id(test_id: str) -> tuple[str, str]:
    """``(classname, name)`` of an id, as pytest writes them: ``a/b.py::C::t[x]`` is ``("a.b.C", "t[x]")``."""
    path, bracket, rest = test_id.partition("[")
    if "::" not in path and "/" not in path and not path.endswith(".py") and not bracket:
        classname, _, name = path.rpartition(".")  # a unittest id
        return classname, name
    names = [name for name in path.split("::") if name != "()"]
    names[0] = re.sub(r"\.py$", "", names[0].replace("/", "."))
    names[-1] += bracket + rest
    return ".".join(names[:-1]), names[-1]


def witness_key(node_id: str) -> tuple[str, str]:
    """Where a node id is found in the process's XML: pytest writes illegal characters as ``#xNN``."""
    classname, name = split_id(node_id)
    return _mangle(classname), _mangle(name)


def _mangle(text: str) -> str:
    return _ILLEGAL.sub(lambda m: f"#x{ord(m[0]):02X}" if ord(m[0]) <= 0xFF else f"#x{ord(m[0]):04X}", text)


def _clean(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
