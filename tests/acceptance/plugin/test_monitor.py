"""``--swegym-monitor`` on a real terminal and without one, ``events.jsonl``, and loggers, through the front door."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest

from pytest_swegym.plugin import monitor


Write = Callable[..., Path]
Records = Callable[..., dict[str, dict[str, Any]]]
COLUMNS, LINES = 100, 40
#: A command whose text would clear the screen and set the terminal's title.
HOSTILE = "printf '\x1b[2J\x1b]0;evil\x07' > /dev/null"
GATE = """
import os, time

def pytest_swegym_attempt_event(event):
    if event["event"] == "step" and event["observation"]["step"] == 2:
        end = time.monotonic() + 60
        while not os.path.exists("go") and time.monotonic() < end:
            time.sleep(0.02)
"""


class Terminal:
    """Pytest on a terminal of its own, and what a person would see there."""

    def __init__(self, *options: str) -> None:
        self.raw = b""
        self.seen: list[str] = []
        self._screen = pyte.HistoryScreen(COLUMNS, LINES, history=2000)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.modes = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self._theirs = theirs

    def until(self, told: Callable[[str], bool]) -> str:
        """Look until what is to be seen is as ``told`` wants it, or the end."""
        for text in self._looks():
            if told(text):
                return text
        raise AssertionError(f"it ended without that; the last that was seen:\n{self.text()}")

    def wait(self) -> int:
        for _ in self._looks():
            pass
        after = termios.tcgetattr(self._theirs)
        assert after == self.modes
        os.close(self._ours)
        os.close(self._theirs)
        return self.process.wait()

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def text(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        gone = ["".join(row[column].data for column in range(COLUMNS)) for row in self._screen.history.top]
        return [row.rstrip() for row in (*gone, *self._screen.display)]

    def _looks(self) -> Iterator[str]:
        while True:
            ended = self.process.poll() is not None
            while select.select([self._ours], [], [], 0.05)[0]:
                data = os.read(self._ours, 65536)
                self.raw += data
                self._stream.feed(data)
                self.seen.append(self.text())
                yield self.seen[-1]
            if ended:
                return


@pytest.fixture
def script(project: pytest.Pytester) -> str:
    """A solver that takes three steps, one of them nasty to look at, after which it waits for a file ``go``."""
    actions = ["ls", HOSTILE, "sed -i 's/a - b/a + b/' calc.py"]
    lines = [json.dumps({"action": "command", "command": action}) for action in actions]
    (project.path / "fix.jsonl").write_text("\n".join([*lines, '{"action": "submit"}']) + "\n")
    project.makeconftest(GATE)
    return "--swegym-solver=scripted:fix.jsonl"


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def named(found: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in found if event["event"] == name]


# -- on a terminal ---------------------------------------------------------------------------------


def test_lines_of_what_runs_stand_below_the_report_and_go(
    project: pytest.Pytester, rows: Write, script: str, records: Records
) -> None:
    rows("calc-1", "calc-2", "calc-3")
    terminal = Terminal(
        "--swegym-tasks=rows.jsonl", script, "--swegym-output=out", "--swegym-jobs=3", "--swegym-monitor", "-v"
    )
    terminal.until(
        lambda text: all(f"calc-{number} solve 2" in text for number in (1, 2, 3)) and text.count("]0;evil") == 3
    )
    assert "swegym: 0/3 done, 0 resolved, 3 running, " in terminal.text()
    (project.path / "go").touch()
    assert terminal.wait() == 0
    # Shown in words, never done.
    assert b"\x1b]0;" not in terminal.raw
    assert b"\x1b[2J" not in terminal.raw
    # At the end stands what stands there without a monitor.
    lines = [line for line in terminal.lines() if line]
    assert lines[-1].strip("= ").startswith("3 passed")
    assert [line.split()[:2] for line in lines if "PASSED" in line] == [
        [f"rows.jsonl::calc-{number}", "PASSED"] for number in (1, 2, 3)
    ]
    assert "running" not in terminal.text()
    assert "resolved 3/3 (100.0%), mean reward 1.000" in lines
    assert {found["verdict"] for found in records().values()} == {"resolved"}


def test_ctrl_c_leaves_the_terminal_as_it_was(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1", "calc-2")
    (project.path / "talks.py").write_text(
        "import time\ndef solve(task, workspace):\n    print('begun', end=' ', flush=True)\n    time.sleep(0.5)\n"
        "    print('and ended')\n    time.sleep(60)\n"
    )
    terminal = Terminal("--swegym-tasks=rows.jsonl", "--swegym-solver=talks.py:solve", "--swegym-monitor", "-s")
    # With -s a solver prints between the lines of the report: above those of the monitor.
    terminal.until(lambda text: "begun and ended\n" in text and "calc-1 solve" in text.split("and ended\n")[1])
    terminal.type(b"\x03")
    assert terminal.wait() == 2
    assert "KeyboardInterrupt" in terminal.text()
    assert "running" not in terminal.text()
    assert "begun and ended" in terminal.text()


def test_workers_are_shown_by_their_controller_and_their_records_are_logged(
    project: pytest.Pytester, rows: Write, script: str
) -> None:
    rows("calc-1", "calc-2", "calc-3")
    (project.path / "own.py").write_text(
        "import json\nclass Lines:\n"
        "    def _write(self, *words):\n"
        "        with open('logged.txt', 'a') as file:\n            print(*words, file=file)\n"
        "    def started(self, run):\n        self._write('started', run.config['solver'], run.folder.name)\n"
        "    def attempt(self, record, scalars, step):\n        self._write(step, scalars['run/resolved_rate'])\n"
        "    def finished(self, summary):\n        self._write('finished', summary['resolved'])\n"
    )
    terminal = Terminal(
        "--swegym-tasks=rows.jsonl", script, "--swegym-output=out", "-n2", "--swegym-monitor",
        "--swegym-log=own.py:Lines",
    )  # fmt: skip
    terminal.until(lambda text: "2 running" in text and text.count(" solve 2 ") == 2)
    (project.path / "go").touch()
    assert terminal.wait() == 0
    assert "running" not in terminal.text()
    assert "resolved 3/3" in terminal.text()
    logged = (project.path / "logged.txt").read_text().splitlines()
    assert logged == ["started scripted:fix.jsonl out", "1 1.0", "2 1.0", "3 1.0", "finished 3.0"]
    found = events(project.path / "out")
    assert {event["worker"] for event in named(found, "run_started")} == {"gw0", "gw1"}
    assert len({event["run_id"] for event in named(found, "run_started")}) == 1
    assert sorted(event["attempt"] for event in named(found, "attempt_finished")) == ["calc-1", "calc-2", "calc-3"]
    assert [(event["resolved"], event["exit_status"]) for event in named(found, "run_ended")] == [(3, 0)]


# -- without a terminal ----------------------------------------------------------------------------


def test_plain_lines_without_a_terminal(
    project: pytest.Pytester, rows: Write, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "REMINDER", 0.1)
    project.makeconftest(GATE.replace("+ 60", "+ 1"))
    rows("calc-1")
    rows("bad-1", name="bad.jsonl", repo="./nowhere")
    result = project.runpytest("--swegym-tasks=rows.jsonl,bad.jsonl", script, "--swegym-output=out", "--swegym-monitor")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "swegym: calc-1: begins",
            "swegym: running: calc-1 (solve 2, 0:0?); 0/2 done, 0 resolved",
            "swegym: calc-1: resolved, reward 1.00, 4 steps, 0:0?; 1/2 done, 1 resolved (100%)",
            "swegym: bad-1: begins*",
            "swegym: bad-1: infra_error (infra), 0:00; 2/2 done, 1 resolved (100%)",
        ]
    )
    assert "\x1b" not in result.stdout.str()


# -- events and those who listen -------------------------------------------------------------------


def test_a_listener_that_fails_is_told_of_once_and_harms_nobody(
    project: pytest.Pytester, rows: Write, script: str
) -> None:
    rows("calc-1")
    project.makeconftest(
        """
        def pytest_swegym_attempt_event(item, task, attempt, event):
            with open("heard.txt", "a") as file:
                print(task.instance_id, attempt, event["event"], event.get("stage") or event.get("kind"), file=file)
            if event["event"] == "step":
                raise KeyError("a bug of the listener")
        """
    )
    (project.path / "bad.py").write_text(
        "class Logger:\n    def started(self, run): raise OSError('no network')\n"
        "    def attempt(self, *given): raise AssertionError\n    def finished(self, *given): raise AssertionError\n"
    )
    result = project.runpytest("--swegym-tasks=rows.jsonl", script, "--swegym-output=out", "--swegym-log=bad.py:Logger")
    result.assert_outcomes(passed=1)
    text = result.stdout.str()
    assert text.count("pytest_swegym_attempt_event failed, and the run goes on") == 1
    assert text.count("--swegym-log=bad.py:Logger failed, and the run goes on (told once): OSError: no network") == 1
    quiet = project.runpytest("--swegym-tasks=rows.jsonl", script, "-q", "--swegym-log=bad.py:Logger").stdout.str()
    assert quiet.count("swegym: --swegym-log=bad.py:Logger failed, and the run goes on (told once)") == 1
    (project.path / "heard.txt").write_text("\n".join((project.path / "heard.txt").read_text().splitlines()[:9]))
    heard = ["stage checkout", "stage sandbox", "begin None", "step Command", "step Command", "step Command",
             "step Submit", "stage solve", "stage grade"]  # fmt: skip
    assert (project.path / "heard.txt").read_text().splitlines() == [f"calc-1 0 {each}" for each in heard]
    found = events(project.path / "out")
    assert [event["event"] for event in found] == [
        "run_started", "attempt_started", "stage", "stage", "episode", "step", "step", "step", "step", "stage", "stage",
        "attempt_finished", "run_ended",
    ]  # fmt: skip
    assert found[0]["format"] == "swegym.events/1"
    assert found[0]["settings"]["solver"] == "scripted:fix.jsonl"
    steps = named(found, "step")
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    assert steps[0] == {**steps[0], "attempt": "calc-1", "kind": "Command", "action": "command ls", "exit_code": 0}
    assert "\x1b" not in json.dumps(steps)
    (finished,) = named(found, "attempt_finished")
    assert finished == {**finished, "verdict": "resolved", "reward": 1.0, "steps": 4}


def test_a_killed_run_leaves_its_events_and_its_successor_adds_to_them(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1", "calc-2")
    (project.path / "slow.py").write_text(
        "import os, time\ndef solve(task, workspace):\n"
        "    if task.instance_id == 'calc-2' and not os.path.exists('again'):\n        time.sleep(60)\n"
        "    workspace.write('calc.py', workspace.read('calc.py').replace('a - b', 'a + b'))\n"
    )
    options = ("--swegym-tasks=rows.jsonl", "--swegym-solver=slow.py:solve", "--swegym-output=out")
    with (project.path / "first.log").open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "pytest", *options], stdout=file, stderr=file)
    path = project.path / "out" / "events.jsonl"
    while not path.exists() or path.read_text().count('"attempt_started"') < 2:
        assert process.poll() is None, (project.path / "first.log").read_text()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (project.path / "again").touch()
    project.runpytest(*options, "--swegym-resume").assert_outcomes(passed=2)
    found = events(project.path / "out")
    assert [event["event"] for event in found].count("run_started") == 2
    told = [(event["event"], event["attempt"]) for event in found if event["event"].startswith("attempt_")]
    assert told == [
        ("attempt_started", "calc-1"),
        ("attempt_finished", "calc-1"),
        ("attempt_started", "calc-2"),
        ("attempt_kept", "calc-1"),
        ("attempt_started", "calc-2"),
        ("attempt_finished", "calc-2"),
    ]
    assert found[-1] == {**found[-1], "event": "run_ended", "resolved": 2, "exit_status": 0}


def test_an_ordinary_suite_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\n\ndef test_nothing_is_there():\n"
        "    heavy = {'rich', 'pytest_swegym.results.events', 'pytest_swegym.plugin.recorder'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    pytester.runpytest_subprocess("--swegym-monitor").assert_outcomes(passed=1)
    assert not (pytester.path / "swegym-results").exists()


def test_a_logger_that_is_not_there_is_told_before_anything_is_done(project: pytest.Pytester, rows: Write) -> None:
    rows("calc-1")
    result = project.runpytest("--swegym-tasks=rows.jsonl", "--swegym-solver=gold", "--swegym-log=mlflow")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --swegym-log: 'mlflow' is not known; choose from: wandb, trackio, *"])
