"""Notices objects that are equal to whatever a test compares them with: Python 3.6 and later."""

import dis
import gc
import os
import sys
import time
import types


MYPY = False
if MYPY:
    from typing import Any
    from typing import Dict
    from typing import List

#: Values that no honest object is equal to all of, kind by kind.
PROBES: "Any" = (
    ("object", (object(), object())),
    ("int", (0, 3911, -70523)),
    ("float", (0.25, -811.5)),
    ("str", ("", "\u0153-7", "another text of ours")),
    ("bytes", (b"", b"\x00\xfe")),
    ("list", ([], [3911, "\u0153"])),
    ("dict", ({}, {"\u0153": 1})),
)
#: Where a quick look looks: what derives from these at first hand.
BASES = (object, int, float, str, bytes, list, dict, tuple, set)
#: Looks that are free; more may take a thirtieth of the run's time.
LOOKS = 100


class Equals:
    """Looks at the product's classes: soon at equalities that never look at themselves, at the end at all."""

    def __init__(self, where: "Any", alarm: "Any") -> None:
        self._where, self._alarm = where, alarm
        self._clock = time.perf_counter
        self._began, self._spent, self._looks, self._next = self._clock(), 0.0, 0, 0.0
        self._known: "Dict[int, Any]" = {}
        self._passed: "Any" = frozenset()

    def look(self) -> None:
        """Look for new classes, if there is time: those that a test makes are gone soon."""
        begin = self._clock()
        if self._looks > LOOKS and begin < self._next:
            return
        self._looks += 1
        listed: "List[Any]" = []
        for base in BASES:
            listed += type.__subclasses__(base)
        present = frozenset(map(id, listed))
        if not present <= self._passed:
            self._judge_blind([each for each in listed if id(each) not in self._passed])
        self._passed = present
        self._spent += self._clock() - begin
        self._next = self._began + self._spent * 30

    def _judge_blind(self, classes: "List[Any]") -> None:
        for kind, file in self._own(classes):
            if blind(kind.__dict__["__eq__"]):
                self._judge(kind, file, fresh(kind))

    def finish(self) -> None:
        """Look at every class and at what is left of its instances, and for the one such object that Python has."""
        self._judge_blind(every_class())
        kinds = {kind: file for kind, file in self._known.values() if not blind(kind.__dict__["__eq__"])}
        instances: "Dict[Any, List[Any]]" = {kind: [] for kind in kinds}
        for thing in gc.get_objects() if kinds else ():
            if type(thing) in instances and len(instances[type(thing)]) < 3:
                instances[type(thing)].append(thing)
        for kind, file in kinds.items():
            self._judge(kind, file, instances[kind] or fresh(kind))
        self._look_for_any()

    def _look_for_any(self) -> None:
        anything = vars(sys.modules.get("unittest.mock", sys)).get("ANY")
        for module in list(sys.modules.values()) if anything is not None else ():
            if type(module) is not types.ModuleType:
                continue
            file = str(vars(module).get("__file__") or "")
            if self._where.is_product(file) and holds(module, anything):
                self._alarm("unittest.mock.ANY is equal to everything", file)

    def _own(self, classes: "List[Any]") -> "List[Any]":
        """The product's among ``classes``, with their files, that have an equality of their own and are new."""
        new: "List[Any]" = []
        for each in classes:
            own = each.__dict__.get("__eq__")
            if own is not None and id(each) not in self._known:
                file = file_of(own, each)
                if self._where.is_product(file):
                    self._known[id(each)] = (each, file)  # kept, so that its identity stays its own
                    new.append((each, file))
        return new

    def _judge(self, kind: "Any", file: str, instances: "List[Any]") -> None:
        kinds = equal_kinds(kind, instances)
        if kinds:
            what = "everything" if len(kinds) == len(PROBES) else "every " + kinds[0]
            self._alarm(str(kind.__module__) + "." + str(kind.__qualname__) + " is equal to " + what, file)


def every_class() -> "List[Any]":
    found: "Dict[int, Any]" = {}
    todo: "List[Any]" = [object]
    while todo:
        for each in type.__subclasses__(todo.pop()):
            if id(each) not in found:
                found[id(each)] = each
                todo.append(each)
    return list(found.values())


def file_of(function: "Any", owner: "Any") -> str:
    """Where a method is written; for one made by ``exec`` and the like, where its class says it is from."""
    file = str(getattr(getattr(function, "__code__", None), "co_filename", ""))
    if os.path.isfile(file):
        return os.path.abspath(file)
    return str(getattr(sys.modules.get(str(owner.__module__)), "__file__", "") or "")


def blind(function: "Any") -> bool:
    """Whether a method never looks at its own object: what it answers then depends on the other alone."""
    code = getattr(function, "__code__", None)
    if code is None or not code.co_varnames or code.co_varnames[0] in code.co_cellvars:
        return False
    own = code.co_varnames[0]
    names = [each.argval for each in dis.get_instructions(code) if "FAST" in each.opname]
    return not any(own == name or (isinstance(name, tuple) and own in name) for name in names)


def fresh(kind: "Any") -> "List[Any]":
    """An instance made without its ``__init__``, if that can be."""
    for base in kind.__mro__:
        if not base.__flags__ & (1 << 9):  # not made by a class statement
            try:
                return [base.__new__(kind)]
            except Exception:
                return []
    return []


def equal_kinds(kind: "Any", instances: "List[Any]") -> "List[str]":
    """The kinds of values to all of which an instance is equal."""
    found = []
    for name, values in PROBES:
        for instance in instances:
            try:
                answers = [kind.__eq__(instance, value) for value in values]
            except Exception:
                continue
            if all(type(answer) in (bool, int) and answer for answer in answers):
                found.append(name)
                break
    return found


def holds(module: "Any", anything: "Any") -> bool:
    """Whether ``unittest.mock.ANY`` is among a module's variables, or its functions speak of it."""
    seen, spaces = set(), [vars(module)]
    local = "ANY" in vars(module) and vars(module)["ANY"] is anything
    while spaces:
        for each in list(spaces.pop().values()):
            if each is anything:
                return True
            if id(each) in seen:
                continue
            seen.add(id(each))
            if issubclass(type(each), type) and each.__module__ == module.__name__:
                spaces.append(vars(each))
            elif type(each) in (types.FunctionType, classmethod, staticmethod, property):
                inner = vars(type(each)).get("__func__") or vars(type(each)).get("fget")
                function = inner.__get__(each) if inner is not None else each
                if type(function) is types.FunctionType and names_any(function.__code__, local):
                    return True
    return False


def names_any(code: "Any", local: bool) -> bool:
    if "ANY" in code.co_names and (local or "mock" in code.co_names):
        return True
    return any(names_any(const, local) for const in code.co_consts if hasattr(const, "co_names"))
