"""Candidates of the side-by-side run: the orders that a driver carries out, and what is counted after a SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import common
import pytest
from player import Failed
from player import Player
from traces import started
from traces import tree


DRIVERS = Path(common.__file__).parent
DRIVER = f"""
import os, shutil, subprocess, sys, tempfile
sys.path.insert(0, {str(DRIVERS)!r})
from common import Driver, serve

class Folders(Driver):
    package = "pytest"

    def make(self):
        folder = tempfile.mkdtemp(dir=self.setting["place"])
        return folder, subprocess.Popen(["sleep", "60"])

    def run(self, environment, command):
        return subprocess.run(["sh", "-c", command], cwd=environment[0], capture_output=True, text=True).stdout

    def end(self, environment):
        shutil.rmtree(environment[0])
        environment[1].kill()
        environment[1].wait()

    def fresh(self, environment):
        return environment if self.setting["dirty"] else super().fresh(environment)

serve(Folders)
"""


@pytest.fixture
def player(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Player]:
    (tmp_path / "driver.py").write_text(DRIVER)
    place = tmp_path / "place"
    place.mkdir()
    setting = {"place": str(place), "dirty": getattr(request, "param", False)}
    (tmp_path / "setting.json").write_text(json.dumps(setting))
    files = (tmp_path / name for name in ("driver.py", "setting.json", "log"))
    made = Player("folders", Path(sys.executable), *files)
    yield made
    made.close()


def test_orders_are_timed_and_leave_nothing(player: Player, tmp_path: Path) -> None:
    assert player.ask("hello")["version"]
    assert [len(player.ask(op)["times"]) for op in ("start", "step", "reset")] == [1, 10, 1]
    player.ask("hold", count=3)
    assert len(list((tmp_path / "place").iterdir())) == 4
    player.close()
    assert list((tmp_path / "place").iterdir()) == []


@pytest.mark.parametrize("player", [True], indirect=True)
def test_a_reset_that_keeps_files_is_an_error(player: Player) -> None:
    with pytest.raises(Failed, match="a file of the one before"):
        player.ask("reset")
    assert len(player.ask("step")["times"]) == 10


def test_what_survives_its_controller_is_seen(player: Player) -> None:
    player.ask("hold", count=2)
    below = tree(player.pid)
    assert len(below) == 2
    player.kill()
    assert [started(pid) == born for pid, born in below.items()] == [True, True]
    for pid in below:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(Failed, match="it ended"):
        player.ask("step")


def test_a_verdict_needs_every_listed_test() -> None:
    log = "PASSED a.py::test_one\nFAILED a.py::test_two - assert 0\nPASSED a.py::test_three[a b]\n"
    assert common.resolved(log, {"fail_to_pass": ["a.py::test_one"], "pass_to_pass": ["a.py::test_three[a b]"]})
    assert not common.resolved(log, {"fail_to_pass": ["a.py::test_one"], "pass_to_pass": ["a.py::test_two"]})
