"""What a cluster makes once: the catalogue, who waits for whom, and what is shipped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SandboxError
from pytest_swegym.runs.files import files_of
from pytest_swegym.runs.files import place_files
from pytest_swegym.runs.job import Job
from pytest_swegym.runs.ray_catalogue import Catalogue
from pytest_swegym.runs.ray_catalogue import Entry
from pytest_swegym.runs.ray_placing import Flight
from pytest_swegym.runs.ray_placing import Placing
from pytest_swegym.runs.ray_placing import Worker
from pytest_swegym.runs.ray_placing import fair_share
from pytest_swegym.runs.ray_sharing import NodeSharing
from pytest_swegym.runs.ray_sharing import SharedFolder
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.sharing import Shared
from pytest_swegym.task import Task


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path / "cache"))


class Store:
    """A machine that keeps snapshots: a small backend, of which only what is shipped is there."""

    name = "small"
    sharing = None

    def __init__(self) -> None:
        self.had: dict[str, tuple[str, ...]] = {}
        self.broken = False

    def make(self, key: str, *below: str) -> Shared:
        self.had.update(dict.fromkeys(below, ()))
        self.had[key] = below
        return Shared(snapshots=(self._snapshot(key),))

    def _snapshot(self, key: str) -> Snapshot:
        return Snapshot(key=key, backend=self.name, ref={})

    def find(self, key: str) -> Snapshot | None:
        return self._snapshot(key) if key in self.had else None

    def platform(self, environment: Any) -> str:
        return "all"

    def kept(self) -> list[str]:
        return list(self.had)

    def parcels(self, snapshot: Snapshot) -> list[str]:
        return [*self.had[snapshot.key], snapshot.key]

    def pack(self, key: str) -> Iterator[bytes]:
        if self.broken:
            raise SandboxError("the line is cut")
        yield f"{key}:".encode()
        yield ",".join(self.had[key]).encode()

    def unpack(self, key: str, chunks: Iterable[bytes]) -> Snapshot:
        name, _, below = b"".join(chunks).decode().partition(":")
        assert name == key
        self.had[key] = tuple(filter(None, below.split(",")))
        return self._snapshot(key)


class Network:
    """Workers on nodes, each node with a store of its own."""

    def __init__(self, folder: Path | None = None) -> None:
        self.catalogue, self.stores = Catalogue(), {}  # type: ignore[var-annotated]
        self._folder, self._lock = folder, threading.Lock()

    def worker(self, who: str, node: str) -> NodeSharing:
        store = self.stores.setdefault(node, Store())
        self.ask("joined", who, node, store.kept())
        folder = SharedFolder(self._folder, store.name) if self._folder is not None else None
        place: Callable[[str], Any] = lambda who: _Place(self.stores[who[0]])  # noqa: E731
        return NodeSharing(store, node=node, who=who, ask=self.ask, place_of=place, folder=folder)

    def ask(self, method: str, *given: Any) -> Any:
        with self._lock:  # as an actor
            return getattr(self.catalogue, method)(*given)

    def shipped(self) -> dict[tuple[str, str], int]:
        return self.catalogue.report()[1]


class _Place:
    def __init__(self, store: Store) -> None:
        self._store = store

    def parcels(self, key: str) -> list[str]:
        found = self._store.find(key)
        return self._store.parcels(found) if found is not None else []

    def chunks(self, key: str) -> Iterator[bytes]:
        return self._store.pack(key)


def never() -> Shared:
    raise AssertionError("it was made already")


def test_made_on_one_node_and_shipped_once_to_each_other() -> None:
    network = Network()
    workers = [network.worker(f"{node}{number}", node) for node in "abc" for number in range(3)]
    began, made = threading.Barrier(len(workers)), []

    def ask(worker: NodeSharing) -> Shared:
        def make() -> Shared:
            made.append(worker)
            store = worker._backend
            assert isinstance(store, Store)
            return store.make("top", "low")

        began.wait(30)
        return worker.once("snapshot-top", make)

    with ThreadPoolExecutor(len(workers)) as pool:
        found = list(pool.map(ask, workers))
    assert len(made) == 1
    assert {each.snapshots[0].key for each in found} == {"top"}
    assert all(store.had == {"low": (), "top": ("low",)} for store in network.stores.values())
    assert sorted(network.shipped().values()) == [1, 1, 1, 1]


def test_facts_travel_with_their_snapshots() -> None:
    network = Network()
    one, two = network.worker("a1", "a"), network.worker("b1", "b")
    made = one.once("task-x", lambda: Shared(facts={"n": 1}, snapshots=network.stores["a"].make("k").snapshots))
    assert two.once("task-x", never) == made
    assert two.once("snapshot-k", never).snapshots == made.snapshots


def test_who_fails_to_make_leaves_it_to_others() -> None:
    network = Network()
    one, two = network.worker("a1", "a"), network.worker("b1", "b")

    def fail() -> Shared:
        raise EnvironmentBuildError("no such package")

    with pytest.raises(EnvironmentBuildError):
        one.once("snapshot-k", fail)
    assert two.once("snapshot-k", lambda: network.stores["b"].make("k")).snapshots[0].key == "k"


@pytest.mark.parametrize("how", ["worker", "node"])
def test_nobody_waits_for_the_dead(how: str) -> None:
    network = Network()
    network.worker("a1", "a")
    other = network.worker("b1", "b")
    assert network.ask("claim", "snapshot-k", "a1/x") is True
    assert network.ask("claim", "snapshot-k", "a1/x") is True  # a question that was asked twice
    assert network.ask("claim", "snapshot-k", "a1/y") is False
    assert network.ask("claim", "snapshot-k", "b1/x") is False
    network.ask("gone", "a1") if how == "worker" else network.ask("lost", "a")
    assert other.once("snapshot-k", lambda: network.stores["b"].make("k")).snapshots[0].key == "k"


def test_what_only_a_lost_node_had_is_made_again() -> None:
    network = Network()
    one, two, three = (network.worker(f"{node}1", node) for node in "abc")
    one.once("task-x", lambda: Shared(facts={"by": "a"}, snapshots=network.stores["a"].make("k").snapshots))
    network.ask("lost", "a")
    again = Shared(facts={"by": "b"}, snapshots=network.stores["b"].make("k").snapshots)
    assert two.once("task-x", lambda: again) == again
    assert three.once("task-x", never).facts == {"by": "b"}


def test_what_cannot_be_sent_is_made_here() -> None:
    network = Network()
    one, two = network.worker("a1", "a"), network.worker("b1", "b")
    one.once("snapshot-k", lambda: network.stores["a"].make("k"))
    network.stores["a"].broken = True
    assert two.once("snapshot-k", lambda: network.stores["b"].make("k")).snapshots[0].key == "k"
    assert not network.shipped()


def test_earlier_runs_count() -> None:
    network = Network()
    network.stores["a"] = Store()
    network.stores["a"].make("k", "low")
    network.worker("a1", "a")
    assert network.worker("b1", "b").once("snapshot-k", never).snapshots[0].key == "k"
    assert network.catalogue.claim("snapshot-low", "b1") == Entry(keys=("low",))


def test_shared_folder_outlives_the_cluster(tmp_path: Path) -> None:
    first = Network(tmp_path / "share")
    first.worker("a1", "a").once("snapshot-top", lambda: first.stores["a"].make("top", "low"))
    later = Network(tmp_path / "share")
    assert later.worker("b1", "b").once("snapshot-top", never).snapshots[0].key == "top"
    assert later.stores["b"].had == {"low": (), "top": ("low",)}
    with pytest.raises(SandboxError, match="shared folder"):
        list(SharedFolder(tmp_path, "small").chunks("none"))


def test_full_shared_folder_leaves_the_way_from_node_to_node(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("no folder")
    network = Network(tmp_path / "share")
    network.worker("a1", "a").once("snapshot-k", lambda: network.stores["a"].make("k"))
    assert network.worker("b1", "b").once("snapshot-k", never).snapshots[0].key == "k"


def flight(name: str, priority: float = 0.0) -> Flight:
    task = Task.from_dict({"instance_id": name, "repo": "x", "fail_to_pass": ["t"]})
    return Flight(job=Job(task=task, solver="gold", priority=priority), task=task.key)


def test_next_job_fits_the_node_but_nobody_waits_for_ever() -> None:
    placing, (one, two, three) = Placing(), (flight(name) for name in ("one", "two", "three"))
    placing.placed(one, "a")
    placing.placed(two, "b")
    assert placing.choose([one, two, three], "b") is two
    assert placing.choose([one, two, three], "c") is three
    assert placing.choose([one, two], "c") is one
    placing.lost("b")
    assert placing.choose([two], "b") is two
    assert placing.choose([flight("first", priority=1.0), two], "b").job.priority == 1.0
    placing.placed(two, "b")
    assert [placing.choose([one, two], "b") is two for _ in range(40)].count(False) > 0


def test_workers_that_are_starting_get_their_share() -> None:
    up = Worker(actor=None, probe=None, who="a", threads=8, node="a")
    coming = Worker(actor=None, probe=None, who="b", threads=8)
    assert fair_share([up, coming], 5) == 3
    assert fair_share([up], 5) > 5
    coming.hired -= 1000
    assert fair_share([up, coming], 5) > 5


def test_files_of_an_attempt_travel_and_stay_below_their_folder(tmp_path: Path) -> None:
    made, target = tmp_path / "made", tmp_path / "target"
    (made / "candidates").mkdir(parents=True)
    (made / "trajectory.jsonl").write_bytes(b"{}\n")
    (made / "candidates" / "1.jsonl").write_bytes(b"1")
    (made / "link").symlink_to("/etc/passwd")
    found = files_of(made)
    assert found == {"trajectory.jsonl": b"{}\n", "candidates/1.jsonl": b"1"}
    place_files(target, found)
    assert files_of(target) == found
    (target / "out").symlink_to(tmp_path)
    for name in ("../x", "/etc/x", "a/../../x", "", "out/x", "a\0b"):
        with pytest.raises(InfraError):
            place_files(target, {name: b""})
    assert not (tmp_path / "x").exists()
