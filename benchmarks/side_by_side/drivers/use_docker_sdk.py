"""The Docker SDK by hand: a container for each environment, ``exec_run`` for each command."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import docker
from common import TIMEOUT
from common import Driver
from common import resolved
from common import serve


class DockerSdk(Driver):
    package = "docker"

    def __init__(self, setting: dict[str, Any]) -> None:
        super().__init__(setting)
        self._client = docker.from_env(timeout=TIMEOUT, max_pool_size=64)

    def make(self) -> Any:
        # With an init a container ends at once when it is told to.
        return self._client.containers.run(
            self.setting["image"], ["sleep", "7200"], detach=True, init=True, network_mode="none"
        )

    def run(self, environment: Any, command: str) -> str:
        return environment.exec_run(["bash", "-c", command]).output.decode("utf-8", "replace")

    def end(self, environment: Any) -> None:
        environment.remove(force=True)

    def verdict(self) -> bool:
        environment = self.make()
        try:
            patch = (self.setting["patch"] + self.setting["test_patch"]).encode("utf-8", "surrogateescape")
            environment.put_archive("/tmp", _archive("patch.diff", patch))
            script = f"git apply /tmp/patch.diff && {self.setting['test_command']} -rA"
            return resolved(self.run(environment, script), self.setting)
        finally:
            self.end(environment)


def _archive(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


serve(DockerSdk)
