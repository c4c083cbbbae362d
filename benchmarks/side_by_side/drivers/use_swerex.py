"""swe-rex: its Docker deployment, a bash session each; its server is in the image, as its documentation advises."""

from __future__ import annotations

import logging
import os
from typing import Any


os.environ.setdefault("SWE_REX_LOG_STREAM_LEVEL", "ERROR")

from common import TIMEOUT
from common import AsyncDriver
from common import serve
from swerex.deployment.docker import DockerDeployment
from swerex.runtime.abstract import BashAction
from swerex.runtime.abstract import CreateBashSessionRequest


class SweRex(AsyncDriver):
    package = "swe-rex"

    async def amake(self) -> Any:
        deployment = DockerDeployment(
            image=self.setting["rex_image"], pull="never", docker_args=["--init"], logger=logging.getLogger("quiet")
        )
        await deployment.start()
        await deployment.runtime.create_session(CreateBashSessionRequest())
        return deployment

    async def arun(self, environment: Any, command: str) -> str:
        action = BashAction(command=command, timeout=TIMEOUT, check="ignore")
        return (await environment.runtime.run_in_session(action)).output.replace("\r\n", "\n")

    async def aend(self, environment: Any) -> None:
        await environment.stop()


serve(SweRex)
