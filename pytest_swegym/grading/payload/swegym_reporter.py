"""Runs pytest (3.x to 9.x, Python 3.6 and later) and streams what each test came to."""

import os
import sys


MYPY = False
if MYPY:
    from typing import Any
    from typing import Dict
    from typing import Generator
    from typing import List

    origin: "Any" = None  # given by the launcher
    watch: "Any" = None
    ORIGINALS: "Dict[int, Any]" = {}  # of swegym_terminal
    make_terminal: "Any" = None
    in_order: "Any" = None  # of swegym_early
    make_ender: "Any" = None

#: Options of a repository's own settings that would end, split or shrink a run.
NEUTRAL: "Any" = (
    ("maxfail", 0),
    ("stepwise", False),
    ("lf", False),
    ("failedfirst", False),
    ("newfirst", False),
    ("cacheclear", False),
    ("collectonly", False),
    ("setuponly", False),
    ("setupplan", False),
    ("usepdb", False),
    ("trace", False),
    ("continue_on_collection_errors", True),
    ("numprocesses", None),  # pytest-xdist: in one process, where the machinery can be watched
    ("dist", "no"),
    ("tx", []),
    ("looponfail", False),
    ("cov_fail_under", 0),
    ("randomly_seed", 0),
    ("junitprefix", None),
)
#: Options that take the next argument, which is then no path.
WITH_VALUE = frozenset(
    "-k -m -n -p -c -o -r -W --tb --durations --maxfail --color --capture --rootdir --confcutdir --import-mode"
    " --ignore --ignore-glob --deselect --basetemp --junitxml --junit-prefix --cov --cov-report --cov-config"
    " --timeout --dist --log-level --verbosity --override-ini --pythonwarnings".split()
)
#: Hooks through which an outcome could be rewritten.
HOOKS = (
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_runtest_makereport",
    "pytest_runtest_logreport",
    "pytest_pyfunc_call",
    "pytest_runtestloop",
    "pytest_collection_modifyitems",
    "pytest_pycollect_makeitem",
    "pytest_sessionfinish",
)
MACHINERY = (
    ("_pytest.runner", "", "pytest_runtest_makereport call_runtest_hook runtestprotocol pytest_runtest_protocol"
     " pytest_runtest_call pytest_runtest_setup pytest_runtest_teardown CallInfo SetupState TestReport"),
    ("_pytest.runner", "CallInfo", "__init__ from_call"),
    ("_pytest.reports", "TestReport", "__init__ from_item_and_call"),
    ("_pytest.reports", "BaseReport", "passed failed skipped"),
    ("_pytest.main", "", "_main wrap_session pytest_runtestloop pytest_cmdline_main"),
    ("_pytest.python", "", "pytest_pyfunc_call"),
    ("_pytest.python", "Function", "runtest setup"),
    ("_pytest.unittest", "TestCaseFunction", "runtest addError addFailure addSuccess addUnexpectedSuccess"),
    ("_pytest.outcomes", "", "Failed Skipped Exit OutcomeException fail skip xfail exit"),
    ("_pytest.python_api", "", "raises approx RaisesContext"),
    ("_pytest.python_api", "RaisesContext", "__exit__"),
    ("_pytest.python_api", "ApproxScalar", "__eq__"),
    ("_pytest.raises", "", "raises RaisesExc"),
    ("_pytest.raises", "RaisesExc", "__exit__ matches"),
    ("_pytest.skipping", "", "pytest_runtest_makereport pytest_runtest_setup pytest_runtest_call"),
    ("_pytest.assertion.rewrite", "AssertionRewriter", "run visit_Assert"),
    ("_pytest.junitxml", "LogXML", "pytest_runtest_logreport pytest_sessionfinish finalize"),
    ("_pytest.assertion.rewrite", "", "_rewrite_test AssertionRewriter AssertionRewritingHook"),
    ("builtins", "", "AssertionError __import__ __build_class__ compile exec isinstance"),
)  # fmt: skip
#: Classes that make items of what a file holds, and find what these run.
WHOLE = (
    (
        "_pytest.python",
        "Function FunctionMixin PyobjMixin PyCollector Module Class Instance Metafunc CallSpec CallSpec2",
    ),
    ("_pytest.nodes", "Node Collector Item FSCollector FSHookProxy File"),
    ("_pytest.unittest", "UnitTestCase TestCaseFunction"),
    ("_pytest.fixtures", "FixtureManager FixtureDef FixtureRequest TopRequest SubRequest"),
    ("_pytest.main", "Session"),
)


def watch_machinery(guard: "Any") -> None:
    import unittest.case

    for module_name, class_name, names in MACHINERY:
        owner = sys.modules.get(module_name)
        if class_name and owner is not None:
            owner = vars(owner).get(class_name)  # not getattr: a module may warn of a name that it only still knows
        if owner is not None:
            guard.watch(owner, module_name + ("." + class_name if class_name else ""), names.split())
    for module_name, class_names in WHOLE:
        for class_name in class_names.split():
            owner = vars(sys.modules[module_name]).get(class_name) if module_name in sys.modules else None
            if isinstance(owner, type):
                guard.watch_whole(owner, module_name + "." + class_name)
    for module_name in [name for name in sys.modules if "pluggy" in name.split(".")]:
        guard.watch(sys.modules[module_name], module_name, ["_multicall"])
        for class_name in ("HookCaller", "_HookCaller"):
            caller = sys.modules[module_name].__dict__.get(class_name)
            if caller is not None:
                guard.watch(caller, "pluggy." + class_name, ["__call__"])
    case = unittest.case.TestCase
    names_of_case = [name for name in case.__dict__ if name.startswith("assert")]
    guard.watch(case, "unittest.TestCase", names_of_case + ["run", "__call__", "fail", "failureException"])


class Hooks:
    """Tells of implementations of the deciding hooks that came after the environment's own plugins."""

    def __init__(self, emit: "Any") -> None:
        self._emit = emit
        self._known: "Dict[str, Any]" = {}
        self._counts: "Dict[str, int]" = {}
        self._relay: "Any" = None

    def record(self, relay: "Any") -> None:
        self._relay = relay
        for name in HOOKS:
            caller = getattr(relay, name, None)
            if caller is not None:
                found = implementations(caller)
                self._known[name] = (caller, {id(each.function): each.function for each in found})
                self._counts[name] = len(found)

    def check(self) -> None:
        for name in self._counts:
            caller, known = self._known[name]
            if getattr(self._relay, name, None) is not caller:
                self._known[name] = (getattr(self._relay, name, None), known)
                self._emit("bent", "replaced hook." + name)
                continue
            found = implementations(caller)
            if len(found) == self._counts[name]:
                continue
            self._counts[name] = len(found)
            for each in found:
                if id(each.function) not in known:
                    known[id(each.function)] = each.function
                    if not is_builtin(each.function):
                        self._emit("hook", name, *origin(each.function))


def implementations(caller: "Any") -> "List[Any]":
    if hasattr(caller, "get_hookimpls"):
        return list(caller.get_hookimpls())
    return list(caller._nonwrappers) + list(caller._wrappers)


def is_builtin(function: "Any") -> bool:
    """Whether a function is what pytest itself calls by that name (some of its plugins register late)."""
    function = ORIGINALS.get(id(function), function)
    inner = getattr(function, "__func__", function)
    found: "Any" = sys.modules.get(str(getattr(inner, "__module__", "")))
    if not getattr(found, "__name__", "").startswith("_pytest."):
        return False
    for part in str(inner.__qualname__).split("."):
        found = getattr(found, part, None)
    home = os.path.dirname(sys.modules["_pytest.config"].__file__ or "")
    return found is inner and inner.__code__.co_filename.startswith(os.path.dirname(home))


def text_of(report: "Any") -> str:
    """The end of what a report says, however odd its parts are."""
    try:
        longrepr = report.longrepr
        if isinstance(longrepr, tuple) and len(longrepr) == 3:
            return str(longrepr[2])[-2000:]
        return str(longrepr or "")[-2000:]
    except Exception:
        return "(no text)"


def settle(config: "Any", job: "Any") -> None:
    config.option.plain_continue = getattr(config.option, "continue_on_collection_errors", True)
    for name, value in NEUTRAL:
        if hasattr(config.option, name):
            setattr(config.option, name, value)
    if hasattr(config.option, "xmlpath"):
        config.option.xmlpath = job["xml"]


def collect_once(config: "Any") -> None:
    """Newer versions collect garbage five times at the end, when every outcome is told: a tenth of a short run."""
    key = getattr(sys.modules.get("_pytest.unraisableexception"), "gc_collect_iterations_key", None)
    if key is not None:
        config.stash[key] = 1


def arguments(job: "Any") -> "List[str]":
    """The command's own arguments; the listed files follow unless it names paths itself."""
    args = [arg for arg in job["args"]]
    named = []
    for before, arg in zip([""] + args, args):
        path = arg.split("::")[0]
        if path and not arg.startswith("-") and before not in WITH_VALUE and os.path.exists(path):
            named.append(os.path.normpath(path))
    wanted = [] if named else list(job["targets"])
    for path in job["canaries"]:
        covered = any(top == "." or path.startswith(top + "/") for top in named)
        if not covered and (wanted or named):
            wanted.append(path)
    there = in_order(job, [path for path in wanted if os.path.exists(path)])
    # Some versions, told of a folder and of a file in it, run that file only.
    outer = [path for path in there if not any(path.startswith(other + "/") for other in there)]
    return ["--override-ini=junit_family=xunit1", "--override-ini=junit_logging=no"] + args + outer


def rewriter(config: "Any") -> "Any":
    """How this version compiles a test file, its assertions rewritten."""
    import pathlib

    rewrite: "Any" = sys.modules["_pytest.assertion.rewrite"]

    def rewritten(full: str) -> "Any":
        if "config" == rewrite._rewrite_test.__code__.co_varnames[0]:  # before pytest 5
            return rewrite._rewrite_test(config, sys.modules["py"].path.local(full))[1]
        # The path's type is part of the code that 5.x makes; up to 5.2 it was a text.
        paths = "Path" in rewrite.AssertionRewritingHook.exec_module.__code__.co_names
        return rewrite._rewrite_test(pathlib.Path(full) if paths else full, config)[1]

    return rewritten


def compare_tests(session: "Any", seal: "Any") -> None:
    """Compare every collected test function with the file that it says it is from."""
    files: "Dict[str, Any]" = {}
    named: "Dict[str, Any]" = {}
    seen = set()
    for item in session.items:
        try:
            name = name_in_file(item)
            function = getattr(item.obj, "__func__", item.obj)
            if (id(function), name) in seen:
                continue  # another set of parameters
            seen.add((id(function), name))
            while hasattr(function, "__wrapped__"):
                function = function.__wrapped__
            full = str(item.module.__file__)
            named.setdefault(full, []).append((name, function))
            files.setdefault(full, []).append((str(function.__qualname__), function))
        except AttributeError:
            pass  # a doctest, or an item of a plugin
    for full in named:
        seal.examine(full, files.get(full, ()), rewriter(session.config), named[full], watch.foreign)


def name_in_file(item: "Any") -> str:
    """The name under which a file has an item's function: ``Class.test_x``."""
    parts = [part for part in item.nodeid.partition("[")[0].split("::")[1:] if part != "()"]
    return ".".join(parts[:-1] + [str(getattr(item, "originalname", None) or parts[-1])])


def make_plugin(pytest: "Any", job: "Any", path: "List[str]", emit: "Any", guard: "Any", seal: "Any") -> "Any":
    hooks = Hooks(emit)
    pluggy = [vars(sys.modules[name]).get("__file__") for name in sys.modules if "pluggy" in name.split(".")]
    runner = sys.modules["_pytest.runner"]
    items = watch.items(frozenset(pluggy), runner.call_and_report.__code__)

    class Reporter:
        @pytest.hookimpl(hookwrapper=True, tryfirst=True)  # type: ignore[untyped-decorator]
        def pytest_cmdline_parse(self) -> "Generator[None, Any, None]":
            sys.path[:0] = path  # only now: pytest itself is loaded
            outcome = yield
            if outcome.excinfo is None:
                settle(outcome.get_result(), job)

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)  # type: ignore[untyped-decorator]
        def pytest_load_initial_conftests(self, early_config: "Any") -> "Generator[None, Any, None]":
            known = early_config.known_args_namespace
            if hasattr(known, "cov_fail_under"):
                known.cov_fail_under = 0
            watch_machinery(guard)  # the environment's plugins are in, nothing of the repository is
            hooks.record(early_config.pluginmanager.hook)
            yield

        def pytest_configure(self, config: "Any") -> None:
            collect_once(config)
            root = str(getattr(config, "rootpath", None) or config.rootdir)
            prefix = os.path.relpath(root, os.getcwd())
            emit("root", "" if prefix == "." else prefix)

        def pytest_collectreport(self, report: "Any") -> None:
            seal.check(os.path.join(seal.here, report.nodeid.split("::")[0]))
            if report.outcome != "passed":
                emit("collect", report.nodeid, report.outcome, text_of(report))

        def pytest_collection_finish(self, session: "Any") -> None:
            seal.check()
            guard.check()
            hooks.check()
            compare_tests(session, seal)
            items.collected(session.items)

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_setup(self, item: "Any") -> "Generator[None, Any, None]":
            items.check(item)
            items.running = item.nodeid
            yield
            items.running = ""

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_call(self, item: "Any") -> "Generator[None, Any, None]":
            items.check(item)
            items.running = item.nodeid
            yield
            items.running = ""

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_teardown(self, item: "Any") -> "Generator[None, Any, None]":
            items.running = item.nodeid
            yield
            items.running = ""

        def pytest_sessionfinish(self, session: "Any") -> None:
            hooks.check()
            compare_tests(session, seal)

        @pytest.hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_logreport(self, report: "Any") -> None:
            outcome = report.outcome
            partial = type(report).__name__ in ("SubtestReport", "SubTestReport")
            if not partial:
                items.report(report)
            if report.when == "call":
                watch.look()
            if report.when == "teardown" and guard.due():  # what the test borrowed is given back by now
                guard.check()
                hooks.check()
            if outcome == "passed" and report.when in ("setup", "teardown"):
                return  # told by silence: thousands of tests should not wait for it
            emit(
                "test",
                report.nodeid,
                str(report.when),
                outcome,
                1 if hasattr(report, "wasxfail") else 0,
                getattr(report, "duration", 0.0),
                "" if outcome == "passed" else text_of(report),
                1 if partial else 0,
            )

    return Reporter()


def run(job: "Any", path: "List[str]", emit: "Any", guard: "Any", seal: "Any") -> int:
    """Run pytest as the command would, and return its exit status."""
    try:
        import pytest
    except ImportError as error:
        if getattr(error, "name", None) != "pytest":
            raise
        emit("absent", "pytest")
        return 4
    emit("runner", "pytest " + str(pytest.__version__))
    args = arguments(job)
    sys.argv = [os.path.join(os.path.dirname(os.path.abspath(pytest.__file__)), "__main__.py")] + args
    plugins = [make_plugin(pytest, job, path, emit, guard, seal), make_terminal(pytest, job, emit)]
    if job["early"]:
        plugins.append(make_ender(pytest, job, emit))
    return int(pytest.main(args, plugins=plugins))
