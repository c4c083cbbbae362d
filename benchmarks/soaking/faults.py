"""What is done to a run: each fault, and which infra errors it explains."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from soaking.cellar import full
from soaking.scene import DAY
from soaking.scene import HOUR
from soaking.scene import Scene
from soaking.scene import below
from soaking.scene import can_leave_the_network
from soaking.scene import children
from soaking.scene import jails
from soaking.scene import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``inject`` does it to a session under way, and says whether there was something to do it to.

    ``excuse`` says that attempts may end in an infra error for it, ``cuts`` that it ends the session. It needs one of
    ``backends`` and ``doors``, ``clock`` or ``apart`` of the session, or ``workers``.
    """

    name: str
    inject: Callable[[Scene], bool]
    excuse: bool = False
    cuts: bool = False
    backends: tuple[str, ...] = ("bubblewrap", "docker")
    doors: tuple[str, ...] = ("pytest", "library", "ray")
    clock: bool = False
    apart: bool = False
    workers: bool = False


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def kill_run(scene: Scene) -> bool:
    return _signal(scene.process.pid, signal.SIGKILL)


def kill_run_and_all_below(scene: Scene) -> bool:
    doomed = [scene.process.pid, *below(scene.process.pid)]
    scene.rng.shuffle(doomed)
    return sum(_signal(pid, signal.SIGKILL) for pid in doomed) > 0


def end_run(scene: Scene) -> bool:
    return _signal(scene.process.pid, scene.rng.choice([signal.SIGTERM, signal.SIGINT]))


def kill_worker(scene: Scene) -> bool:
    workers = [pid for pid in children(scene.process.pid) if "exec(eval(sys.stdin" in words(pid)]
    return bool(workers) and _signal(scene.rng.choice(workers), signal.SIGKILL)


def kill_ray_worker(scene: Scene) -> bool:
    workers = [pid for pid in below(scene.process.pid) if words(pid).startswith("ray::")]
    return bool(workers) and _signal(scene.rng.choice(workers), signal.SIGKILL)


def kill_sandbox(scene: Scene) -> bool:
    found = _some_jail(scene)
    return bool(found) and _signal(found, signal.SIGKILL)


def kill_agent(scene: Scene) -> bool:
    """While the hidden tests run: what a solver's own sandbox ends of is the solver's, and told as such."""
    return _while_grading(scene, lambda jail: [pid for first in children(jail) for pid in children(first)], _end)


def kill_first_process(scene: Scene) -> bool:
    return _while_grading(scene, children, _end)


def stop_inside(scene: Scene) -> bool:
    """Every process of a sandbox stands still for a while."""

    def pause(pid: int) -> bool:
        return _pause(scene, [pid, *below(pid)])

    return _while_grading(scene, lambda jail: [jail], pause)


def stop_run(scene: Scene) -> bool:
    return _pause(scene, [scene.process.pid])


def _pause(scene: Scene, pids: list[int]) -> bool:
    stopped = [pid for pid in pids if _signal(pid, signal.SIGSTOP)]
    time.sleep(scene.rng.uniform(0.2, 1.5))
    for pid in stopped:
        _signal(pid, signal.SIGCONT)
    return bool(stopped)


def _end(pid: int) -> bool:
    return _signal(pid, signal.SIGKILL)


def _some_jail(scene: Scene) -> int:
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and not scene.over:
        found = jails(scene.process.pid)
        if found:
            return scene.rng.choice(found)
        time.sleep(0.005)
    return 0


def _while_grading(scene: Scene, pick: Callable[[int], list[int]], do: Callable[[int], bool]) -> bool:
    """Do it to a process of a sandbox in which a right answer is being graded, and sleeps a moment."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not scene.over:
        for jail in jails(scene.process.pid):
            inside = below(jail)
            if any(words(pid).startswith("sleep 0.4") for pid in inside):
                doomed = pick(jail)
                return bool(doomed) and do(doomed[0])
        time.sleep(0.005)
    return False


def fill_cache(scene: Scene) -> bool:
    with full(scene.cache):
        time.sleep(scene.rng.uniform(0.5, 2.0))
    return True


def fill_output(scene: Scene) -> bool:
    with full(scene.output.parent):
        time.sleep(scene.rng.uniform(0.5, 2.0))
    return True


def jump_clock(scene: Scene) -> bool:
    """The time of day jumps, to and fro; the monotonic clock does not, as with settimeofday."""
    for _ in range(3):
        scene.set_clock(scene.rng.choice([DAY, -DAY, 400 * DAY, -3 * HOUR, 2 * HOUR, 0]))
        time.sleep(scene.rng.uniform(0.1, 0.5))
    return True


def lose_network(scene: Scene) -> bool:
    argv = ["nsenter", f"--net=/proc/{scene.process.pid}/ns/net", "ip", "link", "set", "lo", "down"]
    return subprocess.run(argv, capture_output=True).returncode == 0


def lose_layer(scene: Scene) -> bool:
    """A saved layer goes while sandboxes lie on it."""
    return _lose(scene, list((scene.cache / "bubblewrap" / "layers").glob("[!.]*")))


def lose_baselines(scene: Scene) -> bool:
    """What was measured and graded goes."""
    lost = [_lose(scene, [scene.cache / name]) for name in ("baselines", "grades", "cards")]
    return any(lost)


def _lose(scene: Scene, choices: list[Path]) -> bool:
    present = sorted(path for path in choices if path.exists())
    if present:
        shutil.rmtree(scene.rng.choice(present), ignore_errors=True)
    return bool(present)


def kill_daemon(scene: Scene) -> bool:
    if scene.daemon is None:
        return False
    scene.daemon.kill()
    time.sleep(scene.rng.uniform(0.0, 1.5))
    scene.daemon.start()
    return True


def restart_daemon(scene: Scene) -> bool:
    if scene.daemon is None:
        return False
    scene.daemon.stop()
    time.sleep(scene.rng.uniform(0.0, 0.5))
    scene.daemon.start()
    return True


def kill_container(scene: Scene) -> bool:
    if scene.daemon is None:
        return False
    found = scene.daemon.own("ps")
    return bool(found) and scene.daemon.ask("kill", scene.rng.choice(found)).returncode == 0


_EMBEDDED, _DOCKER = ("bubblewrap",), ("docker",)
FAULTS = (
    Fault(name="SIGKILL of the run", inject=kill_run, cuts=True),
    Fault(name="SIGKILL of the run and all below it", inject=kill_run_and_all_below, cuts=True),
    Fault(name="SIGTERM or SIGINT of the run", inject=end_run, cuts=True),
    Fault(name="SIGKILL of an xdist worker", inject=kill_worker, workers=True, doors=("pytest",)),
    Fault(name="SIGKILL of a Ray worker", inject=kill_ray_worker, excuse=True, doors=("ray",)),
    Fault(name="SIGSTOP of the run", inject=stop_run),
    Fault(name="SIGKILL of a sandbox", inject=kill_sandbox, excuse=True, backends=_EMBEDDED),
    Fault(name="SIGKILL of a sandbox's first process", inject=kill_first_process, excuse=True, backends=_EMBEDDED),
    Fault(name="SIGKILL of a sandbox's agent", inject=kill_agent, excuse=True, backends=_EMBEDDED),
    Fault(name="SIGSTOP of a sandbox", inject=stop_inside, excuse=True, backends=_EMBEDDED),
    Fault(name="full disk under the cache", inject=fill_cache, excuse=True, backends=_EMBEDDED),
    Fault(name="full disk under the records", inject=fill_output, excuse=True),
    Fault(name="clock jump", inject=jump_clock, clock=True),
    Fault(name="network gone", inject=lose_network, excuse=True, apart=True),
    Fault(name="a layer of the cache gone", inject=lose_layer, excuse=True, backends=_EMBEDDED),
    Fault(name="baselines and grades of the cache gone", inject=lose_baselines, excuse=True),
    Fault(name="SIGKILL and restart of dockerd", inject=kill_daemon, excuse=True, backends=_DOCKER),
    Fault(name="restart of dockerd", inject=restart_daemon, excuse=True, backends=_DOCKER),
    Fault(name="SIGKILL of a container", inject=kill_container, excuse=True, backends=_DOCKER),
)


def choose(rng: random.Random, backend: str, door: str, *, only: str, cut: bool) -> list[Fault]:
    """The faults of one sitting: up to three, of which the last cuts the session if ``cut``."""
    fits = [each for each in FAULTS if backend in each.backends and door in each.doors]
    # A cluster has a network, and clocks that agree.
    fits = [each for each in fits if (can_leave_the_network() or not each.apart) and not (door == "ray" and each.apart)]
    fits = [each for each in fits if not (door == "ray" and each.clock)]
    milder = [each for each in fits if not each.cuts and only in each.name]
    chosen = rng.sample(milder, min(rng.randint(1, 2), len(milder)))
    # One session cannot be both: the controller is a worker's parent, and its clock is that of its workers.
    if any(each.workers for each in chosen):
        chosen = [each for each in chosen if not (each.clock or each.apart)]
    return chosen + ([rng.choice([each for each in fits if each.cuts])] if cut else [])


def damage(output: Path, rng: random.Random) -> tuple[str, str]:
    """Between two sittings: cut a record short, as a machine that lost power leaves it. What was cut, and whose."""
    folders = sorted((output / "attempts").glob("*/record.json"))
    if not folders or rng.random() < 0.4:
        return "", ""
    record = rng.choice(folders)
    size = record.stat().st_size
    os.truncate(record, rng.randrange(size))
    return "a record cut short", record.parent.name


def damage_cache(cache: Path, rng: random.Random) -> str:
    """The same for a file of the cache: a kept grade, a baseline, a layer's description, a card."""
    patterns = ("grades/*/*.gz", "baselines/*.json", "bubblewrap/layers/*/snapshot.json", "cards/*/*")
    files = sorted(path for path in cache.glob(rng.choice(patterns)) if path.is_file())
    if not files or rng.random() < 0.4:
        return ""
    path = rng.choice(files)
    os.truncate(path, rng.randrange(max(path.stat().st_size, 1)))
    return "a file of the cache cut short"
