"""A search's time and budgets, and the fair share of each of its candidates."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.errors import BudgetSpent
from pytest_swegym.task.usage import Usage


#: A search ends so many seconds before the task's own limit, or a tenth of that if it is short.
_MARGIN = 10.0
#: A candidate is not worth starting for less, in seconds.
_LEAST = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Share:
    """What one candidate may use: so many ``seconds``, and the budgets of ``config``."""

    seconds: float
    config: AgentConfig


class Shares:
    """What is left for the candidates of a search, ``parallel`` of them at once. Safe to use from several threads.

    Time and budgets are shared evenly among those that are ``planned`` and have not begun: what one leaves over is for
    the others. ``spent`` names what is used up, once a candidate could not begin for it.
    """

    def __init__(
        self,
        config: AgentConfig,
        *,
        seconds: float,
        planned: int,
        parallel: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.usage = Usage()
        self.spent = ""
        self._config = config
        self._clock = clock
        self._until = clock() + min(seconds - min(_MARGIN, seconds / 10), config.max_seconds or math.inf)
        self._planned, self._parallel = planned, max(parallel, 1)
        self._began = False
        self._looking = 0.0
        self._promised: list[Share] = []
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """What is left of the time."""
        return max(self._until - self._clock(), 0.0)

    def take(self) -> Share | None:
        """The share of one more candidate; ``None`` if too little is left for it."""
        with self._lock:
            config, spent = self._budgets(max(self._planned, 1))
            seconds = self._time()
            self.spent = spent or ("seconds" if self._began and seconds < _LEAST else "")
            if self.spent:
                return None
            share = Share(seconds=seconds, config=config)
            self._began = True
            self._planned -= 1
            self._promised.append(share)
            return share

    def give_back(self, share: Share, usage: Usage) -> None:
        """A candidate has ended, and has used so much of its share."""
        with self._lock:
            self._promised.remove(share)
            self.usage += usage

    def spend(self, usage: Usage) -> None:
        """Something beside the candidates has used so much."""
        with self._lock:
            self.usage += usage

    def looked(self, seconds: float) -> None:
        """To look at a candidate took so long; that much is kept for each one to come."""
        with self._lock:
            self._looking = max(self._looking, seconds)

    def rest(self) -> AgentConfig:
        """The configuration for something beside the candidates: its budgets are what is left.

        Raises :class:`BudgetSpent` if nothing is.
        """
        with self._lock:
            config, spent = self._budgets(1)
        left = self.seconds
        if spent or not left:
            raise BudgetSpent(spent or "seconds")
        return replace(config, max_seconds=left)

    # -- inside ----------------------------------------------------------------------------------

    def _budgets(self, ways: int) -> tuple[AgentConfig, str]:
        """The configuration with one of so many equal parts of what is left, and the budget that is used up."""
        config, used = self._config, self.usage
        parts: dict[str, float] = {}
        for name, spent in (("cost", used.cost or 0.0), ("tokens", used.tokens), ("requests", used.requests)):
            key = f"max_{name}"
            limit = getattr(config, key)
            if not limit:
                continue
            left = limit - spent - sum(getattr(each.config, key) for each in self._promised)
            if left < (1e-9 * limit if name == "cost" else 1):
                return config, name
            parts[key] = left / ways if name == "cost" else max(left // ways, 1)
        return replace(config, **parts), ""  # type: ignore[arg-type]

    def _time(self) -> float:
        """Seconds for one more: those that run at once have the same ones."""
        left = self.seconds
        even = left / math.ceil(max(self._planned, 1) / self._parallel) - self._looking
        if even >= _LEAST:
            return even
        return max(min(_LEAST, left - self._looking), 0.0 if self._began else left / 2)
