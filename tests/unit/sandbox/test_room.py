"""A limit of the machine that is hit is named, with the way out."""

from __future__ import annotations

import errno
import re

import pytest

from pytest_swegym.sandbox import room


@pytest.mark.parametrize(
    ("problem", "named"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "descriptors of this process"),
        (OSError(errno.ENFILE, "Too many open files in system"), "open files of the machine"),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), "(processes|threads) of"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "MiB of memory are left"),
        ("bwrap: Creating new namespace failed: No space left on device", r"user\.max_[a-z]+_namespaces is [0-9,]+"),
        ("bwrap: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)", r"_namespaces is [0-9,]+"),
        ("bwrap: Can't mkdir: Too many open files in system", "open files of the machine"),
        ("sh: 0: Cannot fork", "(processes|threads) of"),
    ],
)
def test_a_limit_is_named(problem: BaseException | str, named: str) -> None:
    said = room.explain(problem)
    assert said.startswith(str(problem))
    assert said.endswith("or run fewer at once")
    assert re.search(named, said), said


@pytest.mark.parametrize("problem", ["bwrap: no such option", OSError(errno.EPERM, "Operation not permitted")])
def test_another_problem_is_told_as_it_is(problem: BaseException | str) -> None:
    assert room.explain(problem) == str(problem)
