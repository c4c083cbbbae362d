"""Episodes on a cluster as a discrete-event simulation: cores that are queued for, models that are waited for.

The node with most room takes an episode whose snapshot it has, else a task that is on no node. It ships the snapshot,
starts, plays so many steps (waiting for a model, which takes no core, then computing, which takes one), and is graded.
Cores are given in the order of asking. A node that is lost takes its episodes with it; they begin again elsewhere.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What an episode takes, measured alone: core seconds of its parts, and what is shipped to a new node."""

    start: float
    step: float
    grade: float
    snapshot_mib: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Nodes of so many cores and so many episodes at most; ``link`` in MiB/s; one of all is lost every ``loss`` s.

    ``look`` of the next episodes are looked through for one that fits a node, as by the driver of a Ray cluster.
    """

    nodes: int
    cores: int
    room: int
    link: float = 1000.0
    loss: float = 0.0
    repair: float = 300.0
    look: int = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Episodes, so many of each task; a reply of the model takes a log-normal time with that median and spread."""

    episodes: int
    steps: int
    attempts: int = 8
    latency: float = 5.0
    spread: float = 0.6
    seed: int = 0

    def replies(self, episode: int, attempt: int = 0) -> Iterator[float]:
        """The model's seconds at each step of one episode; the same whenever it is asked."""
        source = random.Random(f"{self.seed}/{episode}/{attempt}")
        for _ in range(self.steps):
            yield self.latency * source.lognormvariate(0, self.spread)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it, in seconds. ``waited`` is the share of an episode's time spent in a queue for a core."""

    seconds: float = 0.0
    durations: list[float] = field(default_factory=list)
    waited: float = 0.0
    busy: float = 0.0
    shipped_mib: float = 0.0
    begun_again: int = 0
    most_alive: int = 0

    @property
    def rate(self) -> float:
        """Episodes per second."""
        return len(self.durations) / self.seconds


@dataclass(slots=True)
class _Node:
    number: int
    cores: int
    room: int
    life: int = 0
    up: bool = True
    has: set[int] = field(default_factory=set)
    queue: deque[tuple[_Episode, float, float]] = field(default_factory=deque)
    alive: dict[int, _Episode] = field(default_factory=dict)

    @property
    def free(self) -> int:
        return self.room - len(self.alive) if self.up else 0


@dataclass(slots=True)
class _Episode:
    number: int
    task: int
    node: _Node
    life: int
    begun: float
    parts: Iterator[tuple[str, float]]
    waited: float = 0.0


@dataclass(slots=True)
class _Shipping:
    """Who can send a task's snapshot, one transfer at a time each, and who waits for it."""

    free: int = 1
    waiting: deque[_Episode] = field(default_factory=deque)


class Simulation:
    """One run; see :func:`simulate`."""

    def __init__(self, cluster: Cluster, load: Load, costs: Costs) -> None:
        self.cluster, self.load, self.costs = cluster, load, costs
        self.now = 0.0
        self.outcome = Outcome()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._nodes = [_Node(number, cluster.cores, cluster.room) for number in range(cluster.nodes)]
        self._waiting = deque((number, 0, -1.0) for number in range(load.episodes))
        self._shipping: dict[int, _Shipping] = {}
        self._coming: dict[tuple[int, int], list[_Episode]] = {}
        self._homes: dict[int, set[int]] = {}
        self._alive = 0
        self._chance = random.Random(load.seed)

    def run(self) -> Outcome:
        if self.cluster.loss:
            self._at(self._chance.expovariate(1 / self.cluster.loss), self._lose)
        self._place()
        while len(self.outcome.durations) < self.load.episodes:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.outcome.seconds = self.now
        self.outcome.busy /= self.now * self.cluster.nodes * self.cluster.cores
        self.outcome.waited /= max(sum(self.outcome.durations), 1e-9)
        return self.outcome

    def _at(self, delay: float, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + delay, self._count, event))

    # -- an episode ----------------------------------------------------------------------------------

    def _place(self) -> None:
        while self._waiting:
            node = max(self._nodes, key=lambda each: each.free)
            if not node.free:
                return
            number, attempt, begun = self._chosen(node)
            task = number // self.load.attempts
            self._homes.setdefault(task, set()).add(node.number)
            parts = self._parts(number, attempt)
            episode = _Episode(number, task, node, node.life, self.now if begun < 0 else begun, parts)
            node.alive[number] = episode
            self._alive += 1
            self.outcome.most_alive = max(self.outcome.most_alive, self._alive)
            self._ship(episode)

    def _chosen(self, node: _Node) -> tuple[int, int, float]:
        """Of the next ones one whose task is on the node, or will be; else one whose task is nowhere, else any."""
        fresh = None
        for place in range(min(self.cluster.look, len(self._waiting))):
            homes = self._homes.get(self._waiting[place][0] // self.load.attempts, ())
            if node.number in homes:
                fresh = place
                break
            if not homes and fresh is None:
                fresh = place
        chosen = self._waiting[fresh or 0]
        del self._waiting[fresh or 0]
        return chosen

    def _parts(self, number: int, attempt: int) -> Iterator[tuple[str, float]]:
        yield "core", self.costs.start
        for seconds in self.load.replies(number, attempt):
            yield "model", seconds
            yield "core", self.costs.step
        yield "core", self.costs.grade

    def _next(self, episode: _Episode) -> None:
        if episode.life != episode.node.life:
            return  # its node was lost meanwhile
        kind, seconds = next(episode.parts, ("end", 0.0))
        if kind == "model":
            self._at(seconds, lambda: self._next(episode))
        elif kind == "core":
            episode.node.queue.append((episode, seconds, self.now))
            self._compute(episode.node)
        else:
            self._end(episode)

    def _compute(self, node: _Node) -> None:
        while node.cores and node.queue:
            episode, seconds, asked = node.queue.popleft()
            node.cores -= 1
            self.outcome.busy += seconds
            self.outcome.waited += self.now - asked
            self._at(seconds, lambda episode=episode: self._computed(episode))  # type: ignore[misc]

    def _computed(self, episode: _Episode) -> None:
        if episode.life == episode.node.life:
            episode.node.cores += 1
            self._next(episode)
            self._compute(episode.node)

    def _end(self, episode: _Episode) -> None:
        del episode.node.alive[episode.number]
        self._alive -= 1
        self.outcome.durations.append(self.now - episode.begun)
        self._place()

    # -- snapshots -------------------------------------------------------------------------------------

    def _ship(self, episode: _Episode) -> None:
        """Go on at once where the snapshot is, else when it has come; it comes once, however many wait for it."""
        node, task = episode.node, episode.task
        if task in node.has or not self.costs.snapshot_mib:
            self._next(episode)
            return
        others = self._coming.setdefault((node.number, task), [])
        others.append(episode)
        if len(others) == 1:
            shipping = self._shipping.setdefault(task, _Shipping())
            shipping.waiting.append(episode)
            self._send(task, shipping)

    def _send(self, task: int, shipping: _Shipping) -> None:
        while shipping.free and shipping.waiting:
            first = shipping.waiting.popleft()
            shipping.free -= 1
            self.outcome.shipped_mib += self.costs.snapshot_mib
            seconds = self.costs.snapshot_mib / self.cluster.link
            self._at(seconds, lambda first=first: self._came(task, shipping, first))  # type: ignore[misc]

    def _came(self, task: int, shipping: _Shipping, first: _Episode) -> None:
        shipping.free += 1
        node = first.node
        if first.life == node.life:
            shipping.free += 1  # whoever has it can send it on
            node.has.add(task)
            for episode in self._coming.pop((node.number, task)):
                self._next(episode)
        self._send(task, shipping)

    # -- losses ----------------------------------------------------------------------------------------

    def _lose(self) -> None:
        node = self._chance.choice([each for each in self._nodes if each.up] or self._nodes)
        lost = list(node.alive.values())
        self._alive -= len(lost)
        self.outcome.begun_again += len(lost)
        node.up, node.life, node.cores = False, node.life + 1, self.cluster.cores
        node.alive, node.has, node.queue = {}, set(), deque()
        for homes in self._homes.values():
            homes.discard(node.number)
        self._coming = {at: who for at, who in self._coming.items() if at[0] != node.number}
        for shipping in self._shipping.values():
            shipping.waiting = deque(each for each in shipping.waiting if each.node is not node)
        self._waiting.extendleft((each.number, self.outcome.begun_again, each.begun) for each in lost)
        self._at(self.cluster.repair, lambda: self._repair(node))
        self._at(self._chance.expovariate(1 / self.cluster.loss), self._lose)
        self._place()

    def _repair(self, node: _Node) -> None:
        node.up = True
        self._place()


def simulate(cluster: Cluster, load: Load, costs: Costs) -> Outcome:
    """What becomes of ``load`` on ``cluster`` at those ``costs``."""
    return Simulation(cluster, load, costs).run()
