"""A server that does not take the key, or does not know the model: nobody of the same player asks it again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_swegym.errors import ModelRefused


class Refusal:
    """What a server has refused for good, if it has. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: tuple[str, int] | None = None

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While the server is asked: keeps what it refuses. Raises that, without asking, if it did so before."""
        with self._lock:
            said = self._said
        if said is not None:
            raise ModelRefused(said[0], status=said[1])
        try:
            yield
        except ModelRefused as error:
            with self._lock:
                self._said = self._said or (str(error), error.status)
            raise
