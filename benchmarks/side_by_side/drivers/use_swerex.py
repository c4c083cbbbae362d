"""swe-rex: its Docker deployment, a bash session each; its server is in the image, as its documentation advises.

Each environment has its thread and its event loop: waiting for a server blocks the loop that waits.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any


os.environ.setdefault("SWE_REX_LOG_STREAM_LEVEL", "ERROR")

from common import TIMEOUT
from common import Driver
from common import serve
from swerex.deployment.docker import DockerDeployment
from swerex.runtime.abstract import BashAction
from swerex.runtime.abstract import CreateBashSessionRequest


class SweRex(Driver):
    package = "swe-rex"

    def make(self) -> Any:
        deployment = DockerDeployment(
            image=self.setting["rex_image"], pull="never", docker_args=["--init"], logger=logging.getLogger("quiet")
        )

        async def started() -> None:
            await deployment.start()
            await deployment.runtime.create_session(CreateBashSessionRequest())

        asyncio.run(started())
        return deployment

    def run(self, environment: Any, command: str) -> str:
        action = BashAction(command=command, timeout=TIMEOUT, check="ignore")
        return asyncio.run(environment.runtime.run_in_session(action)).output.replace("\r\n", "\n")

    def end(self, environment: Any) -> None:
        asyncio.run(environment.stop())


serve(SweRex)
