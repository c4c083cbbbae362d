"""One sitting of a run: a pytest session, what may be done to it, and how far it has come."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from soaking.course import Course
from soaking.daemon import Daemon


#: On the path of a Python, it shows a time of day that can jump. (libfaketime makes waits fail on a busy machine.)
CLOCK = Path(__file__).parent / "clock"
HOUR, DAY = 3600, 86400


@dataclass(slots=True, kw_only=True)
class Scene:
    """A session under way. ``output`` and ``cache`` lie on file systems of our own."""

    course: Course
    backend: str
    output: Path
    cache: Path
    daemon: Daemon | None
    rng: random.Random
    log: Path
    door: str = "pytest"
    process: subprocess.Popen[bytes] = field(init=False)
    _began: int = field(init=False)
    clock: Path = field(init=False)

    def start(self, *, jobs: int, workers: int, clock: bool, apart: bool) -> None:
        """Begin a session that continues the run; with ``clock`` its clock can jump, ``apart`` its network can go."""
        self.clock = self.log.with_suffix(".clock")
        self.set_clock(0)
        argv = [sys.executable, "-X", "faulthandler", *self._words(jobs, workers)]
        if apart:
            argv = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *argv]
        self.log.touch()
        self._began = self.log.stat().st_mtime_ns
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, cwd=self.course.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._env(clock)
            )

    def _words(self, jobs: int, workers: int) -> list[str]:
        """The command line of the session, from pytest's door or from the library's."""
        folder = self.course.folder
        if self.door == "library":
            given = [folder, self.output, self.backend, self.course.attempts, jobs, self.open_files]
            return [str(Path(__file__).parent / "driver.py"), *map(str, given)]
        words = ["-m", "pytest", "-p", "no:cacheprovider", "-q", "--tb=no", "--rootdir", str(folder)]
        words += ["-n", str(workers)] if workers else []
        words += ["--swegym-executor=ray"] if self.door == "ray" else []
        return [
            *words,
            f"--swegym-tasks={folder}/tasks.jsonl",
            f"--swegym-solver={folder}/solver.py:solve",
            f"--swegym-attempts={self.course.attempts}",
            f"--swegym-jobs={jobs}",
            f"--swegym-output={self.output}",
            f"--swegym-sandbox={self.backend}",
            "--swegym-resume",
            "--log-file-level=INFO",
            f"--log-file={self.log.with_suffix('.told')}",
        ]

    @property
    def open_files(self) -> Path:
        """Where a session of the library tells what it has open."""
        return self.log.with_suffix(".open")

    def _env(self, clock: bool) -> Mapping[str, str]:
        env = {**os.environ, "SWEGYM_CACHE": str(self.cache), "PYTHONDONTWRITEBYTECODE": "1"}
        if self.daemon is not None:
            env["DOCKER_HOST"] = self.daemon.url
        return {**env, **clock_of(self.clock)} if clock else env

    def set_clock(self, ahead: int) -> None:
        """What the session takes for the time of day, in seconds ahead of the true one."""
        fresh = self.clock.with_suffix(".new")
        fresh.write_text(str(ahead))
        fresh.replace(self.clock)

    @property
    def done(self) -> int:
        """How many records this session has written."""
        count = 0
        for path in (self.output / "attempts").glob("*/record.json"):
            with suppress(OSError):
                count += path.stat().st_mtime_ns > self._began
        return count

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def wait_for(self, count: int, *, seconds: float = 120.0) -> bool:
        """Whether the session goes on and so many attempts have ended."""
        deadline = time.monotonic() + seconds
        while not self.over and self.done < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return not self.over

    def end(self, *, seconds: float) -> int | None:
        """The session's exit status; ``None`` if it hung, and was then ended with its threads told in the log."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            time.sleep(1)
            self.process.kill()
            self.process.wait()
            return None


def clock_of(file: Path) -> dict[str, str]:
    """Variables of a Python whose time of day is told by ``file``."""
    before = os.environ.get("PYTHONPATH")
    return {"SWEGYM_SOAK_CLOCK": str(file), "PYTHONPATH": f"{CLOCK}:{before}" if before else str(CLOCK)}


def can_leave_the_network() -> bool:
    return shutil.which("ip") is not None and shutil.which("nsenter") is not None


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        pass  # it has ended meanwhile
    return found


def below(pid: int) -> list[int]:
    """Every process below one."""
    found = children(pid)
    return found + [each for child in found for each in below(child)]


def words(pid: int) -> str:
    """A process's command line; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def jails(pid: int) -> list[int]:
    """The outermost process of each jail below one."""
    outer = [each for each in below(pid) if words(each).split(" ")[0].endswith("bwrap")]
    inner = {child for each in outer for child in below(each)}
    return [each for each in outer if each not in inner]
