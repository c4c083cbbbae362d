"""Thousands of attempts while things break: ``python benchmarks/soak.py [--attempts N] [--seed S]``, as root on Linux.

Runs of tiny tasks, whose right verdict is known, are killed, stopped, starved of disk, memory, network and time, and
continued with ``--swegym-resume``. At the end every attempt must have exactly one record with the right verdict, and
nothing may be left: exit status 1 tells what was. It works in namespaces of its own, with a Docker daemon of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path


sys.path.insert(0, str(Path(__file__).parent))

import measure
from soaking import faults
from soaking import leaks
from soaking.cellar import make_disk
from soaking.course import Course
from soaking.course import write_course
from soaking.daemon import Daemon
from soaking.ledger import Ledger
from soaking.scene import DAY
from soaking.scene import Scene
from soaking.scene import clock_of


#: Set in the process that runs in our namespaces.
INSIDE = "SWEGYM_SOAK"
#: Seconds for one session, many times what it takes.
PATIENCE = 600.0
#: Attempts at each task, and the tasks of each leg; those at the end take turns.
ATTEMPTS = 10
FAMILIES = ("sum", "sum", "sum", "sum", "sum", "unit", "unit", "unit")
SPECIAL = ("hang", "hungry", "bomb", "sleepy", "suicide")


class Soak:
    """The whole of it: legs of about a hundred attempts, each a run that is cut and continued."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.rng = random.Random(options.seed)
        self.cache, self.output = folder / "cache-disk" / "cache", folder / "output-disk"
        self.injected: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.infra: Counter[str] = Counter()
        self.sittings = 0
        self.swept = 0
        self.violations: list[str] = []
        self.daemon: Daemon | None = None

    def run(self) -> int:
        """All legs; the exit status."""
        make_disk(self.folder / "cache.img", self.cache.parent, megabytes=700)
        make_disk(self.folder / "output.img", self.output, megabytes=200)
        self.cache.mkdir()
        self._start_daemon()
        mounts, begun = leaks.mounts(), time.monotonic()
        temporary = set(os.listdir(os.environ["TMPDIR"]))
        number = made = 0
        while made < self.options.attempts:
            made += self._leg(number)
            number += 1
        self._sweep_later()
        lost = leaks.files(self.cache, [self.output]) + leaks.temporary(temporary) + leaks.processes(self.daemon)
        lost += [f"mount {place}" for place in leaks.mounts() - mounts]
        lost += leaks.groups(self._prefix()) + leaks.locks(self.cache) + leaks.containers(self.daemon)
        self.violations += [f"left behind: {each}" for each in lost]
        self._report(made, time.monotonic() - begun)
        if self.options.out:
            self._write_figures(made)
        if self.daemon is not None:
            self.daemon.stop()
        return 1 if self.violations else 0

    def _start_daemon(self) -> None:
        if "docker" not in self.options.backends.split(","):
            return
        daemon = Daemon(self.folder / "docker", self.options.image)
        reason = daemon.why_not()
        if reason:
            print(f"docker: left out: {reason}", flush=True)
            return
        daemon.start()
        daemon.load()
        os.environ["SWEGYM_DOCKER_IMAGE"] = self.options.image
        self.daemon = daemon

    def _leg(self, number: int) -> int:
        """One run, from its first session to the one that finishes it; how many attempts it had."""
        docker = self.daemon is not None and (number % 5 == 3 or "bubblewrap" not in self.options.backends)
        doors = self.options.doors.split(",")
        door = doors[number % len(doors)]
        families = ["sum"] * 4 if docker else [*FAMILIES]
        families += [SPECIAL[number % len(SPECIAL)], SPECIAL[(number + 2) % len(SPECIAL)]]
        course = write_course(self.folder / f"leg-{number}", leg=number + 1, families=families, attempts=ATTEMPTS)
        output = self.output / f"leg-{number}"
        ledger = Ledger(course, output)
        begun, cuts = time.monotonic(), self.rng.randint(2, 4)
        for sitting in range(cuts + 1):
            self._sitting(course, ledger, output, "docker" if docker else "bubblewrap", door, sitting, cuts)
        ledger.close()
        self.verdicts += ledger.verdicts
        self.infra += ledger.infra
        found = [f"leg {number}: {each}" for each in ledger.violations]
        found += [f"leg {number}: left behind: {each}" for each in self._left()]
        self.violations += found
        for each in found:
            print(f"VIOLATION {each}", flush=True)
        print(
            f"leg {number}: {len(course.expected)} attempts on {'docker' if docker else 'bubblewrap'} by {door},"
            f" {cuts + 1} sessions, {time.monotonic() - begun:.0f} s, {len(found)} violations",
            flush=True,
        )
        if not found:
            shutil.rmtree(output)
        return len(course.expected)

    def _sitting(
        self, course: Course, ledger: Ledger, output: Path, backend: str, door: str, number: int, cuts: int
    ) -> None:
        last = number == cuts
        chosen = (
            [] if last else faults.choose(self.rng, backend, door, only=self.options.only, cut=self.rng.random() < 0.95)
        )
        if number:
            name, key = faults.damage(output, self.rng) if not last else ("", "")
            if key:
                ledger.damaged(key)
            self.injected.update(filter(None, [name, faults.damage_cache(self.cache, self.rng) if not last else ""]))
        scene = Scene(
            course=course, backend=backend, output=output, cache=self.cache, daemon=self.daemon, rng=self.rng,
            log=course.folder / f"session-{number}.log", door=door,
        )  # fmt: skip
        workers = 2 if any(each.workers for each in chosen) else 0
        wants = {"clock": any(each.clock for each in chosen), "apart": any(each.apart for each in chosen)}
        scene.start(jobs=self.options.jobs, workers=workers, **wants)
        self.sittings += 1
        done = self._inject(scene, chosen, len(course.expected) // (cuts + 1))
        status = scene.end(seconds=PATIENCE)
        with (course.folder / "faults.log").open("a") as log:
            log.write(
                f"{number}: chosen {[each.name for each in chosen]}, done {[each.name for each in done]}: {status}\n"
            )
        cut = any(each.cuts for each in done)
        if status is None:
            ledger.violations.append(f"session {number} hung ({', '.join(each.name for each in done)}): {scene.log}")
        elif status not in (0, 1) and not cut:
            ledger.violations.append(
                f"session {number} ended with {status} ({', '.join(each.name for each in done)}): {scene.log}"
            )
        if last:
            ledger.violations += self._grown(scene) if door == "library" and status == 0 else []
            return
        excuses = [each.name for each in done if each.excuse]
        ledger.look(excuses=excuses, cut=cut)

    @staticmethod
    def _grown(scene: Scene) -> list[str]:
        """Whether a long-lived process kept more files, threads or memory open than it had after its first attempts."""
        seen = json.loads(scene.open_files.read_text())
        if len(seen) < 20:
            return []
        early, late, end = seen[len(seen) // 4], seen[-2], seen[-1]
        found = [f"{end[0]} files are open after a run, {seen[0][0]} as it began"] if end[0] > seen[0][0] + 4 else []
        if late[2] > early[2] + 32:
            found.append(f"a run grew from {early[2]:.0f} to {late[2]:.0f} MiB of memory")
        return found

    def _inject(self, scene: Scene, chosen: list[faults.Fault], share: int) -> list[faults.Fault]:
        """Do one after the other, each when some more attempts have ended."""
        done = []
        for number, fault in enumerate(chosen):
            goal = max(share * (number + 1) // len(chosen), 1)
            if not scene.wait_for(self.rng.randint(goal - max(share // len(chosen), 1) + 1, goal), seconds=PATIENCE):
                break
            time.sleep(self.rng.uniform(0, 0.15))
            if fault.inject(scene):
                self.injected[fault.name] += 1
                done.append(fault)
            else:
                self.missed[fault.name] += 1
        return done

    def _left(self) -> list[str]:
        """After a session that came to its end: nothing of it, or of those before, may run or be mounted."""
        deadline = time.monotonic() + 5
        while True:
            found = leaks.processes(self.daemon) + leaks.groups(self._prefix()) + leaks.containers(self.daemon)
            found += [f"run folder {path.name}" for path in (self.cache / "bubblewrap" / "run").glob("[!.]*")]
            if not found or time.monotonic() > deadline:
                return found + leaks.locks(self.cache)
            time.sleep(0.1)

    def _prefix(self) -> str:
        from pytest_swegym.sandbox.layers import group_prefix

        os.environ["SWEGYM_CACHE"] = str(self.cache)
        return group_prefix()

    def _sweep_later(self) -> None:
        """What is younger than an hour could be somebody's at work: look at it tomorrow."""
        env = {**os.environ, "SWEGYM_CACHE": str(self.cache)}
        if self.daemon is not None:
            env["DOCKER_HOST"] = self.daemon.url
        tomorrow = self.folder / "tomorrow"
        tomorrow.write_text(str(DAY))
        env |= clock_of(tomorrow)
        argv = [sys.executable, "-m", "pytest_swegym", "sweep"]
        told = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120)
        self.swept = len(told.stdout.splitlines())
        if told.returncode:
            self.violations.append(f"swegym sweep ended with {told.returncode}: {told.stderr[-500:]}")

    def _write_figures(self, made: int) -> None:
        counts = {
            "attempts": made,
            "sessions": self.sittings,
            "faults": sum(self.injected.values()),
            "infra errors that a later session mended": sum(self.infra.values()),
            "violations": len(self.violations),
        }
        figures = [asdict(measure.Figure(f"soak: {name}", count, 0, 1, "count")) for name, count in counts.items()]
        self.options.out.write_text(json.dumps({"machine": measure.machine(), "figures": figures}, indent=2) + "\n")

    def _report(self, made: int, seconds: float) -> None:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"\n{made} attempts in {self.sittings} sessions, {seconds:.0f} s", end="")
        print(f" ({used.ru_utime + used.ru_stime:.0f} s of processors), seed {self.options.seed}")
        for title, counts in (
            ("faults", self.injected),
            ("faults that found nothing to harm", self.missed),
            ("verdicts", self.verdicts),
            ("infra errors on the way, by what was done", self.infra),
        ):
            print(f"\n{title}: {sum(counts.values())}")
            for name, count in counts.most_common():
                print(f"  {count:5} {name}")
        print(f"\nviolations: {len(self.violations)}")
        for each in self.violations:
            print(f"  {each}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--backends", default="bubblewrap,docker")
    parser.add_argument("--image", default="swegym-base:bookworm", help="what containers are made of: has Python, git")
    parser.add_argument("--only", default="", metavar="WORDS", help="only faults with these words in their name")
    parser.add_argument("--out", type=Path, default=None, help="write the counts as JSON too")
    parser.add_argument("--doors", default="pytest,pytest,library", help="who plays the runs, in turns; also: ray")
    parser.add_argument("--keep", action="store_true", help="keep the folder, with the log of every session")
    options = parser.parse_args()
    if INSIDE in os.environ:
        # A shell starts what it does not wait for with Ctrl-C switched off, and so would all sessions be.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return Soak(options, Path(os.environ[INSIDE])).run()
    if os.geteuid() != 0:
        raise SystemExit("it mounts file systems of its own: be root")
    folder = Path(tempfile.mkdtemp(prefix="swegym-soak-"))
    (folder / "tmp").mkdir()
    env = {**os.environ, INSIDE: str(folder), "TMPDIR": str(folder / "tmp")}
    # The first process of the namespace must reap whoever loses its parent: a shell does.
    argv = [
        "unshare",
        "--pid",
        "--fork",
        "--mount",
        "--mount-proc",
        "--kill-child",
        "bash",
        "-c",
        '"$@" & wait $!',
        "sh",
    ]
    try:
        return subprocess.run([*argv, sys.executable, *sys.argv], env=env).returncode
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
