"""Every exception of pytest-swegym.

::

    SwegymError
    ├── ConfigError               an option, name or value is wrong: the user can mend it
    │   ├── SpecError             a task's field is wrong (names field, file and allowed values)
    │   ├── LoadError             'module:attr' or 'file.py:attr' could not be loaded
    │   └── ToolError             a tool folder is wrong, or a tool was called wrongly
    ├── InfraError                the machinery failed: never the patch's fault, never counted against it
    │   ├── UnrunnableTask        the row of a task lacks what it needs to run (names what)
    │   ├── HostError             the machine gave way under a sandbox: full disk, lost layer, ended from outside
    │   ├── SandboxError          a sandbox backend failed
    │   │   ├── SandboxUnavailable    this backend cannot work here (says the way out)
    │   │   └── SandboxClosed         the sandbox is gone (closed, or killed from inside)
    │   ├── SourceError           a repository, archive or sdist could not be had
    │   ├── EnvironmentBuildError an install command failed; keeps its output
    │   ├── GradingError          the tests could not be run at all (no runner, no result channel)
    │   └── ModelUnavailable      a model's server cannot be reached, or fails whatever it is asked
    │       └── ModelRefused      it does not take the key, or does not know the model or path (says the way out)
    ├── PatchError                a patch is empty, malformed or does not apply; keeps git's own message
    └── SolverError               the solver raised, returned a wrong type, or ran out of time
        ├── SolverTimeout
        ├── BudgetSpent           a budget of the solver's own is used up (names which)
        └── ModelError            a model's server refuses a request (says the way out)
            └── ContextTooLong    the request is longer than the model's context
"""

from __future__ import annotations


class SwegymError(Exception):
    """Base of every error that pytest-swegym raises on purpose."""


class ConfigError(SwegymError):
    """An option, name or value is wrong; the message names it and the way out."""


class SpecError(ConfigError):
    """A task specification is wrong.

    ``field`` is the dotted name of the field and ``where`` the file (and line or row), if known.
    """

    def __init__(self, message: str, *, field: str | None = None, where: str | None = None) -> None:
        self.field = field
        self.where = where
        prefix = "".join(f"{part}: " for part in (where, field) if part)
        super().__init__(prefix + message)


class LoadError(ConfigError):
    """``module:attr`` or ``file.py:attr`` could not be loaded."""


class ToolError(ConfigError):
    """A tool folder is wrong (names file and key), or a tool was called wrongly (names the argument)."""


class InfraError(SwegymError):
    """The machinery failed. Never counted as a wrong answer."""


class UnrunnableTask(InfraError):
    """The row of a task lacks what it needs to run; the message names what, and the way out."""


class HostError(InfraError):
    """The machine gave way under a sandbox: its disk was full, a layer was removed, or it was ended from outside."""


class SandboxError(InfraError):
    """A sandbox backend failed; a command that fails is a result, not this."""


class SandboxUnavailable(SandboxError):
    """The backend cannot work on this machine; the message says why and the way out."""


class SandboxClosed(SandboxError):
    """The sandbox was closed, or everything in it was killed from inside."""


class SourceError(InfraError):
    """A repository, archive or sdist could not be had."""


class EnvironmentBuildError(InfraError):
    """A step of an environment build failed; ``output`` is what it printed."""

    def __init__(self, message: str, *, output: str = "") -> None:
        self.output = output
        super().__init__(message + (f"\n{output}" if output else ""))


class GradingError(InfraError):
    """The tests could not be run at all."""


class ModelUnavailable(InfraError):
    """A model's server could not be reached, or failed at every try; the message says what it said last."""


class ModelRefused(ModelUnavailable):
    """A model's server does not take the key, or does not know the model or the path: the user's to mend, no answer of
    the model's. The message is the server's, and the way out; ``status`` is its answer's, 0 if it gave none."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class PatchError(SwegymError):
    """A patch is empty, malformed or does not apply; the message is git's own."""


class SolverError(SwegymError):
    """The solver raised, returned a wrong type, or ran out of time."""


class SolverTimeout(SolverError):
    """The solver ran out of its time limit."""


class BudgetSpent(SolverError):
    """A budget of the solver's own is used up; ``budget`` is its name: cost, tokens, requests or seconds."""

    def __init__(self, budget: str) -> None:
        self.budget = budget
        super().__init__(f"the budget of {budget} is used up")


class ModelError(SolverError):
    """A model's server refused a request; the message is the server's, and the way out. ``status`` is its answer's."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class ContextTooLong(ModelError):
    """A request was longer than the model's context, of ``limit`` tokens (0 if the server does not say)."""

    def __init__(self, message: str, *, status: int = 0, limit: int = 0) -> None:
        self.limit = limit
        super().__init__(message, status=status)
