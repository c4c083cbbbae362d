"""The sandboxes of an attempt end together."""

from __future__ import annotations

import gc
from typing import Any
from typing import cast

import pytest

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.scope import Scope


class Small:
    """As much of a sandbox as a scope looks at."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Slotted:
    """One that cannot be held weakly."""

    __slots__ = ("closed",)

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def start(scope: Scope, kind: type[Any] = Small) -> Any:
    return scope.start(lambda: cast("Sandbox", kind()))


@pytest.mark.parametrize("kind", [Small, Slotted])
def test_closed_all_end_and_none_starts(kind: type[Any]) -> None:
    scope = Scope()
    sandboxes = [start(scope, kind) for _ in range(3)]
    scope.check()
    scope.close()
    scope.close()
    assert [each.closed for each in sandboxes] == [1, 1, 1]
    assert scope.closed
    with pytest.raises(SandboxClosed, match="cancelled"):
        start(scope)


def test_one_that_starts_meanwhile_ends_at_once() -> None:
    scope, made = Scope(), list[Small]()

    def make() -> Sandbox:
        scope.close()
        made.append(Small())
        return cast("Sandbox", made[0])

    with pytest.raises(SandboxClosed):
        scope.start(make)
    assert made[0].closed == 1


def test_forgotten_sandboxes_are_not_kept() -> None:
    scope = Scope()
    for _ in range(50):
        start(scope)
    gc.collect()
    assert len(scope._sandboxes) == 1  # the newest


def test_trouble_of_a_sandbox_that_nobody_has_any_more_is_known() -> None:
    class Troubled(Small):
        guilty = False

        def trouble(self) -> str:
            return "the disk was full"

    first, last = Scope(), Scope()
    start(first, Troubled)
    start(first)
    start(last)
    start(last, Troubled)
    gc.collect()
    assert (first.trouble(), last.trouble()) == ("the disk was full", "the disk was full")


def test_who_waits_is_called() -> None:
    scope, heard = Scope(), list[str]()

    def hear() -> None:
        heard.append("closed")

    with scope.calling(hear):
        pass
    with scope.calling(hear):
        scope.close()
        assert heard == ["closed"]
    with scope.calling(hear):
        assert heard == ["closed", "closed"]
