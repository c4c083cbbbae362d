"""A candidate in a process of its own, given orders as lines of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Any


class Failed(Exception):
    """A candidate could not do what it was asked; it says why."""


class Player:
    """A running driver. ``environ`` is added to this process's environment."""

    def __init__(
        self, name: str, python: Path, driver: Path, setting: Path, log: Path, environ: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as err:
            self._process = subprocess.Popen(
                [str(python), str(driver), str(setting)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                env={**os.environ, **(environ or {})},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, op: str, *, within: float = 120, **arguments: Any) -> dict[str, Any]:
        """Give an order and wait for what comes of it. Raises :class:`Failed`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"it ended: {self._last_words()}") from None
        if not select.select([self._process.stdout], [], [], within)[0]:
            self.kill()  # what it would say later is no answer to the next order
            raise Failed(f"{op}: no answer in {within:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"{op}: it ended: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Failed(f"{op}: {answer['error']}")
        return answer

    def kill(self) -> None:
        """SIGKILL, as a machine out of memory does it: to this process alone."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Let it end its environments, and end. Twice is fine."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.stdout.close()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing was said"
