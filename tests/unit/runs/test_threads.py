"""Calls in threads: order, limits, stopping, room, and what is prepared ahead."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pytest_swegym.admission import Admission
from pytest_swegym.admission import Reading
from pytest_swegym.admission import Room
from pytest_swegym.runs import Call
from pytest_swegym.runs import Threads


GIB = 2**30


class Memory:
    """A machine with so many free bytes of 64 GiB, and two cores."""

    cores = 2

    def __init__(self, free: int) -> None:
        self.free = free

    def read(self) -> Reading:
        return Reading(memory=Room(free=self.free, total=64 * GIB))


def calls(*named: tuple[str, Callable[[], object]]) -> list[Call]:
    return [Call(key=key, run=quiet(run)) for key, run in named]


def quiet(run: Callable[[], object]) -> Callable[[], None]:
    def call() -> None:
        run()

    return call


def ran(threads: Threads, given: list[Call]) -> None:
    for call in given:
        threads.submit(call)
    threads.start()
    assert threads.join(30)
    threads.stop()


def test_runs_everything_in_order_with_one_worker() -> None:
    done: list[int] = []
    ran(Threads(workers=1), calls(*((str(n), lambda n=n: done.append(n)) for n in range(5))))
    assert done == [0, 1, 2, 3, 4]


def test_highest_priority_goes_first() -> None:
    done: list[float] = []
    given = [Call(key=str(n), run=lambda n=n: done.append(n), priority=n % 3) for n in range(6)]  # type: ignore[misc]
    ran(Threads(workers=1), given)
    assert done == [2, 5, 1, 4, 0, 3]


def test_runs_at_most_so_many_at_once() -> None:
    barrier, seen = threading.Barrier(2, timeout=30), []
    threads = Threads(workers=2)

    def job() -> None:
        barrier.wait()
        seen.append(threads.running)
        barrier.wait()

    ran(threads, calls(*((str(n), job) for n in range(4))))
    assert len(seen) == 4
    assert max(seen) == 2


def test_call_taken_out_is_not_run() -> None:
    done: list[str] = []
    threads = Threads(workers=1)
    for call in calls(*((name, lambda name=name: done.append(name)) for name in "abc")):
        threads.submit(call)
    assert threads.take("b")
    assert not threads.take("b")
    threads.start()
    assert threads.join(30)
    threads.stop()
    assert done == ["a", "c"]
    assert not threads.take("a")


@pytest.mark.parametrize("early", [True, False])
def test_stop_starts_nothing_more(early: bool) -> None:
    first, go = threading.Event(), threading.Event()
    done: list[int] = []
    stopped: list[bool] = []

    def job() -> None:
        first.set()
        go.wait(30)
        done.append(1)

    threads = Threads(workers=1, stop_early=lambda: bool(stopped))
    for call in calls(*((str(n), job) for n in range(3))):
        threads.submit(call)
    threads.start()
    first.wait(30)
    if early:
        stopped.append(True)
    else:
        threads.stop()
    go.set()
    assert threads.join(30)
    assert done == [1]


def test_call_that_raises_does_not_end_the_others(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []
    ran(Threads(workers=1), calls(("a", lambda: 1 // 0), ("b", lambda: done.append(1))))
    assert done == [1]
    assert "a could not be reported" in caplog.text


class NoMore(Threads):
    """A system that gives no threads to calls."""

    @staticmethod
    def _thread(name: str, work: Callable[..., None], *given: object) -> None:
        if not name.startswith(("swegym-start", "swegym-prepare")):
            raise RuntimeError("can't start new thread")
        Threads._thread(name, work, *given)


def test_where_the_system_gives_no_more_threads_calls_run_one_by_one() -> None:
    done: list[str] = []
    ran(NoMore(workers=8), calls(*((name, lambda name=name: done.append(name)) for name in "abc")))
    assert done == ["a", "b", "c"]


class Blind(Memory):
    """A machine that cannot be read."""

    def read(self) -> Reading:
        raise OSError("no /proc")


def test_calls_run_where_the_machine_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []
    ran(Threads(workers=1, admission=Admission(Blind(free=GIB))), calls(("a", lambda: done.append("a"))))
    assert done == ["a"]
    assert "no /proc" in caplog.text


def test_short_of_memory_one_runs_at_a_time_and_all_do() -> None:
    at_work, most, lock = 0, 0, threading.Lock()

    def job() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.02)
        with lock:
            at_work -= 1

    threads = Threads(workers=64, admission=Admission(Memory(free=1), pause=0.01))
    ran(threads, calls(*((str(n), job) for n in range(5))))
    assert most == 1


def test_with_memory_all_that_are_asked_for_run_at_once() -> None:
    barrier = threading.Barrier(64, timeout=30)
    threads = Threads(workers=64, admission=Admission(Memory(free=60 * GIB), pause=0.01))
    ran(threads, calls(*((str(n), barrier.wait) for n in range(64))))
    assert not barrier.broken


def test_the_next_things_are_prepared_once_while_calls_run() -> None:
    go, ready = threading.Event(), threading.Event()
    prepared: list[str] = []
    lock = threading.Lock()

    def prepare(thing: str) -> Callable[[], None]:
        def call() -> None:
            with lock:
                prepared.append(thing)
                if len(prepared) == 7:
                    ready.set()

        return call

    threads = Threads(workers=1)
    # Two attempts at each thing, of which the first one's thing prepares itself.
    for number in range(40):
        thing = f"thing-{number // 2}"
        threads.submit(Call(key=str(number), run=quiet(lambda: go.wait(30)), thing=thing, prepare=prepare(thing)))
    threads.start()
    assert ready.wait(30)
    # Of the eight things that are looked ahead to, the first is prepared by the attempt that runs.
    threading.Event().wait(0.05)
    assert sorted(prepared) == [f"thing-{number}" for number in range(1, 8)]
    threads.stop()
    go.set()
    assert threads.join(30)


def test_nothing_is_prepared_while_memory_is_short() -> None:
    go, running = threading.Event(), threading.Event()
    prepared: list[str] = []

    def run() -> None:
        running.set()
        go.wait(30)

    threads = Threads(workers=1, admission=Admission(Memory(free=1), pause=0.01))
    for name in "ab":
        threads.submit(Call(key=name, run=run, thing=name, prepare=lambda name=name: prepared.append(name)))  # type: ignore[misc]
    threads.start()
    assert running.wait(30)
    threading.Event().wait(0.1)
    assert prepared == []
    go.set()
    assert threads.join(30)
    threads.stop()


def test_failed_preparation_is_told_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    tried = threading.Event()
    done: list[str] = []

    def prepare() -> None:
        tried.set()
        raise ZeroDivisionError

    threads = Threads(workers=1)
    threads.submit(Call(key="a", run=quiet(lambda: tried.wait(30)), thing="a"))
    threads.submit(Call(key="b", run=lambda: done.append("b"), thing="b", prepare=prepare))
    threads.start()
    assert threads.join(30)
    threads.stop()
    assert done == ["b"]
    for _ in range(3000):  # it is told a moment after it has failed
        if "b could not be prepared" in caplog.text:
            break
        threading.Event().wait(0.01)
    assert "b could not be prepared" in caplog.text
