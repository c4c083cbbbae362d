"""The head of a Ray cluster: whether it answers. Ray's own library waits for one for minutes, or ends the process."""

from __future__ import annotations

import errno
import re
import socket
import threading
import time
from collections.abc import Callable


#: Seconds between two looks at the head, and of one look; as many in vain mean that it is gone. Ray ends the process
#: a minute after the head.
_LOOK, _ANSWER, _LOOKS = 3.0, 2.0, 5
#: Seconds in which a head that is being started has to answer.
_PATIENCE = 10.0
#: What this machine lacks says nothing of the head.
_OURS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
_PLACE = re.compile(r"(?P<host>[^/\s]+):(?P<port>\d{1,5})", re.ASCII)


def silence(address: str, patience: float | None = None) -> str:
    """Why nobody answers at ``HOST:PORT``, tried for so many seconds (by default as long as a head may take to start);
    empty if somebody does.

    Of an address of another form only Ray can tell.
    """
    found = _PLACE.fullmatch(address)
    if found is None:
        return ""
    until = time.monotonic() + (_PATIENCE if patience is None else patience)
    while True:
        try:
            socket.create_connection((found["host"].strip("[]"), int(found["port"])), timeout=_ANSWER).close()
        except (OSError, OverflowError, UnicodeError) as error:
            if isinstance(error, OSError) and error.errno in _OURS:
                return ""
            if time.monotonic() + 1.0 > until:
                return str(error)
            time.sleep(1.0)
        else:
            return ""


class Watch:
    """Calls ``gone`` once, from a thread of its own, when the head at ``address`` answers no more."""

    def __init__(self, address: str, gone: Callable[[], object]) -> None:
        self._address, self._gone = address, gone
        self._ended = threading.Event()
        threading.Thread(target=self._look, name="swegym-ray-head", daemon=True).start()

    def end(self) -> None:
        self._ended.set()

    def _look(self) -> None:
        in_vain = 0
        while not self._ended.wait(_LOOK):
            in_vain = in_vain + 1 if silence(self._address, 0.0) else 0
            if in_vain >= _LOOKS:
                self._gone()
                return


__all__ = ["Watch", "silence"]
