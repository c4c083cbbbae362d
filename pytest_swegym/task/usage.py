"""What an attempt's model calls came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from pytest_swegym.errors import ConfigError


#: Where a record's ``extra`` has it.
USAGE = "usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Model calls, summed up. ``requests`` counts answered ones, ``prompt_tokens`` all that was sent, of which
    ``cached_tokens`` were read from the server's cache, ``completion_tokens`` all that came back; ``seconds`` is the
    time waited. ``cost`` is in the unit of the prices (US dollars, if nobody says otherwise), ``None`` if no price is
    known."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = None

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        cost = None if self.cost is None and other.cost is None else (self.cost or 0.0) + (other.cost or 0.0)
        return Usage(
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            seconds=round(self.seconds + other.seconds, 6),
            cost=cost,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Usage:
        """Read ``to_dict``'s form back. Raises :class:`ConfigError` for another form."""
        numbers = {name: value for name, value in data.items() if name in cls.__slots__}
        if not all(_is_number(value) or (value is None and name == "cost") for name, value in numbers.items()):
            raise ConfigError(f"usage: expected numbers, got {dict(data)!r:.200}")
        return cls(**numbers)


def read_usage(told: Any) -> Usage | None:
    """The usage that somebody else wrote down; ``None`` if there is none that can be read."""
    if not isinstance(told, Mapping):
        return None
    try:
        return Usage.from_dict(told)
    except ConfigError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63
