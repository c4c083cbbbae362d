"""inspect-ai's sandboxes: ``docker`` by Docker Compose, or ``local`` where that cannot be had."""

from __future__ import annotations

import tempfile
from typing import Any

from common import TIMEOUT
from common import AsyncDriver
from common import serve
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.util._sandbox.registry import registry_find_sandboxenv


TASK = "side"


class Inspect(AsyncDriver):
    package = "inspect-ai"

    def __init__(self, setting: dict[str, Any]) -> None:
        super().__init__(setting)
        self._provider = registry_find_sandboxenv(setting["kind"])
        self._config: Any = None
        if setting["kind"] == "docker":
            self._config = str(_compose_file(setting))
            try:
                self.wait(self._provider.task_init(TASK, self._config))
            except PrerequisiteError as error:
                # Its own code throughout; only its question for the Engine's version is not asked.
                setting["note"] = str(error.args[0]).splitlines()[0].removeprefix("ERROR: ")

    async def amake(self) -> Any:
        return await self._provider.sample_init(TASK, self._config, {})

    async def arun(self, environment: Any, command: str) -> str:
        sandbox = environment["default"]
        done = await sandbox.exec(["bash", "-c", command], timeout=TIMEOUT)
        return str(done.stdout + done.stderr)

    async def aend(self, environment: Any) -> None:
        await self._provider.sample_cleanup(TASK, self._config, environment, False)


def _compose_file(setting: dict[str, Any]) -> str:
    """As inspect writes one itself for a task that names an image only."""
    folder = tempfile.mkdtemp(prefix="side-by-side-")
    path = f"{folder}/compose.yaml"
    lines = (
        "services:",
        "  default:",
        f"    image: '{setting['image']}'",
        "    x-local: true",
        "    command: tail -f /dev/null",
        "    init: true",
        "    network_mode: none",
        "    stop_grace_period: 1s",
    )
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path


serve(Inspect)
