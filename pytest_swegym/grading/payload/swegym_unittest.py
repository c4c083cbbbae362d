"""Runs unittest (Python 3.6 and later) and streams what each test came to."""

import os
import sys
import time
import traceback
import unittest
import unittest.case
import unittest.loader
import unittest.result
import unittest.runner
import unittest.suite


MYPY = False
if MYPY:
    from typing import Any
    from typing import Dict
    from typing import List
    from typing import Type

    watch: "Any" = None  # given by the launcher
    Early: "Any" = None  # of swegym_early
    in_order: "Any" = None

WITH_VALUE = frozenset("-k -s --start-directory -p --pattern -t --top-level-directory --durations".split())


def watch_machinery(guard: "Any") -> None:
    case = unittest.case.TestCase
    names = [name for name in case.__dict__ if name.startswith("assert")]
    names += ["run", "__call__", "fail", "failureException", "_callTestMethod", "_callSetUp", "_callTearDown"]
    guard.watch(case, "unittest.TestCase", names)
    result = [name for name in unittest.result.TestResult.__dict__ if name.startswith(("add", "was", "st"))]
    guard.watch(unittest.result.TestResult, "unittest.TestResult", result)
    guard.watch(getattr(unittest.case, "_Outcome"), "unittest.case._Outcome", ["__init__", "testPartExecutor"])
    guard.watch(unittest.case, "unittest.case", ["_Outcome", "TestCase", "_AssertRaisesContext"])
    guard.watch(unittest.case._AssertRaisesContext, "unittest.case._AssertRaisesContext", ["__exit__"])
    guard.watch(unittest.suite.TestSuite, "unittest.TestSuite", ["run", "__call__"])
    guard.watch(unittest.runner.TextTestRunner, "unittest.TextTestRunner", ["run"])
    guard.watch(sys.modules["builtins"], "builtins", ["AssertionError"])


class Tally:
    """What the controller wants to know of a session, and which tests are canaries: nobody else hears of these."""

    def __init__(self, job: "Any", emit: "Any") -> None:
        self.early = Early(job, emit)
        self.began: "Dict[str, float]" = {}
        self.bad = 0
        self.done = False
        self._files = frozenset(os.path.abspath(path) for path in job["canaries"])
        self._mine: "Dict[Any, bool]" = {}

    def mine(self, test: "Any") -> bool:
        kind = type(test)
        if kind not in self._mine:
            file = getattr(sys.modules.get(kind.__module__), "__file__", None)
            self._mine[kind] = file is not None and os.path.abspath(file) in self._files
        return self._mine[kind]


def name_of(test: "Any") -> str:
    """A test's id; tells if the product makes it."""
    maker: "Any" = vars(test).get("id", getattr(type(test), "id", None))
    code = getattr(getattr(maker, "__func__", maker), "__code__", None)
    if watch.foreign(code):
        file = os.path.basename(str(getattr(code, "co_filename", "nobody")))
        watch.tell("the id of a " + type(test).__name__ + " is made by " + file)
    return str(test.id())


def words_of(test: "Any") -> str:
    """The first line of the docstring in a test's own code: what it says of itself can be exchanged."""
    function: "Any" = getattr(type(test), str(getattr(test, "_testMethodName", "")), None)
    while function is not None:
        code = getattr(function, "__code__", None)
        first = code.co_consts[0] if code is not None and code.co_consts else None
        if sys.version_info >= (3, 14) and not getattr(code, "co_flags", 0) & 0x4000000:  # CO_HAS_DOCSTRING
            first = None
        if type(first) is str:
            return first.strip().split("\n")[0].strip()
        function = getattr(function, "__wrapped__", None)  # a decorator's
    return ""


def result_class(emit: "Any", guard: "Any", tally: "Tally") -> "Type[Any]":
    """A result that streams. Its methods call the originals last, so the plain output stays as it was."""
    clock, lines = time.perf_counter, traceback.format_exception
    plain: "Any" = unittest.runner.TextTestResult
    begun, mine, kind = tally.began, tally.mine, getattr(unittest.case, "_Outcome")

    def tell(test: "Any", outcome: str, text: str = "", partial: int = 0) -> bool:
        """Tell the controller; whether anybody else may hear of it too."""
        name = name_of(test)
        watch.verdict(test, kind)
        watch.look()
        if guard.due():
            guard.check()
        tally.bad += outcome in ("failed", "error")
        tally.early.note(name, outcome)
        emit("test", name, "call", outcome, 0, clock() - begun.get(name, clock()), text[-2000:], partial)
        return not mine(test)

    def words(error: "Any") -> str:
        try:
            return "".join(lines(*error))
        except Exception:
            return str(error[0])

    class Result(plain):  # type: ignore[misc]
        def startTest(self, test: "Any") -> None:
            name = name_of(test)
            begun[name] = clock()
            said = words_of(test)
            if said:
                emit("alias", said, name)
            if not mine(test):
                plain.startTest(self, test)

        def stopTest(self, test: "Any") -> None:
            if not mine(test):
                plain.stopTest(self, test)
            if tally.early.decided(name_of(test)) or tally.early.last(name_of(test)):
                self.shouldStop = True

        def addDuration(self, test: "Any", elapsed: "Any") -> None:
            if not mine(test):
                plain.addDuration(self, test, elapsed)

        def addSuccess(self, test: "Any") -> None:
            if tell(test, "passed"):
                plain.addSuccess(self, test)

        def addError(self, test: "Any", err: "Any") -> None:
            if tell(test, "error", words(err)):
                plain.addError(self, test, err)

        def addFailure(self, test: "Any", err: "Any") -> None:
            if tell(test, "failed", words(err)):
                plain.addFailure(self, test, err)

        def addSkip(self, test: "Any", reason: str) -> None:
            if tell(test, "skipped", str(reason)):
                plain.addSkip(self, test, reason)

        def addExpectedFailure(self, test: "Any", err: "Any") -> None:
            if tell(test, "xfailed", words(err)):
                plain.addExpectedFailure(self, test, err)

        def addUnexpectedSuccess(self, test: "Any") -> None:
            if tell(test, "failed", "unexpected success"):
                plain.addUnexpectedSuccess(self, test)

        def addSubTest(self, test: "Any", subtest: "Any", err: "Any") -> None:
            if err is not None:
                tell(test, "failed", str(subtest) + "\n" + words(err), 1)
            plain.addSubTest(self, test, subtest, err)

    guard.watch(Result, "the reporter", [name for name in Result.__dict__ if name[:3] in ("sta", "sto", "add")])
    return Result


def runner_class(result: "Type[Any]", tally: "Tally", seal: "Any") -> "Type[Any]":
    """A runner whose first run streams; runs that tests start inside it are theirs alone."""

    class Runner(unittest.TextTestRunner):
        def __init__(self, *args: "Any", **kwargs: "Any") -> None:
            kwargs.update(resultclass=result, failfast=False)
            unittest.TextTestRunner.__init__(self, *args, **kwargs)

        def run(self, test: "Any") -> "Any":
            seal.check()
            cases = list(flat(test))
            compare_tests(cases, seal)
            try:
                found = unittest.TextTestRunner.run(self, staged(test, cases, tally))
                tally.done = True
                return found
            finally:
                compare_tests(cases, seal)

    return Runner


def arguments(job: "Any") -> "List[str]":
    """The command's own arguments; the listed modules follow unless it names tests itself or discovers them."""
    args = [arg for arg in job["args"] if arg not in ("-f", "--failfast")]
    if "discover" in args[:4]:
        return args
    named = [a for b, a in zip([""] + args, args) if not a.startswith("-") and b not in WITH_VALUE]
    wanted = list(job["canaries"]) if named else in_order(job, list(job["targets"]) + list(job["canaries"]))
    return args + [module(path) for path in wanted if os.path.exists(path)]


def flat(test: "Any") -> "Any":
    try:
        parts = list(test)
    except TypeError:
        yield test
        return
    for part in parts:
        for each in flat(part):
            yield each


def staged(test: "Any", cases: "List[Any]", tally: "Tally") -> "Any":
    """What is run of a suite: all of it, or what there is to wait for; tests of our own in any case."""
    early = tally.early
    if not early.on:
        return test
    own = [case for case in cases if tally.mine(case)]
    names = set(str(case.id()) for case in cases)
    others = set(early.holds).difference(names)
    groups = set(name for name in others if any(each.startswith(name + ".") for each in names))
    gone = sorted(others.difference(groups, [words_of(case) for case in cases]))
    if gone:
        early.end(gone[0])
        return unittest.TestSuite(own)
    early.begins += tuple(name + "." for name in groups)
    waited = [str(case.id()) for case in cases if tally.mine(case) or early.waits_for(str(case.id()))]
    early.expect(waited, len(cases) - len(waited))
    suite = sorted_by_file(test, cases, early.ranks) if early.sorts else test

    def both(result: "Any") -> None:
        suite(result)
        if early.lost:
            result.shouldStop = False
            unittest.TestSuite(case for case in own if str(case.id()) not in tally.began)(result)

    return both


def sorted_by_file(test: "Any", cases: "List[Any]", ranks: "Any") -> "Any":
    """The suite, the files that decide most first; as it is if a part of it is a suite of somebody's own."""

    def plain(part: "Any") -> bool:
        if isinstance(part, unittest.TestCase):
            return True
        return type(part) is unittest.TestSuite and all(plain(each) for each in part)

    def rank(case: "Any") -> int:
        file = getattr(sys.modules.get(type(case).__module__), "__file__", None)
        return int(ranks.get(os.path.relpath(file), 9)) if file else 9

    return unittest.TestSuite(sorted(cases, key=rank)) if plain(test) else test


def compare_tests(cases: "List[Any]", seal: "Any") -> None:
    """Compare every test method with the file that its class says it is from."""
    files: "Dict[str, Any]" = {}
    for case in cases:
        try:
            file = sys.modules[type(case).__module__].__file__
            function = getattr(type(case), case._testMethodName)
            while hasattr(function, "__wrapped__"):
                function = function.__wrapped__
            files.setdefault(str(file), []).append((str(function.__qualname__), function))
        except (AttributeError, KeyError):
            pass  # a file that could not be imported
    for full in files:
        seal.examine(full, files[full], lambda full: compile("", full, "exec"))


def module(path: str) -> str:
    return path[:-3].replace("/", ".") if path.endswith(".py") else path


def run(job: "Any", path: "List[str]", emit: "Any", guard: "Any", seal: "Any") -> int:
    """Run unittest as the command would, and return its exit status."""
    emit("runner", "unittest")
    emit("root", "")
    watch_machinery(guard)
    tally = Tally(job, emit)
    runner = runner_class(result_class(emit, guard, tally), tally, seal)
    sys.path[:0] = path
    sys.argv = [os.path.join(os.path.dirname(unittest.__file__), "__main__.py")] + arguments(job)
    result = unittest.main(module=None, testRunner=runner, exit=False).result
    none = not result.testsRun and result.wasSuccessful()
    emit("plain", 5 if none and sys.version_info >= (3, 12) else int(not result.wasSuccessful()))
    if not tally.done:
        raise SystemExit(1)
    # Python 3.12 and later end with 5 when no test ran; the same here for every version.
    return 5 if not tally.began and result.wasSuccessful() else int(not result.wasSuccessful() or tally.bad > 0)
