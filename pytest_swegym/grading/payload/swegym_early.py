"""Ends a run that is decided: at the first listed test that is lost, or after the last one. Python 3.6 and later.

It stands before a runner's part, which is executed after it in the same module. Tests of our own run in any case.
"""

import os


MYPY = False
if MYPY:
    from typing import Any
    from typing import Dict
    from typing import List

#: What a test came to that is lost whatever list it is in.
BAD = frozenset(("failed", "error", "xpassed"))


def in_order(job: "Any", paths: "Any") -> "List[str]":
    """Files as they are to be run: by name, those that decide most first if the run may end early."""
    ranks = job["early"].get("ranks", {})
    return sorted(set(paths), key=lambda path: (ranks.get(path, 9) if ranks else 0, path))


class Early:
    """What the run waits for. ``holds`` maps listed tests to whether a skip of theirs holds."""

    def __init__(self, job: "Any", emit: "Any") -> None:
        given = job["early"]
        self.on = bool(given)
        self.ranks: "Dict[str, int]" = given.get("ranks", {})
        self.holds: "Dict[str, bool]" = given.get("holds", {})
        self.begins = tuple(given.get("begins", ()))
        self.sorts = bool(given.get("sorts"))
        self.lost = ""
        self._left: "Dict[str, int]" = {}
        self._beside = 0
        self._emit = emit
        self._bad: "Dict[str, str]" = {}

    def waits_for(self, name: str) -> bool:
        return name in self.holds or name.startswith(self.begins)

    def note(self, name: str, outcome: str) -> None:
        """Hear of a phase of a test, which may not be its last."""
        if outcome == "rerun":
            self._bad.pop(name, None)
        elif name in self.holds and (outcome in BAD or (outcome == "skipped" and not self.holds[name])):
            self._bad[name] = outcome

    def decided(self, name: str) -> bool:
        """Whether the test, which has ended, is the first listed one that is lost."""
        if self.lost or name not in self._bad:
            return False
        self.end(name)
        return True

    def expect(self, names: "List[str]", beside: int) -> None:
        """What there is to wait for, each as often as it will run, and how many tests there are ``beside``."""
        self._beside = beside
        for name in names:
            self._left[name] = self._left.get(name, 0) + 1

    def last(self, name: str) -> bool:
        """Whether the test, which has ended, was the last that there was to wait for."""
        if self.lost or not self._left:
            return False
        if name not in self._left:
            self._beside -= 1
            return False
        self._left[name] -= 1
        if not self._left[name]:
            del self._left[name]
        if self._left or self._beside < 1:
            return False
        self.end()
        return True

    def end(self, lost: str = "") -> None:
        """Tell where the run ends: at a lost test, or after the last listed one."""
        self.lost = lost
        self._emit("early", lost)


def make_ender(pytest: "Any", job: "Any", emit: "Any") -> "Any":
    """A plugin of pytest's that leaves out what need not run."""
    early = Early(job, emit)
    canaries = frozenset(os.path.abspath(path) for path in job["canaries"])
    state = {"root": "", "prefix": ""}

    def name_of(node_id: str) -> str:
        """The id as the controller has it: from the folder where the command runs."""
        name, parts = node_id.replace("::()::", "::"), state["prefix"].split("/") if state["prefix"] else []
        while parts and parts[0] == "..":
            parts, name = parts[1:], name.partition("/")[2] or name
        return "/".join(parts + [name])

    def mine(item: "Any") -> bool:
        return os.path.join(state["root"], item.nodeid.partition("::")[0]) in canaries

    def leave_out(session: "Any", after: "Any") -> None:
        """Drop what comes after an item but our own tests, and end what was set up for what is dropped."""
        at = session.items.index(after) + 1
        rest = [item for item in session.items[at:] if mine(item)]
        session.items[at:] = rest
        setup: "Any" = session._setupstate
        if not hasattr(setup, "prepare"):  # before pytest 7, the next item sees to it
            try:
                setup.teardown_exact(rest[0] if rest else None)
            except BaseException:
                pass  # the grade is lost, whatever is told here

    class Ender:
        @pytest.hookimpl(trylast=True)  # type: ignore[untyped-decorator]
        def pytest_collection_finish(self, session: "Any") -> None:
            state["root"] = str(getattr(session.config, "rootpath", None) or session.config.rootdir)
            prefix = os.path.relpath(state["root"], os.getcwd())
            state["prefix"] = "" if prefix == "." else prefix
            names = [name_of(item.nodeid) for item in session.items]
            gone = sorted(set(early.holds).difference(names))
            if gone:
                early.end(gone[0])
                session.items[:] = [item for item in session.items if mine(item)]
                return
            waited = [early.waits_for(name) or mine(item) for name, item in zip(names, session.items)]
            needed = len(waited) - waited[::-1].index(True) if True in waited else 0
            if needed < len(names):
                early.end()
                del session.items[needed:]

        @pytest.hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_logreport(self, report: "Any") -> None:
            outcome, marked = report.outcome, hasattr(report, "wasxfail")
            if outcome == "passed" and not (marked and report.when == "call"):
                return
            if type(report).__name__ in ("SubtestReport", "SubTestReport") and outcome != "failed":
                return
            if marked and outcome != "failed":
                outcome = "xpassed" if outcome == "passed" else "xfailed"
            early.note(name_of(report.nodeid), outcome)

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_protocol(self, item: "Any") -> "Any":
            yield
            if early.decided(name_of(item.nodeid)):
                leave_out(item.session, item)

    return Ender()
