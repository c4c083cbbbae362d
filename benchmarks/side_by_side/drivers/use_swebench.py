"""SWE-bench's harness: ``run_instance`` on an image that is here, with its own log parser and report."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import docker
from common import TIMEOUT
from common import Driver
from common import serve
from swebench.harness.constants import END_TEST_OUTPUT
from swebench.harness.constants import LOG_REPORT
from swebench.harness.constants import RUN_EVALUATION_LOG_DIR
from swebench.harness.constants import START_TEST_OUTPUT
from swebench.harness.run_evaluation import run_instance
from swebench.harness.utils import make_test_spec
from swebench.types import TestSpec


class SweBench(Driver):
    """It has grades, and no environments to play in."""

    package = "swebench"

    def __init__(self, setting: dict[str, Any]) -> None:
        super().__init__(setting)
        os.chdir(tempfile.mkdtemp(prefix="side-by-side-"))  # it writes its logs where it stands
        self._client = docker.from_env(timeout=TIMEOUT, max_pool_size=64)
        self._run = 0

    def grade(self) -> dict[str, Any]:
        """Its call ends when the container is gone; ``until_report`` is when the verdict stood on the disk."""
        self._run += 1
        run_id = f"side{os.getpid()}-{self._run}"
        prediction = {"instance_id": "task", "model_name_or_path": "gold", "model_patch": self.setting["patch"]}
        report = RUN_EVALUATION_LOG_DIR / run_id / "gold" / "task" / LOG_REPORT
        begun, at = time.time(), time.perf_counter()
        answer = run_instance(self._spec(), prediction, self._client, run_id, TIMEOUT)
        whole = (time.perf_counter() - at) * 1000
        verdict = answer is not None and bool(answer[1]["task"]["resolved"])
        written = (Path(report).stat().st_mtime - begun) * 1000 if report.exists() else whole
        return {"times": [written], "whole": whole, "resolved": verdict}

    def hold(self, count: int) -> dict[str, Any]:
        """So many grades on their way: what it has alive when it is killed."""
        if count > 5:
            raise NotImplementedError("it has no environments that live")
        self.setting["test_command"] = "sleep 60"
        for _ in range(count):
            threading.Thread(target=self.grade, daemon=True).start()
            time.sleep(0.2)
        time.sleep(8)
        return {"times": []}

    def _spec(self) -> TestSpec:
        """The evaluation script in the form that its data set has."""
        tests = [line[6:] for line in self.setting["test_patch"].splitlines() if line.startswith("+++ b/")]
        end = "EOF_114329324912"
        script = [
            f"cd {self.setting['workdir']}",
            "git status",
            f"git checkout HEAD {' '.join(tests)}",
            f"git apply -v - <<'{end}'\n{self.setting['test_patch']}\n{end}",
            f": '{START_TEST_OUTPUT}'",
            f"{self.setting['test_command']} -rA",
            f": '{END_TEST_OUTPUT}'",
            f"git checkout HEAD {' '.join(tests)}",
        ]
        row = {
            "instance_id": "task",
            "image": self.setting["image"],
            "repo": "",
            "version": "",
            "FAIL_TO_PASS": _as_in_its_rows(self.setting["fail_to_pass"]),
            "PASS_TO_PASS": _as_in_its_rows(self.setting["pass_to_pass"]),
            "log_parser": "parse_log_pytest",
            "eval_type": "pass_and_fail",
            "eval_script": "\n".join(script) + "\n",
        }
        return make_test_spec(row)


def _as_in_its_rows(names: list[str]) -> list[str]:
    """Its parser takes a name up to the first blank, and the lists of its data sets were made with that parser."""
    return sorted({name.split()[0] for name in names})


serve(SweBench)
