"""mini-swe-agent's environments: ``docker`` (one ``docker exec`` a command), or ``local`` (no isolation at all)."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from common import TIMEOUT
from common import Driver
from common import serve


os.environ.setdefault("MSWEA_SILENT_STARTUP", "1")

from minisweagent.environments.docker import DockerEnvironment
from minisweagent.environments.local import LocalEnvironment


class MiniDocker(Driver):
    package = "mini-swe-agent"

    def make(self) -> Any:
        # Its documented default is a login shell, which forgets the image's PATH; its SWE-bench recipe sets this one.
        return DockerEnvironment(
            image=self.setting["image"],
            cwd=self.setting["workdir"],
            timeout=TIMEOUT,
            interpreter=["bash", "-c"],
            run_args=["--rm", "--init", "--network=none"],
        )

    def run(self, environment: Any, command: str) -> str:
        return str(environment.execute({"command": command})["output"])

    def end(self, environment: Any) -> None:
        environment.cleanup()
        environment.container_id = None  # else it is cleaned up once more when the object goes


class MiniLocal(Driver):
    """A fresh copy of the repository on this machine for each environment."""

    package = "mini-swe-agent"

    def make(self) -> Any:
        folder = os.path.join(tempfile.mkdtemp(prefix="side-by-side-"), "repo")
        shutil.copytree(self.setting["tree"], folder, symlinks=True)
        return LocalEnvironment(cwd=folder, timeout=TIMEOUT)

    def run(self, environment: Any, command: str) -> str:
        return str(environment.execute({"command": command})["output"])

    def end(self, environment: Any) -> None:
        shutil.rmtree(os.path.dirname(environment.config.cwd))

    def verdict(self) -> bool:
        raise NotImplementedError("nothing keeps the tests from this machine: not graded here")


serve(lambda setting: (MiniLocal if setting["kind"] == "local" else MiniDocker)(setting))
