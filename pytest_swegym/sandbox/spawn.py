"""Starting long-lived child processes from one thread that lives as long as this process.

A sandbox dies with its parent, and to the kernel the parent is the thread that started it, not the process.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import Future


_Order = tuple[list[str], int, "Future[subprocess.Popen[bytes]]"]
_lock = threading.Lock()
_orders: queue.SimpleQueue[_Order] | None = None
_owner = 0


def spawn(argv: Sequence[str], *, keep: int) -> subprocess.Popen[bytes]:
    """Start ``argv`` with an empty environment, all three streams piped, and the descriptor ``keep`` kept open."""
    result: Future[subprocess.Popen[bytes]] = Future()
    _spawner().put((list(argv), keep, result))
    return result.result()


def _spawner() -> queue.SimpleQueue[_Order]:
    """The queue of the thread that spawns; a new one in a forked child, which has no threads of its parent."""
    global _orders, _owner
    with _lock:
        if _orders is None or _owner != os.getpid():
            _orders, _owner = queue.SimpleQueue(), os.getpid()
            threading.Thread(target=_serve, args=(_orders,), name="swegym-spawn", daemon=True).start()
        return _orders


def _serve(orders: queue.SimpleQueue[_Order]) -> None:
    while True:
        argv, keep, result = orders.get()
        try:
            result.set_result(
                subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={},
                    cwd="/",
                    pass_fds=(keep,),
                    # Ctrl-C at the terminal is for the controller, which then ends its sandboxes in order.
                    start_new_session=True,
                )
            )
        except BaseException as error:
            result.set_exception(error)
