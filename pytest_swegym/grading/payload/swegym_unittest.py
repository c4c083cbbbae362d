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


def result_class(emit: "Any", guard: "Any") -> "Type[Any]":
    """A result that streams. Its methods call the originals last, so the plain output stays as it was."""
    clock, lines = time.perf_counter, traceback.format_exception
    plain: "Any" = unittest.runner.TextTestResult
    begun: "Dict[str, float]" = {}

    def tell(test: "Any", outcome: str, text: str = "", partial: int = 0) -> None:
        name = str(test.id())
        if guard.due():
            guard.check()
        emit("test", name, "call", outcome, 0, clock() - begun.get(name, clock()), text[-2000:], partial)

    def words(error: "Any") -> str:
        try:
            return "".join(lines(*error))
        except Exception:
            return str(error[0])

    class Result(plain):  # type: ignore[misc]
        def startTest(self, test: "Any") -> None:
            begun[str(test.id())] = clock()
            plain.startTest(self, test)

        def addSuccess(self, test: "Any") -> None:
            tell(test, "passed")
            plain.addSuccess(self, test)

        def addError(self, test: "Any", err: "Any") -> None:
            tell(test, "error", words(err))
            plain.addError(self, test, err)

        def addFailure(self, test: "Any", err: "Any") -> None:
            tell(test, "failed", words(err))
            plain.addFailure(self, test, err)

        def addSkip(self, test: "Any", reason: str) -> None:
            tell(test, "skipped", str(reason))
            plain.addSkip(self, test, reason)

        def addExpectedFailure(self, test: "Any", err: "Any") -> None:
            tell(test, "xfailed", words(err))
            plain.addExpectedFailure(self, test, err)

        def addUnexpectedSuccess(self, test: "Any") -> None:
            tell(test, "failed", "unexpected success")
            plain.addUnexpectedSuccess(self, test)

        def addSubTest(self, test: "Any", subtest: "Any", err: "Any") -> None:
            if err is not None:
                tell(test, "failed", str(subtest) + "\n" + words(err), 1)
            plain.addSubTest(self, test, subtest, err)

    return Result


def arguments(job: "Any") -> "List[str]":
    """The command's own arguments; the listed modules follow unless it names tests itself or discovers them."""
    args = [arg for arg in job["args"] if arg not in ("-f", "--failfast")]
    if "discover" in args[:4]:
        return args
    named = [a for b, a in zip([""] + args, args) if not a.startswith("-") and b not in WITH_VALUE]
    wanted = list(job["canaries"]) if named else sorted(set(list(job["targets"]) + list(job["canaries"])))
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
    result = result_class(emit, guard)
    sys.path[:0] = path
    sys.argv = [os.path.join(os.path.dirname(unittest.__file__), "__main__.py")] + arguments(job)

    class Runner(unittest.TextTestRunner):
        def __init__(self, *args: "Any", **kwargs: "Any") -> None:
            kwargs.update(resultclass=result, failfast=False)
            unittest.TextTestRunner.__init__(self, *args, **kwargs)

        def run(self, test: "Any") -> "Any":
            seal.check()
            cases = list(flat(test))
            compare_tests(cases, seal)
            try:
                return unittest.TextTestRunner.run(self, test)
            finally:
                compare_tests(cases, seal)

    program = unittest.main(module=None, testRunner=Runner, exit=False)
    ran = program.result.testsRun
    # Python 3.12 and later end with 5 when no test ran; the same here for every version.
    return 5 if not ran and program.result.wasSuccessful() else int(not program.result.wasSuccessful())
