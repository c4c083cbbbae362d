"""One builder per content key, across threads and processes. The one door to filelock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_swegym._support.paths import cache_dir


@contextmanager
def key_lock(name: str, *, timeout: float = -1) -> Iterator[None]:
    """Hold the lock called ``name`` (a content key, not a worker's id); the system frees it if this process dies."""
    from filelock import FileLock  # deferred: not needed by an ordinary test suite

    # thread_local=False, so that two threads of this process exclude each other as two processes do.
    with FileLock(cache_dir("locks") / f"{name}.lock", timeout=timeout, thread_local=False, is_singleton=False):
        yield
