"""Runs Django's own ``tests/runtests.py`` (1.11 and later) and streams what each test came to.

It stands on ``swegym_unittest``, which is executed before it in the same module.
"""

import os
import re
import sys


MYPY = False
if MYPY:
    from typing import Any
    from typing import List
    from typing import Tuple
    from typing import Type

    # of swegym_unittest
    Tally: "Any" = None
    in_order: "Any" = None
    watch_machinery: "Any" = None
    result_class: "Any" = None
    runner_class: "Any" = None

#: Options of runtests.py that take the next argument, which is then no label.
OPTIONS_WITH_VALUE = frozenset(
    "-v --verbosity --settings --bisect --pair --selenium --selenium-hub --external-host --tag --exclude-tag -k"
    " --start-at --start-after --parallel --shuffle --durations".split()
)
MAY_STAND_ALONE = frozenset(("--parallel", "--shuffle"))
LEFT_OUT = frozenset(("--failfast", "--pdb", "--noinput"))
#: What decides in ``django.test``, by class; each that a version has.
DECIDING = frozenset(
    "__call__ run debug _setup_and_call _pre_setup _post_teardown _fixture_setup _fixture_teardown".split()
)
MACHINERY = (
    ("django.test.testcases", ("SimpleTestCase", "TransactionTestCase", "TestCase", "LiveServerTestCase")),
    ("django.test.runner", ("DiscoverRunner",)),
)


def labels(job: "Any", root: str) -> "List[str]":
    """The files as labels: dotted names from the folder of runtests.py."""
    named, options = split_arguments(job["args"])
    wanted = list(job["canaries"]) if named else in_order(job, list(job["targets"]) + list(job["canaries"]))
    there = [os.path.relpath(path, root) for path in wanted if os.path.exists(path)]
    return options + ["--noinput", "--parallel=1"] + named + [path[:-3].replace("/", ".") for path in there]


def split_arguments(args: "List[str]") -> "Tuple[List[str], List[str]]":
    """Labels, and options with their values: argparse wants labels in one place."""
    named: "List[str]" = []
    options: "List[str]" = []
    before = ""
    for arg in args:
        value = before in OPTIONS_WITH_VALUE and not arg.startswith("-")
        if value and before in MAY_STAND_ALONE:
            value = arg.isdigit() or arg == "auto"
        if value or arg.startswith("-"):
            options.append(arg)
        else:
            named.append(arg)
        before = arg
    return named, [option for option in options if option not in LEFT_OUT]


def watch_django(guard: "Any", seal: "Any") -> None:
    """Watch Django's part of the machinery, and tell if it is no longer the code of its file."""
    for module_name, _ in MACHINERY:
        __import__(module_name)
    guard.check()  # what was imported so far may have bent what is watched already
    for module_name, classes in MACHINERY:
        module = sys.modules[module_name]
        for class_name in classes:
            owner = getattr(module, class_name, None)
            if owner is not None:
                names = [name for name in owner.__dict__ if name in DECIDING or name.startswith(("assert", "fail"))]
                if module_name == "django.test.runner":
                    names = [name for name in owner.__dict__ if name.startswith(("run", "build", "suite", "get_"))]
                guard.watch(owner, module_name + "." + class_name, names)
                seal.belong(str(module.__file__), owner, names)


def outer_runner(found: "Any", runner: "Type[Any]", canaries: int) -> "Type[Any]":
    """Django's runner with ours inside, for the one run that counts: tests may use Django's as it is."""

    class Outer(found):  # type: ignore[misc]
        test_runner = runner

        if hasattr(found, "log"):

            def log(self, msg: "Any", *args: "Any", **kwargs: "Any") -> None:
                count = re.match(r"Found (\d+) test", str(msg))
                if count:  # the plain command would not have found the canaries
                    msg = "Found %d%s" % (int(count.group(1)) - canaries, str(msg)[count.end(1) :])
                found.log(self, msg, *args, **kwargs)

    Outer.__name__, Outer.__qualname__, Outer.__module__ = found.__name__, found.__qualname__, found.__module__
    return Outer


def run(job: "Any", path: "List[str]", emit: "Any", guard: "Any", seal: "Any") -> int:
    """Run runtests.py as the command would, and return its exit status."""
    import runpy

    emit("runner", "django")
    emit("root", "")
    watch_machinery(guard)
    script = os.path.abspath(job["script"])
    sys.argv = [script] + labels(job, os.path.dirname(job["script"]) or ".")
    sys.path[:0] = [os.path.dirname(script)] + path
    tally = Tally(job, emit)
    runner = runner_class(result_class(emit, guard, tally), tally, seal)
    watch_django(guard, seal)
    utils: "Any" = sys.modules["django.test.utils"]
    plain_get = utils.get_runner

    def get_runner(*args: "Any", **kwargs: "Any") -> "Any":
        utils.get_runner = plain_get
        return outer_runner(plain_get(*args, **kwargs), runner, job["canary_tests"])

    utils.get_runner = get_runner
    status = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as exit:
        status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    if not tally.done:
        raise SystemExit(status)
    emit("plain", status)
    return int(status != 0 or tally.bad > 0)
