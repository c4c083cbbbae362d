"""What waits for its turn."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from itertools import count
from typing import Generic
from typing import TypeVar


T = TypeVar("T")


class Queue(Generic[T]):
    """Things that wait, each under a key: the highest priority first, of equals the oldest.

    It has no lock: its owner has one.
    """

    def __init__(self) -> None:
        #: Whose turn is next stands last.
        self._order: list[tuple[float, int, str]] = []
        self._waiting: dict[str, tuple[int, T]] = {}
        self._count = count()

    def put(self, key: str, thing: T, priority: float = 0.0) -> None:
        """Let a thing wait. Raises :class:`KeyError` if one of that key does."""
        if key in self._waiting:
            raise KeyError(key)
        number = -next(self._count)
        self._waiting[key] = number, thing
        insort(self._order, (priority, number, key))

    def pop(self) -> tuple[str, T] | None:
        """Whose turn it is, which waits no longer; ``None`` if nothing waits."""
        while self._order:
            _, number, key = self._order.pop()
            if self._is_waiting(key, number):
                return key, self._waiting.pop(key)[1]
        return None

    def take(self, key: str) -> T | None:
        """Take a thing out before its turn; ``None`` if it does not wait."""
        found = self._waiting.pop(key, None)
        return found[1] if found is not None else None

    def upcoming(self) -> Iterator[T]:
        """All that wait, in the order of their turns."""
        for _, number, key in reversed(self._order):
            if self._is_waiting(key, number):
                yield self._waiting[key][1]

    def clear(self) -> None:
        self._order.clear()
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)

    def _is_waiting(self, key: str, number: int) -> bool:
        # What was taken out stays in the order until its turn; its key may wait again, under another number.
        return key in self._waiting and self._waiting[key][0] == number


__all__ = ["Queue"]
