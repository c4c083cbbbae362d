"""Starting long-lived child processes from one thread that lives as long as this process.

A sandbox dies with its parent, and to the kernel the parent is the thread that started it, not the process.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from contextlib import contextmanager
from typing import IO

from pytest_swegym.sandbox.limits import write


Visit = Sequence[tuple[str, str]]

_Order = tuple[list[str], tuple[int, ...], Visit, "Future[subprocess.Popen[bytes]]"]
_lock = threading.Lock()
_orders: queue.SimpleQueue[_Order] | None = None
_owner = 0


def spawn(argv: Sequence[str], *, keep: Sequence[int], visit: Visit = ()) -> subprocess.Popen[bytes]:
    """Start ``argv`` with an empty environment and the descriptors ``keep``; stdin is a pipe, and so is its output.

    ``visit`` names control groups that it is born in: files that take the thread that starts it there, and back.
    """
    result: Future[subprocess.Popen[bytes]] = Future()
    _spawner().put((list(argv), tuple(keep), visit, result))
    return result.result()


def _spawner() -> queue.SimpleQueue[_Order]:
    """The queue of the thread that spawns; a new one in a forked child, which has no threads of its parent."""
    global _orders, _owner
    with _lock:
        if _orders is None or _owner != os.getpid():
            orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(orders,), name="swegym-spawn", daemon=True).start()
            _orders, _owner = orders, os.getpid()
        return _orders


def _serve(orders: queue.SimpleQueue[_Order]) -> None:
    while True:
        argv, keep, visit, result = orders.get()
        with ExitStack() as undo:
            try:
                with _visiting(visit):
                    process = _start(argv, keep)
                    undo.callback(_end, process)
            except BaseException as error:
                result.set_exception(error)
            else:
                undo.pop_all()
                result.set_result(process)


def _start(argv: list[str], keep: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={},
        cwd="/",
        pass_fds=keep,
        # Ctrl-C at the terminal is for the controller, which then ends its sandboxes in order.
        start_new_session=True,
    )


def streams(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Its stdin, and what it writes to stdout and stderr."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("a process that was not started here")
    return process.stdin, process.stdout


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


@contextmanager
def _visiting(visit: Visit) -> Iterator[None]:
    """This thread is in other control groups meanwhile."""
    with ExitStack() as way_back:
        for there, back in visit:
            write(there, "0")
            way_back.callback(write, back, "0")
        yield
