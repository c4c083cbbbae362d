"""The ids a task lists, found among the ids that ran."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType

from pytest_swegym.task import Outcome
from pytest_swegym.task.check import RUNNER as CHECKS
from pytest_swegym.task.native import NATIVE_RUNNERS


#: An entry of these runners that ends so stands for every test that begins with it.
_ALL = "*"
#: Runners whose ids are dotted names.
DOTTED = ("unittest", "django")
_WEIGHT = (
    Outcome.MISSING, Outcome.ERROR, Outcome.FAILED, Outcome.XPASSED, Outcome.PASSED, Outcome.XFAILED, Outcome.SKIPPED
)  # fmt: skip
_PRINTED = re.compile(r"(\w+) \(([\w.]+)\)")
_PROGRESS = re.compile(r"\[(\s*\d+%\]?)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: A dotted name that may be a test's.
_NAME = re.compile(r"\w+(\.\w+)+")
#: An id whose parameters were a path, of which the list holds the last part alone: ``t.py::t[/name]``.
_SHORTENED = re.compile(r"(?P<test>[^\[]*)\[/(?P<name>[^/*]*\])", re.DOTALL)


def canonical(test_id: str, runner: str) -> str:
    """One spelling per id.

    ``./tests/x.py::T::()::t`` is ``tests/x.py::T::t``; what unittest and Django print, ``test_m (pkg.mod.Case)`` or
    ``test_m (pkg.mod.Case.test_m)``, is ``pkg.mod.Case.test_m``. A line break is ``\\n``, as pytest writes it.
    """
    if runner in DOTTED:
        printed = _PRINTED.fullmatch(test_id)
        if printed:
            method, owner = printed.groups()
            return owner if owner.endswith("." + method) else f"{owner}.{method}"
        return test_id
    if runner in NATIVE_RUNNERS or runner == CHECKS:
        return test_id
    while test_id.startswith("./"):
        test_id = test_id[2:]
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], test_id.replace("::()::", "::"))


def is_progress(listed: str) -> bool:
    """Whether an entry is a piece of pytest's progress column (``[100%]``), which some published lists hold."""
    return _PROGRESS.fullmatch(listed) is not None


def is_cut(listed: str) -> bool:
    """Whether an id ends within its parameters: published lists hold ids as far as their first white space."""
    return listed.count("[") > listed.count("]")


def is_selector(listed: str, runner: str, known: Collection[str]) -> bool:
    """Whether an entry stands for several tests: a file, a folder, or for unittest a module or a class."""
    if runner in NATIVE_RUNNERS:
        return listed.endswith(_ALL) and listed not in known
    if runner not in DOTTED:
        return "::" not in listed and (runner == "pytest" or "/" in listed)
    return listed not in known and any(under(listed, each, runner) for each in known)


def stands_for(listed: str, runner: str) -> tuple[str, ...] | None:
    """What the ids begin with that an entry stands for; ``None`` for the one id that it is, in its canonical spelling.

    Only what can be told without knowing which tests there are. Dotted names may be those of a module or a class.
    """
    if runner in DOTTED:
        return None if _NAME.fullmatch(listed) else ("",)
    if runner != "pytest":
        return ("",)
    short = _SHORTENED.fullmatch(listed)
    if short is not None:
        return (short["test"] + "[/",)
    if is_cut(listed):
        return (listed,)
    if "::" in listed:
        return None
    path = listed.rstrip("/")
    return ("",) if path == "." else (path + "::", path + "/")


def is_doctest(test_id: str) -> bool:
    """Whether pytest made the id from a docstring or a text: it ends in a dotted name or a file's name."""
    return "." in test_id.partition("::")[2].partition("[")[0]


def under(selector: str, test_id: str, runner: str) -> bool:
    """Whether a test lies in the file, folder, module or class called ``selector``."""
    if runner in NATIVE_RUNNERS:
        return test_id.startswith(selector.removesuffix(_ALL))
    selector = canonical(selector, runner).rstrip("/")
    if runner in DOTTED:
        path = selector.removeprefix("tests/") if runner == "django" else selector
        return test_id.startswith(path.removesuffix(".py").replace("/", ".") + ".")
    return selector == "." or test_id == selector or test_id.startswith((selector + "::", selector + "/"))


def match(
    listed: Collection[str],
    ran: Mapping[str, Outcome],
    baseline: Mapping[str, Outcome],
    *,
    runner: str,
    ok: Collection[Outcome],
    broken_before: bool,
    aliases: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> dict[str, Outcome]:
    """The outcome of each listed test.

    A selector stands for the tests in it that were ``ok`` before the patch; with ``broken_before`` for those that were
    not, among them tests that could not even be collected then. A cut id stands for the tests that begin with it, a
    shortened path for those that end with it: it is ``ok`` if all of them are. ``aliases`` are names that the runner
    prints instead of ids, each with the tests that it stands for: none of them may hide that another failed. So it is
    with sympy's bare names of functions.
    """
    found: dict[str, Outcome] = {}
    known = ran.keys() | baseline.keys()
    for entry in listed:
        name = canonical(entry, runner)
        if is_progress(name):
            continue
        if name in ran and "::" in name:
            found[entry] = ran[name]
        elif name not in ran and entry in aliases:
            found[entry] = _together([ran[each] for each in aliases[entry] if each in ran])
        elif runner == "sympy" and "/" not in name and "::" not in name:
            tests = [each for each in known if each.rpartition("::")[2] == name]
            found[entry] = _together([ran.get(each, Outcome.MISSING) for each in tests])
        elif runner == "pytest" and (meant := _meant_by(name, ran)) is not None:
            found[entry] = _worst([ran[each] for each in meant], ok)
        elif not is_selector(name, runner, known):
            found[entry] = ran.get(name, Outcome.MISSING)
        else:
            tests = [each for each in known if under(name, each, runner) and _is_test(each, runner, ran)]
            chosen = [each for each in sorted(tests) if (baseline.get(each) in ok) is not broken_before]
            found.update({each: ran.get(each, Outcome.MISSING) for each in chosen})
            if not chosen:
                found[entry] = Outcome.MISSING
    return found


def _meant_by(listed: str, ran: Collection[str]) -> list[str] | None:
    """The tests that a cut or shortened id stands for; ``None`` if it is neither."""
    if is_cut(listed):
        return [each for each in ran if each.startswith(listed)]
    short = _SHORTENED.fullmatch(listed)
    if short is None:
        return None
    begin, end = short["test"] + "[/", "/" + short["name"]
    found = [each for each in ran if each.startswith(begin) and each.endswith(end)]
    return [each for each in found if "*" not in each and not each.startswith(begin + "/")]


def _worst(outcomes: Sequence[Outcome], ok: Collection[Outcome]) -> Outcome:
    return next((outcome for outcome in outcomes if outcome not in ok), outcomes[0] if outcomes else Outcome.MISSING)


def _together(outcomes: Collection[Outcome]) -> Outcome:
    """What several tests of one name came to: a failure of one is theirs all, a skip of one is not."""
    return next((outcome for outcome in _WEIGHT if outcome in outcomes), Outcome.MISSING)


def _is_test(test_id: str, runner: str, ran: Mapping[str, Outcome]) -> bool:
    """A file that could not be collected has an entry of its own; it counts only while it is still broken."""
    return runner in (*DOTTED, *NATIVE_RUNNERS) or "::" in test_id or test_id in ran
