"""What the graded process runs before any code of the repository: Python 3.6 and later, standard library only.

The controller sends two JSON objects through stdin: these sources, which may come long before the rest; then a key,
files to put in place, and what to run. Nothing of it is ever on disk, in the environment or in the argument list.
"""

import binascii
import gc
import hashlib
import importlib
import os
import sys
import time
import traceback
import types
import zlib


MYPY = False
if MYPY:
    from typing import Any
    from typing import Callable
    from typing import Dict
    from typing import List

    Job = Dict[str, Any]
    Emit = Callable[..., None]

#: Largest result file that is sent through the channel, in bytes.
XML_LIMIT = 32 * 2**20
#: Seconds between two looks at the machinery while tests run.
CHECK_EVERY = 0.02


class Seal:
    """Notices that a file which decides the verdict was changed while the tests ran, or that other code ran in it."""

    def __init__(self, paths: "List[str]", known: "Dict[str, str]", emit: "Emit") -> None:
        self._emit = emit
        self._known, self._repr = known, repr
        self._open, self._read, self._close, self._flags = os.open, os.read, os.close, os.O_RDONLY
        self._sha, self._compile, self._join = hashlib.sha256, compile, os.path.join
        self.here = os.getcwd()
        self._files: "Dict[str, Any]" = {}
        self._codes: "Dict[str, Any]" = {}
        self._examined: "Dict[str, Any]" = {}
        self._told: "Any" = set()
        for path in paths:
            data = self._data(self._join(self.here, path))
            self._files[self._join(self.here, path)] = (path, self._sha(data).digest(), data)

    def _data(self, full: str) -> bytes:
        """The file's bytes, or a word that says why there are none."""
        try:
            handle = self._open(full, self._flags)
        except OSError:
            return b"absent"
        try:
            blocks = [self._read(handle, 1 << 20)]
            while blocks[-1]:
                blocks.append(self._read(handle, 1 << 20))
            return b"".join(blocks)
        except OSError:
            return b"unreadable"
        finally:
            self._close(handle)

    def check(self, full: "Any" = None) -> None:
        """Tell of every sealed file (or of ``full`` alone, if it is one) that is no longer what it was."""
        for name in list(self._files) if full is None else [full]:
            if name in self._files:
                path, digest, _ = self._files[name]
                if self._sha(self._data(name)).digest() != digest:
                    self._tell("edited " + path)

    def examine(self, full: str, functions: "Any", rewritten: "Any", runs: "Any" = (), foreign: "Any" = None) -> None:
        """Tell of each of the ``functions`` (pairs of name and function) that is not what the sealed file says.

        ``rewritten(full)`` gives the file's code as the runner compiles it, which takes long: what is known to be
        the same as before the patch needs no second look. ``runs`` are such pairs by the names that they run under;
        ``foreign(code)`` says of code that is not the file's own whether it cannot be a decorator's.
        """
        if full not in self._files:
            return
        found = [(name, getattr(function, "__code__", None)) for name, function in list(functions) + list(runs)]
        before, self._examined[full] = self._examined.get(full, ()), found
        if len(found) == len(before) and all(a[1] is b[1] and a[0] == b[0] for a, b in zip(found, before)):
            return  # code cannot change, and the one that was looked at is kept: it is the same
        sha = self._sha()
        for name, code in found:
            sha.update(name.encode("utf-8", "backslashreplace"))
            self._digest(code, sha)
        path, digest = self._files[full][0], sha.hexdigest()
        if self._known.get(path) == digest:
            return
        self._emit("codes", path, digest)
        for name, function in functions:
            self._compare(full, name, function, rewritten)
        for name, function in runs:
            self._compare(full, name, function, rewritten, foreign)

    def _digest(self, code: "Any", sha: "Any") -> None:
        """Feed what a function does, and what is in it, to ``sha``."""
        if code is None:
            return
        names = (code.co_name, code.co_argcount, code.co_flags, code.co_names, code.co_varnames, code.co_freevars)
        sha.update(self._repr(names).encode("utf-8", "backslashreplace"))
        sha.update(code.co_code)
        for const in code.co_consts:
            if hasattr(const, "co_code"):
                self._digest(const, sha)
            else:
                sha.update(self._repr(const).encode("utf-8", "backslashreplace"))

    def _compare(self, full: str, name: str, function: "Any", rewritten: "Any", foreign: "Any" = None) -> None:
        """Tell if ``function``, called ``name`` in the sealed file ``full``, is not what the file says.

        A function that the file does not have by that name (a generated one) cannot be compared. One that the file
        has may be a decorator's by now, but neither another of the file's nor, if that can be told, ``foreign``.
        """
        code = getattr(function, "__code__", None)
        if code is None and foreign is None:
            return
        if full not in self._codes:
            self._codes[full] = {}
            for make in (lambda: self._compile(self._files[full][2], full, "exec", 0, True), lambda: rewritten(full)):
                try:
                    functions_of(make(), "", self._codes[full])
                except Exception:
                    pass  # does not compile, or not rewritten: then no function of it runs either
        known = self._codes[full]
        codes = known.get(name, ())
        other = foreign is None or any(code in each for each in known.values()) or foreign(code)
        if codes and code not in codes and other:
            self._tell("%s::%s is not the code of its file" % (self._files[full][0], name))

    def belong(self, full: str, owner: "Any", names: "Any") -> None:
        """Tell of each function called one of ``names`` in a class or module that is not from its file, ``full``."""
        prefix = "" if isinstance(owner, types.ModuleType) else owner.__qualname__ + "."
        functions = []
        for name in names:
            function = owner.__dict__.get(name)
            while function is not None and not hasattr(function, "__code__"):
                function = getattr(function, "__func__", getattr(function, "__wrapped__", None))
            while hasattr(function, "__wrapped__"):
                function = function.__wrapped__
            if function is not None:
                functions.append((prefix + name, function))
                if function.__code__.co_filename != full:
                    self._tell("%s%s is not from %s" % (prefix, name, full))
        self.examine(full, functions, lambda full: self._compile("", full, "exec"))

    def _tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._emit("bent", what)


def functions_of(code: "Any", prefix: str, found: "Dict[str, Any]") -> None:
    """Add the functions of a module's code, and of its classes, to ``found`` by their qualified names."""
    for const in code.co_consts:
        if hasattr(const, "co_code"):
            if const.co_flags & 1:  # CO_OPTIMIZED: a function; a class body is not
                found.setdefault(prefix + const.co_name, []).append(const)
            else:
                functions_of(const, prefix + const.co_name + ".", found)


class Guard:
    """Remembers what the test machinery is made of, and tells what was replaced since, and what finds modules now."""

    def __init__(self, emit: "Emit") -> None:
        self._emit = emit
        self._parts: "List[Any]" = []
        self._wholes: "List[Any]" = []
        self._told: "Any" = set()
        self._finders: "List[Any]" = []
        self._clock = time.perf_counter
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time to look again: many short tests share one look."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + CHECK_EVERY
        return True

    def watch(self, owner: "Any", label: str, names: "Any") -> None:
        """Remember attributes of a module or a class; those that this version does not have are passed over."""
        for name in names:
            value = owner.__dict__.get(name, self)
            if value is not self:
                inner = getattr(value, "__func__", value)
                self._parts.append((owner.__dict__, name, value, inner, getattr(inner, "__code__", None), label))
        self._finders = list(sys.meta_path)

    def watch_whole(self, owner: "Any", label: str) -> None:
        """Remember every method and property of a class, and that it has no others but from its own package."""
        self.watch(owner, label, [name for name, value in owner.__dict__.items() if acts(name, value)])
        home = os.path.dirname(str(sys.modules[owner.__module__].__file__))
        self._wholes.append((owner.__dict__, frozenset(owner.__dict__), label, os.path.join(home, "")))

    def check(self) -> None:
        """Tell of every part that is no longer what it was, each once."""
        for space, name, value, inner, code, label in self._parts:
            if space.get(name) is not value or getattr(inner, "__code__", None) is not code:
                self._tell("replaced " + label + "." + name)
        for space, names, label, home in self._wholes:
            if len(space) != len(names):
                for name in [name for name in space if name not in names and acts(name, space[name])]:
                    function = getattr(space[name], "fget", space[name])
                    if not origin(function)[1].startswith(home):
                        self._tell("added " + label + "." + name)
        if sys.meta_path != self._finders:
            for finder in sys.meta_path:
                if not any(finder is known for known in self._finders):
                    self._emit("hook", "sys.meta_path", *origin(getattr(finder, "find_spec", finder)))
            self._finders = list(sys.meta_path)

    def _tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._emit("bent", what)


def acts(name: str, value: "Any") -> bool:
    """Whether an attribute of a class is something that does its work."""
    return callable(value) or (hasattr(type(value), "__get__") and name[:2] != "__")


def origin(function: "Any") -> "List[str]":
    """The dotted name of a function, and the file of its code."""
    inner = getattr(function, "__func__", function)
    code = getattr(inner, "__code__", None)
    module = str(getattr(inner, "__module__", "?"))
    return [
        module + "." + str(getattr(inner, "__qualname__", type(inner).__name__)),
        str(getattr(code, "co_filename", "?")),
    ]


def put_files(files: "Dict[str, str]") -> None:
    """Write ``files`` (path -> text), in place of whatever is there."""
    for path, text in files.items():
        folder = os.path.dirname(path)
        if folder and not os.path.isdir(folder):
            os.makedirs(folder)
        if os.path.islink(path) or os.path.exists(path):
            os.unlink(path)
        with open(path, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))


def python_path(job: "Job") -> "List[str]":
    """Where the plain command would have looked for modules first; also puts PYTHONPATH back for children."""
    kept = os.environ.pop("SWEGYM_PYTHONPATH", None)
    first = [os.getcwd()] if job["cwd_on_path"] else []
    if kept is None:
        return first
    os.environ["PYTHONPATH"] = kept
    return first + [os.path.abspath(entry) for entry in kept.split(os.pathsep) if entry]


def send_xml(path: str, emit: "Emit") -> None:
    """Send the result file that the test process wrote, as the second witness."""
    try:
        with open(path, "rb") as file:
            data = file.read(XML_LIMIT + 1)
    except OSError:
        return
    if len(data) <= XML_LIMIT:
        emit("xml", binascii.b2a_base64(zlib.compress(data, 1)).decode("ascii").strip())


def own_codes(sources: "List[Any]") -> "Dict[int, Any]":
    """Every code object of ours by its identity; they are kept, so that no other can get the same."""
    todo = sources + [each.__code__ for each in globals().values() if hasattr(each, "__code__")]
    for kind in (Guard, Seal):
        todo += [each.__code__ for each in vars(kind).values() if hasattr(each, "__code__")]
    found: "Dict[int, Any]" = {}
    while todo:
        code = todo.pop()
        found[id(code)] = code
        todo += [const for const in code.co_consts if hasattr(const, "co_code")]
    return found


def ready(head: "Job") -> "List[Any]":
    """Do what needs no job: compile the sources, import what the runner does before any file of the repository.

    What cannot be imported is not there, or raises again, when the runner asks for it.
    """
    sources = [compile(head[name], "<swegym>", "exec") for name in ("runner", "channel", "watch", "equals")]
    try:
        for name in head["imports"]:
            __import__(name)
        for name in getattr(sys.modules.get("_pytest.config"), "default_plugins", ()):
            __import__("_pytest." + name)
    except Exception:
        pass
    if hasattr(gc, "freeze"):
        gc.freeze()  # what lives as long as the process is not gone through again, at every one of pytest's collections
    os.write(3, b"ready\n")  # before there is anything of a patch beside it: what starts reads files of many folders
    return sources


def main(job: "Job", sources: "List[Any]") -> None:
    """Run the job, tell its end, and leave at once: nothing registered for the exit gets to run."""
    leave, flush = os._exit, (sys.stdout.flush, sys.stderr.flush)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    importlib.invalidate_caches()  # files came since this process looked into their folders
    codes = own_codes(sources)
    names = ("runner", "channel", "watch", "equals")
    runner, channel, watch, equal = [types.ModuleType("swegym_" + name).__dict__ for name in names]
    for source, space in zip(sources[1:], (channel, watch, equal)):
        exec(source, space)
    emit, alarm, voice = channel["open_channel"](binascii.unhexlify(job.pop("key")), 3, frozenset(codes))
    emit("start", "%d.%d" % sys.version_info[:2])
    status = 70
    try:
        put_files(job.pop("files"))
        sealed = job.pop("sealed")
        seal = Seal(sealed, job.pop("codes"), emit)
        guard = Guard(emit)
        where = watch["Whereabouts"](sealed)
        watch["Ear"](alarm, where, voice, codes)
        del voice
        equals = equal["Equals"](where, alarm)
        runner.update(origin=origin, watch=watch["Watch"](emit, where, equals))
        exec(sources[0], runner)
        status = runner["run"](job, python_path(job), emit, guard, seal)
        guard.check()
        seal.check()
        equals.finish()
        if job["xml"]:
            send_xml(job["xml"], emit)
        emit("end", status)
    except SystemExit as exit:
        status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    except BaseException:
        text = traceback.format_exc()
        sys.stderr.write(text)
        emit("broken", text[-2000:])
    for each in flush:
        try:
            each()
        except Exception:
            pass
    leave(status & 0xFF)
