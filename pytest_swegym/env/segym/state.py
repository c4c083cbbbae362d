"""What a SEGym player sees: the repository as it is now, and what the tests said of it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property


#: One run of the tests: their status (``passed``, ``failed``, ``error`` or ``skipped``) and message, by name.
Log = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class State:
    """A state of an episode.

    ``issue`` is the problem to solve, ``repo`` and ``setup_commit`` say where the files are from, ``tree`` is the
    hash of the present files: equal for equal files. ``logs`` has one run of the tests per patch that applied,
    ``previous_patches`` those patches. ``fail_to_pass`` names the tests that decide: keep it from your solver.
    ``steps`` counts the actions since the reset, ``seconds`` is the time since the state before this one, the
    player's own included. ``resolved`` if all tests hold.
    """

    repo: str
    setup_commit: str
    issue: str
    tree: str
    logs: tuple[Log, ...] = ()
    previous_patches: tuple[str, ...] = ()
    fail_to_pass: tuple[str, ...] = ()
    steps: int = 0
    seconds: float = 0.0
    resolved: bool = False
    export: Callable[[State], str] = field(repr=False, compare=False)

    @cached_property
    def path(self) -> str:
        """A folder on this machine with the files as they are now, made when first asked for.

        It lives until the environment is closed; what is written there changes nothing in the environment.
        """
        return self.export(self)


@dataclass(frozen=True, kw_only=True)
class InvalidState(State):
    """The state after a patch that is empty or does not apply: everything is as before it; ``reason`` says why.

    Its last log has every test in error.
    """

    reason: str = ""
