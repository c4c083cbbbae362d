"""What every driver does: orders come as lines of JSON on stdin, answers go out as lines of JSON.

Runs in the virtualenv of what it drives, so it imports nothing but the standard library. Times are taken here, around
the calls alone, in milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Awaitable
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any


STEP = "echo done"
#: Seconds that a test command may take.
TIMEOUT = 600


class Driver:
    """One candidate. A subclass says how an environment is started, used and ended, through its public API."""

    #: The distribution whose version is told.
    package = ""

    def __init__(self, setting: dict[str, Any]) -> None:
        self.setting = setting
        self._kept: Any = None
        self._held: list[Any] = []

    # -- what a candidate says ---------------------------------------------------------------------

    def make(self) -> Any:
        """A running environment."""
        raise NotImplementedError

    def run(self, environment: Any, command: str) -> str:
        """One action of an agent: what the command printed."""
        raise NotImplementedError

    def end(self, environment: Any) -> None:
        """The environment is gone, or on its way where the candidate does it in the background."""
        raise NotImplementedError

    def fresh(self, environment: Any) -> Any:
        """A fresh episode in place of a used one."""
        self.end(environment)
        return self.make()

    def verdict(self) -> bool:
        """Whether the gold patch resolves the task, found out in a fresh environment."""
        environment = self.make()
        try:
            return resolved(self.run(environment, grading_script(self.setting)), self.setting)
        finally:
            self.end(environment)

    def many(self, count: int) -> list[Any]:
        """So many environments at once, each with its first command done."""
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda _: self._started(), range(count)))

    # -- orders --------------------------------------------------------------------------------------

    def hello(self) -> dict[str, Any]:
        return {"version": version(self.package), "note": self.setting.get("note", "")}

    def start(self) -> dict[str, Any]:
        begun = time.perf_counter()
        environment = self._started()
        times = [_since(begun)]
        self.end(environment)
        return {"times": times}

    def step(self, count: int = 10) -> dict[str, Any]:
        environment = self._kept = self._kept or self._started()
        times = []
        for _ in range(count):
            begun = time.perf_counter()
            self._say(environment)
            times.append(_since(begun))
        return {"times": times}

    def reset(self) -> dict[str, Any]:
        self._kept = self._kept or self._started()
        self.run(self._kept, "echo dirt > dirt.txt")
        begun = time.perf_counter()
        self._kept = self.fresh(self._kept)
        left = self.run(self._kept, "ls")
        times = [_since(begun)]
        if "dirt.txt" in left:
            raise RuntimeError("the fresh episode has a file of the one before")
        return {"times": times}

    def grade(self) -> dict[str, Any]:
        begun = time.perf_counter()
        verdict = self.verdict()
        return {"times": [_since(begun)], "resolved": verdict}

    def hold(self, count: int) -> dict[str, Any]:
        begun = time.perf_counter()
        self._held += self.many(count)
        return {"times": [_since(begun)]}

    def drop(self) -> dict[str, Any]:
        begun = time.perf_counter()
        with ThreadPoolExecutor(max(1, len(self._held))) as threads:
            list(threads.map(self.end, self._held))
        self._held = []
        return {"times": [_since(begun)]}

    def rest(self) -> dict[str, Any]:
        """Nothing is kept any more."""
        if self._kept is not None:
            self.end(self._kept)
            self._kept = None
        return {}

    def close(self) -> None:
        """The end: nothing may be left."""
        self.rest()
        self.drop()

    def _started(self) -> Any:
        environment = self.make()
        self._say(environment)
        return environment

    def _say(self, environment: Any) -> None:
        said = self.run(environment, STEP)
        if said.strip() != "done":
            raise RuntimeError(f"a step printed {said!r}")


class AsyncDriver(Driver):
    """A candidate whose API is made of coroutines: ``amake``, ``arun`` and ``aend`` say how it is used."""

    def __init__(self, setting: dict[str, Any]) -> None:
        super().__init__(setting)
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    async def amake(self) -> Any:
        raise NotImplementedError

    async def arun(self, environment: Any, command: str) -> str:
        raise NotImplementedError

    async def aend(self, environment: Any) -> None:
        raise NotImplementedError

    def make(self) -> Any:
        return self.wait(self.amake())

    def run(self, environment: Any, command: str) -> str:
        return self.wait(self.arun(environment, command))

    def end(self, environment: Any) -> None:
        self.wait(self.aend(environment))

    def many(self, count: int) -> list[Any]:
        async def one() -> Any:
            environment = await self.amake()
            await self.arun(environment, STEP)
            return environment

        async def all_of_them() -> list[Any]:
            return list(await asyncio.gather(*(one() for _ in range(count))))

        return self.wait(all_of_them())

    def drop(self) -> dict[str, Any]:
        async def all_of_them() -> None:
            await asyncio.gather(*(self.aend(environment) for environment in self._held))

        begun = time.perf_counter()
        self.wait(all_of_them())
        self._held = []
        return {"times": [_since(begun)]}

    def wait(self, work: Awaitable[Any]) -> Any:
        return self._loop.run_until_complete(work)


def grading_script(setting: dict[str, Any]) -> str:
    """Apply the gold patch and the tests, run them, print pytest's summary: what one would write by hand."""
    patch = setting["patch"] + setting["test_patch"]
    end = "END_OF_THE_PATCH"
    return f"cd {setting['workdir']} && git apply - <<'{end}'\n{patch}{end}\n{setting['test_command']} -rA"


def resolved(output: str, setting: dict[str, Any]) -> bool:
    """Whether every listed test passed, read from pytest's summary (``-rA``)."""
    passed = {line.removeprefix("PASSED ").strip() for line in output.splitlines() if line.startswith("PASSED ")}
    return passed.issuperset(setting["fail_to_pass"]) and passed.issuperset(setting["pass_to_pass"])


def serve(make: Callable[[dict[str, Any]], Driver]) -> None:
    """Carry out orders until stdin ends. Whatever a candidate prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    driver = make(json.loads(Path(sys.argv[1]).read_text()))
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = getattr(driver, order.pop("op"))(**order)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
        answers.write(json.dumps(answer) + "\n")
    with contextlib.suppress(Exception):
        driver.close()


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
