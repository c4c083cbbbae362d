"""Which cluster is joined, and what is noticed of its head, without Ray."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.runs import ray_cluster
from pytest_swegym.runs import ray_head


@pytest.fixture
def head() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def place(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_only_places_are_asked_whether_they_answer(head: socket.socket) -> None:
    assert not ray_head.silence(place(head), 0.0)
    assert not any(ray_head.silence(word, 0.0) for word in ("auto", "local", "just-a-host", "ray://127.0.0.1:1"))
    assert "refused" in ray_head.silence("127.0.0.1:1", 0.0)
    assert ray_head.silence("127.0.0.1:99999", 0.0)


def test_head_that_is_gone_is_told_once(head: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_head, "_LOOK", 0.01)
    told = threading.Event()
    watch = ray_head.Watch(place(head), told.set)
    assert not told.wait(0.2)
    head.close()
    assert told.wait(10)
    watch.end()


def joined(monkeypatch: pytest.MonkeyPatch, address: str | None, environ: str = "", *, alive: bool = False) -> str:
    """How a run comes to a cluster where one is ``alive`` on this machine, or none."""

    def init(*, address: str, **_: Any) -> None:
        if address != "local" and not alive:
            raise ConnectionError("nobody here")

    monkeypatch.setenv("RAY_ADDRESS", environ)
    return ray_cluster._join(SimpleNamespace(init=init), address, {})


def test_it_is_told_whose_cluster_a_run_uses(head: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    assert joined(monkeypatch, None) == joined(monkeypatch, "local", alive=True) == "started for this run"
    assert joined(monkeypatch, None, alive=True) == "found on this machine and joined"
    assert joined(monkeypatch, None, place(head), alive=True) == "joined"


@pytest.mark.parametrize(("address", "environ"), [("127.0.0.1:1", ""), (None, "127.0.0.1:1"), (None, "ray://head:1")])
def test_address_of_no_cluster_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, address: str | None, environ: str
) -> None:
    monkeypatch.setattr(ray_head, "_PATIENCE", 0.0)
    with pytest.raises(ConfigError, match=r"no cluster of Ray at 127\.0\.0\.1:1: .*refused|Ray's client"):
        joined(monkeypatch, address, environ, alive=True)
