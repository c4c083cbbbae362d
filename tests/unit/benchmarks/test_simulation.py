"""The simulated cluster: what can be reckoned by hand, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from simulation import Cluster
from simulation import Costs
from simulation import Load
from simulation import simulate


COSTS = Costs(start=0.1, step=0.2, grade=1.0)


def test_one_episode_takes_what_its_parts_take() -> None:
    load = Load(episodes=1, steps=5, latency=3.0)
    outcome = simulate(Cluster(nodes=1, cores=1, room=1), load, COSTS)
    assert outcome.seconds == pytest.approx(0.1 + 5 * 0.2 + 1.0 + sum(load.replies(0)))
    assert outcome.waited == 0


def test_without_a_model_the_cores_are_the_limit() -> None:
    outcome = simulate(Cluster(nodes=1, cores=2, room=100), Load(episodes=100, steps=0), COSTS)
    assert outcome.seconds == pytest.approx(100 * 1.1 / 2)
    assert outcome.busy == pytest.approx(1)


def test_twice_the_nodes_are_twice_as_fast() -> None:
    one, two = (
        simulate(Cluster(nodes=nodes, cores=2, room=10), Load(episodes=80, steps=0, attempts=1), COSTS)
        for nodes in (1, 2)
    )
    assert one.seconds == pytest.approx(2 * two.seconds)


def test_a_snapshot_comes_once_to_each_node() -> None:
    costs = Costs(start=0.1, step=0.2, grade=1.0, snapshot_mib=100)
    outcome = simulate(Cluster(nodes=3, cores=2, room=10, link=50), Load(episodes=60, steps=2, attempts=60), costs)
    assert outcome.shipped_mib == 300


def test_attempts_of_a_task_stay_on_its_node_if_they_are_seen_far_enough_ahead() -> None:
    costs = Costs(start=0.1, step=0.2, grade=1.0, snapshot_mib=100)
    load = Load(episodes=320, steps=2, attempts=8)
    near, far = (simulate(Cluster(nodes=20, cores=2, room=8, look=look), load, costs).shipped_mib for look in (8, 320))
    assert far < near / 2


@settings(max_examples=25)
@given(
    nodes=st.integers(2, 5),
    cores=st.integers(1, 3),
    room=st.integers(1, 6),
    episodes=st.integers(1, 60),
    loss=st.sampled_from([0.0, 20.0]),
    seed=st.integers(0, 9),
)
def test_every_episode_ends_once(nodes: int, cores: int, room: int, episodes: int, loss: float, seed: int) -> None:
    cluster = Cluster(nodes=nodes, cores=cores, room=room, loss=loss, repair=5.0, link=10)
    load = Load(episodes=episodes, steps=3, attempts=4, latency=1.0, seed=seed)
    outcome = simulate(cluster, load, Costs(start=0.1, step=0.2, grade=1.0, snapshot_mib=5))
    assert len(outcome.durations) == episodes
    assert outcome.most_alive <= nodes * room
    assert 0 < outcome.busy <= 1
    assert min(outcome.durations) >= 0.1 + 3 * 0.2 + 1.0
