"""Us and what a user would pick instead, in one run on one image: ``python benchmarks/side_by_side/run.py --out FILE``.

Every candidate runs in a virtualenv of its own (made from the package index at the first run, kept after it) and in a
process of its own, driven through its public API by a script in ``drivers/``; they take turns at every operation.
Image, repository, patches and tests are the same for all: those of ``--task``, as our preparation left them for Docker.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path


sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import measure
from compose import compose_environ
from measure import Figure
from measure import figure
from player import Failed
from player import Player
from setting import Setting
from traces import Machine
from traces import tree
from virtualenvs import interpreter


HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: How long one operation of one candidate may take in all before it gets no more runs, in seconds.
PATIENCE = 25.0
AT_ONCE, KILLED = 20, 5


@dataclass(frozen=True)
class Candidate:
    """Who is measured: its driver, its virtualenv (none: this one), and the kind of sandbox that it is asked for."""

    name: str
    driver: str
    venv: str = ""
    kind: str = ""
    prefork: bool = False
    shards: int = 1


CANDIDATES = (
    Candidate("swegym bubblewrap", "use_ours", kind="bubblewrap"),
    Candidate("swegym bubblewrap, prefork", "use_ours", kind="bubblewrap", prefork=True),
    Candidate("swegym bubblewrap, prefork, 2 shards", "use_ours", kind="bubblewrap", prefork=True, shards=2),
    Candidate("swegym docker", "use_ours", kind="docker"),
    Candidate("Docker SDK", "use_docker_sdk", "docker"),
    Candidate("mini-swe-agent docker", "use_mini", "mini", "docker"),
    Candidate("mini-swe-agent local", "use_mini", "mini", "local"),
    Candidate("swe-rex docker", "use_swerex", "swerex"),
    Candidate("inspect-ai docker", "use_inspect", "inspect", "docker"),
    Candidate("swebench", "use_swebench", "swebench"),
)
OPERATIONS = {
    "start": "start to first command",
    "step": "one step",
    "reset": "reset to a fresh episode",
    "grade": "one full grade",
}


class Report:
    """What was found so far, printed as it comes."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self.notes: dict[str, str] = {}
        self.versions: dict[str, str] = {}

    def add(self, *figures: Figure) -> None:
        self.figures += measure.show(list(figures))

    def note(self, name: str, text: str) -> None:
        self.notes[name] = f"{self.notes[name]}; {text}" if name in self.notes else text
        print(f"{name}: {text}", flush=True)

    def failed(self, name: str, error: Failed) -> None:
        """Worth a note, unless it is something that the candidate does not offer."""
        if "NotImplementedError" not in str(error):
            self.note(name, str(error))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", type=Path, default=ROOT / "task_specs" / "marshmallow__4.2.3.swegym.toml")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", default="", help="candidates whose names have one of these words, comma-separated")
    parser.add_argument("--out", type=Path, default=None, help="write the figures as JSON too")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was made is removed
    words = options.only.split(",")
    wanted = [each for each in CANDIDATES if any(word in each.name for word in words)]
    report = Report()
    with Setting(options.task) as setting:
        print(f"machine: {measure.machine()}\ntask: {setting.name}\n", flush=True)
        machine = Machine(setting.snapshot)
        with players(wanted, setting, report) as playing:
            in_turns(playing, options.runs, report)
            for player in playing:
                at_once(player, machine, report)
        for candidate in wanted:
            killed(candidate, setting, machine, report)
        found = {
            "machine": measure.machine(),
            "task": setting.name,
            "versions": report.versions,
            "notes": report.notes,
            "figures": [asdict(each) for each in report.figures],
        }
    print(*(f"{name} {version}" for name, version in report.versions.items()), sep="\n")
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


@contextmanager
def players(wanted: list[Candidate], setting: Setting, report: Report) -> Iterator[list[Player]]:
    """Those that could be started; why another could not is noted."""
    playing: list[Player] = []
    try:
        for candidate in wanted:
            try:
                player = begin(candidate, setting, report)
                playing.append(player)
                answer = player.ask("hello")
            except (Failed, subprocess.CalledProcessError) as error:
                report.note(candidate.name, f"could not be run: {error}")
                playing = [each for each in playing if each.name != candidate.name]
                continue
            report.versions[candidate.name] = answer["version"]
            if answer["note"]:
                report.note(candidate.name, answer["note"])
        yield playing
    finally:
        for player in playing:
            player.close()


def begin(candidate: Candidate, setting: Setting, report: Report) -> Player:
    python = interpreter(candidate.venv) if candidate.venv else Path(sys.executable)
    environ: dict[str, str] = {}
    if candidate.venv == "swerex":
        setting.add_rex()
    if candidate.venv == "inspect":
        environ = compose_environ()
    path = setting.file(
        candidate.name.replace(" ", "-"), kind=candidate.kind, prefork=candidate.prefork, shards=candidate.shards
    )
    log = setting.folder / f"{candidate.name}.log"
    return Player(candidate.name, python, HERE / "drivers" / f"{candidate.driver}.py", path, log, environ)


def in_turns(playing: list[Player], runs: int, report: Report) -> None:
    """Every operation, the candidates taking turns; one that is slow gets fewer runs, one that cannot gets none."""
    for op, title in OPERATIONS.items():
        times: dict[str, list[float]] = {}
        spent = dict.fromkeys((player.name for player in playing), 0.0)
        whole: dict[str, list[float]] = {}
        out: set[str] = set()
        for number in range(runs + 1):
            for player in playing:
                if player.name in out or (spent[player.name] > PATIENCE and len(times.get(player.name, ())) >= 2):
                    continue
                begun = time.perf_counter()
                try:
                    answer = player.ask(op)
                except Failed as error:
                    out.add(player.name)
                    report.failed(player.name, error)
                    continue
                spent[player.name] += time.perf_counter() - begun
                if answer.get("resolved") is False:
                    out.add(player.name)
                    report.note(player.name, "the gold patch was not called resolved")
                if number:
                    times.setdefault(player.name, []).extend(answer["times"])
                    if "whole" in answer:
                        whole.setdefault(player.name, []).append(answer["whole"])
        report.add(*(figure(f"{title}: {name}", values) for name, values in times.items() if name not in out))
        report.add(*(figure(f"{title}, container gone: {name}", values) for name, values in whole.items()))


def at_once(player: Player, machine: Machine, report: Report) -> None:
    """Twenty alive at the same time: until each has answered, what each takes, until all are gone."""
    try:
        player.ask("rest")  # what it kept so far would count
        time.sleep(1)
        before, taken = machine.containers(), machine.memory(player.pid, set())
        started = player.ask("hold", count=AT_ONCE)["times"]
        memory = (machine.memory(player.pid, machine.containers() - before) - taken) / AT_ONCE
        ended = player.ask("drop")["times"]
    except Failed as error:
        report.failed(player.name, error)
        return
    report.add(
        figure(f"{AT_ONCE} at once: {player.name}", started),
        figure(f"{AT_ONCE} ended: {player.name}", ended),
        figure(f"memory per idle environment: {player.name}", [memory], "MiB"),
    )


def killed(candidate: Candidate, setting: Setting, machine: Machine, report: Report) -> None:
    """What is there five seconds after the process that drove five environments was killed by SIGKILL."""
    if candidate.name not in report.versions or candidate.prefork:
        return
    before = machine.containers()
    player = begin(candidate, setting, report)
    try:
        player.ask("hold", count=KILLED)
    except Failed as error:
        report.note(candidate.name, str(error))
    processes = tree(player.pid)
    player.kill()
    player.close()
    time.sleep(5)
    mine = machine.containers() - before
    left = machine.left(processes, mine)
    for what, count in asdict(left).items():
        report.add(figure(f"left after kill -9, {what}: {candidate.name}", [float(count)], "count"))
    if left.containers and not candidate.venv:
        begin(candidate, setting, report).close()  # the next run sweeps
        swept = float(len(machine.containers() & mine))
        report.add(figure(f"left after kill -9 and a next start, containers: {candidate.name}", [swept], "count"))
    machine.remove(machine.containers() & mine, processes)


if __name__ == "__main__":
    main()
