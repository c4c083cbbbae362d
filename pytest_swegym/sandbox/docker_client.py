"""The door to the Docker SDK: connecting to a daemon, and its errors in our words."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from typing import TYPE_CHECKING
from typing import Any

from pytest_swegym.errors import SandboxClosed
from pytest_swegym.errors import SandboxError
from pytest_swegym.errors import SandboxUnavailable


if TYPE_CHECKING:
    from docker import APIClient


#: Seconds for a daemon to answer at all, and for its longest work (a commit of a large layer).
_PING, _WORK = 5, 900
#: Seconds for a daemon that was restarted to be back.
_BACK = 60.0


def connect(name: str) -> APIClient:
    """A client of the daemon behind ``name`` (``docker`` or ``podman``), known to answer.

    Raises :class:`SandboxUnavailable`, which says why not and the way out.
    """
    try:
        _knock(_address(name))
    except OSError as error:
        raise SandboxUnavailable(_way_out(name, error)) from error
    import docker  # deferred: a third of a second that an ordinary test suite need not pay
    from docker.utils import kwargs_from_env

    options = kwargs_from_env() if name == "docker" else {"base_url": _address(name)}
    try:
        with closing(docker.APIClient(**options, timeout=_PING)) as probe:
            version = probe.version(api_version=False)["ApiVersion"]
        return docker.APIClient(**options, version=version, timeout=_WORK)
    except (docker.errors.DockerException, OSError) as error:
        raise SandboxUnavailable(_way_out(name, error)) from error


def came_back(name: str, *, within: float = _BACK) -> bool:
    """Whether the daemon is away, and answers again within so many seconds: it is being restarted."""
    away, deadline = False, time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            _knock(_address(name))
            return away
        except OSError:
            away = True
            time.sleep(0.2)
    return False


@contextmanager
def daemon_errors(doing: str) -> Iterator[None]:
    """Errors of the SDK as :class:`SandboxError`; a container that is gone as :class:`SandboxClosed`."""
    from docker.errors import APIError
    from docker.errors import DockerException
    from docker.errors import ImageNotFound

    try:
        yield
    except APIError as error:
        text = str(error.explanation or error)
        gone = error.status_code == 404 and not isinstance(error, ImageNotFound) and "image" not in text.lower()
        if gone or "is not running" in text or "marked for removal" in text:
            raise SandboxClosed(f"{doing}: the container is gone: {text}") from error
        raise SandboxError(f"{doing}: {text}") from error
    except (DockerException, OSError) as error:
        raise SandboxError(f"{doing}: {_root(error)}") from error


def is_local(client: APIClient) -> bool:
    """Whether the daemon shares this machine's files, so that folders can be bound into a container."""
    return str(client.base_url).startswith("http+docker://localhost")


def is_running(client: APIClient, container: str) -> bool:
    """Whether the container runs. Raises :class:`SandboxClosed` if it is no longer there."""
    with daemon_errors("asking for a container"):
        return bool(client.inspect_container(container)["State"]["Running"])


def wait_removed(client: APIClient, container: str, *, seconds: int) -> bool:
    """Wait until the daemon has removed a container by itself; whether it has."""
    from docker.errors import APIError

    with suppress(SandboxClosed), daemon_errors(f"waiting for the end of container {container}"):
        try:
            client.wait(container, timeout=seconds, condition="removed")
        except APIError:
            raise
        except OSError:  # the time is up
            return False
    return True


def remove_container(client: APIClient, container: str) -> None:
    """End every process of a container and see it be gone; one that is gone is fine."""
    from docker.errors import APIError

    with suppress(SandboxClosed), daemon_errors(f"removing container {container}"):
        try:
            client.remove_container(container, force=True, v=True)
        except APIError as error:
            if error.status_code != 409:
                raise
            client.wait(container, condition="removed")  # the daemon is about to do so itself


def _address(name: str) -> str:
    """Where the daemon is; for podman ``$SWEGYM_PODMAN_URL``, else the first of its usual sockets that is there."""
    if name == "docker":
        return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    usual = (f"{runtime}/podman/podman.sock", "/run/podman/podman.sock")
    there = next((path for path in usual if os.path.exists(path)), usual[0])
    return os.environ.get("SWEGYM_PODMAN_URL") or f"unix://{there}"


def _knock(address: str) -> None:
    """Raise the :class:`OSError` of a Unix socket that cannot be opened; the SDK hides it, and leaks a connection."""
    scheme, _, path = address.partition("://")
    if scheme in ("unix", "http+unix"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_PING)
            probe.connect(path)


def _way_out(name: str, error: BaseException) -> str:
    reason, target = _root(error), _address(name)
    service = "the Docker daemon (dockerd)" if name == "docker" else "podman's service (podman system service)"
    variable = "DOCKER_HOST" if name == "docker" else "SWEGYM_PODMAN_URL"
    if isinstance(reason, PermissionError):
        return f"no permission for {target}: add yourself to its group (docker), or run as root"
    if isinstance(reason, (FileNotFoundError, ConnectionRefusedError)):
        return f"nothing listens at {target}: start {service}, or set {variable}"
    if isinstance(reason, TimeoutError) or "timed out" in str(reason).lower():
        return f"{target} does not answer within {_PING} s: restart {service}, or set {variable}"
    return f"cannot talk to {target}: {reason}; check {variable}"


def _root(error: BaseException) -> Any:
    """What lies under the layers that an HTTP library puts around a socket's error."""
    seen = {id(error)}
    while (inner := error.__cause__ or error.__context__) is not None and id(inner) not in seen:
        error = inner
        seen.add(id(error))
    return error
