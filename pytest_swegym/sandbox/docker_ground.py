"""What a container stands on, and whether it gave way: its daemon was restarted, or somebody outside ended it."""

from __future__ import annotations

import os
import re
import socket
import struct
import time
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.docker_client import daemon_errors
from pytest_swegym.sandbox.docker_client import is_running
from pytest_swegym.sandbox.docker_owner import started


if TYPE_CHECKING:
    from docker import APIClient


#: Where a daemon whose socket is another program's tells its number anew at every start.
_NUMBER = "/run/docker.pid"
_PATIENCE = 5.0


class Ground:
    """One container and its daemon, from now on."""

    def __init__(self, client: APIClient, container: str) -> None:
        self._client, self._container = client, container
        self._began = time.monotonic()
        self._daemon = _instance(client)
        self._told: bool | None = None

    def restarted(self) -> str:
        """What happened to the daemon since; empty if nothing did, or if it is not of this machine."""
        return "the Docker daemon was ended or restarted" if _instance(self._client) != self._daemon else ""

    def trouble(self) -> str:
        """As :meth:`restarted`, or that somebody told the daemon to end the container; asks the daemon."""
        return self.restarted() or ("the container was ended from outside" if self._killed() else "")

    def _killed(self) -> bool:
        if self._told is None:
            self._told = self._asked()
        return bool(self._told)

    def _asked(self) -> bool | None:
        """Whether somebody ended it; ``None`` while it runs, or where the daemon does not say."""
        try:
            if is_running(self._client, self._container):
                return None
        except SandboxClosed:
            pass  # it is gone already
        except SandboxError:
            return None
        wanted = {"type": "container", "container": self._container, "event": "kill"}
        try:
            with daemon_errors("asking what happened to a container"):
                now = _clock(self._client)
                began = now - (time.monotonic() - self._began)
                told = self._client.events(since=int(began) - 1, until=int(now) + 1, filters=wanted, decode=True)
                return any(True for _ in told)
        except (SandboxError, LookupError, ValueError):
            return None


def _clock(client: APIClient) -> float:
    """The daemon's time of day: this machine's may be another, or have been set meanwhile."""
    told = re.sub(r"\.[0-9]+", "", str(client.info()["SystemTime"]))
    return datetime.fromisoformat(told.replace("Z", "+00:00")).timestamp()


def _instance(client: APIClient) -> tuple[Any, ...]:
    """What is another after a restart of the daemon; nothing where it is on another machine."""
    path = getattr(client.get_adapter(client.base_url), "socket_path", "")
    if not path:
        return ()
    try:
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            probe.settimeout(_PATIENCE)
            probe.connect(path)
            pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        owner = (os.stat(_NUMBER).st_mtime_ns,) if pid == 1 and os.path.exists(_NUMBER) else (pid, started(pid))
        return (os.stat(path).st_ino, *owner)
    except OSError:
        return ("away",)
