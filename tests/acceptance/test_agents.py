"""Players in real sandboxes: as solvers, in an environment, at a terminal; and what their trajectories say."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_swegym.agents import AgentSolver
from pytest_swegym.agents import load_player
from pytest_swegym.agents import play_env
from pytest_swegym.env import SWEGymEnv
from pytest_swegym.episode import Attempt
from pytest_swegym.errors import SolverError
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.results import ResultStore
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import Trajectory
from pytest_swegym.trajectory import read_trajectory
from pytest_swegym.workspace import Occasion


Solve = Callable[..., tuple[AttemptRecord, Trajectory]]
one_backend = pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True, scope="session")
FIX = "sed -i 's/a - b/a + b/' calc.py\n---\ncat calc.py; date; echo /tmp/x$$\n"


@pytest.fixture
def solve(lab: Lab, task: Task, tmp_path: Path) -> Solve:
    """An attempt of a player, its record and its trajectory, kept as a run keeps them."""
    store = ResultStore(root=tmp_path / "out")

    def run(name: str, *, number: int = 0, **occasion: int) -> tuple[AttemptRecord, Trajectory]:
        folder = store.folder(f"{task.id}.{number}" if number else task.id)
        attempt = Attempt(
            task,
            AgentSolver(load_player(name, root=tmp_path)),
            lab,
            reward=lambda spec, grade: compute_reward("resolved", grade),
            number=number,
            seed=7,
            solver_name=name,
            occasion=Occasion(folder=folder, **occasion),
        )
        record = attempt.record()
        store.write(record)
        return record, read_trajectory(folder / TRAJECTORY)

    return run


def test_a_script_and_its_replay(solve: Solve, tmp_path: Path) -> None:
    (tmp_path / "fix.txt").write_text(FIX)
    record, told = solve("scripted:fix.txt")
    assert (record.verdict, record.reward) == (Verdict.RESOLVED, 1.0)
    assert record.extra == {"steps": 3, "ending": "submit"}
    assert told.end == {
        "verdict": "resolved", "resolved": True, "reward": 1.0, "reward_name": "resolved", "error_stage": "",
        "failure": "", "ending": "submit",
    }  # fmt: skip
    named = {name: told.header[name] for name in ("instance_id", "task_key", "solver", "seed", "attempt", "protocol")}
    assert named == {
        "instance_id": "calc-1", "task_key": record.task_key, "solver": "scripted:fix.txt", "seed": 7, "attempt": 0,
        "protocol": "json",
    }  # fmt: skip
    assert told.first is not None
    assert "add(1, 2) is -1" in told.first["text"]
    assert [step["kind"] for step in told.steps] == ["Command", "Command", "Submit"]
    assert "+    return a + b" in told.steps[0]["observation"]["diff"]
    assert told.steps[1]["observation"]["diff"] == told.steps[0]["observation"]["diff"]

    again, _ = solve("replay:out", number=0)
    assert again.verdict is Verdict.RESOLVED
    assert again.extra["replay"] == {"steps": 3, "compared": 3, "difference": None}


@one_backend
def test_a_replay_that_sees_something_else_says_where(solve: Solve, tmp_path: Path) -> None:
    (tmp_path / "fix.txt").write_text(FIX)
    _, told = solve("scripted:fix.txt")
    path = tmp_path / "out" / "attempts" / "calc-1" / TRAJECTORY
    lines = path.read_text().splitlines(keepends=True)
    assert "a - b" in lines[2]
    path.write_text("".join([*lines[:2], lines[2].replace("s/a - b/a + b/", "s/a - b/b + a/"), *lines[3:]]))
    again, _ = solve("replay:out")
    found = again.extra["replay"]["difference"]
    assert (found["step"], found["what"], found["expected"]) == (1, "tree", told.steps[0]["observation"]["tree"])
    assert again.verdict is Verdict.RESOLVED


@one_backend
def test_forfeit_limits_and_chance(solve: Solve, tmp_path: Path) -> None:
    (tmp_path / "give_up.txt").write_text("sed -i 's/a - b/a + b/' calc.py\n---\nforfeit\n")
    record, told = solve("scripted:give_up.txt")
    assert (record.verdict, record.patch, record.extra["ending"]) == (Verdict.INVALID_PATCH, "", "forfeit")
    assert told.end is not None
    assert told.end["verdict"] == "invalid_patch"

    (tmp_path / "fix.txt").write_text(FIX)
    record, told = solve("scripted:fix.txt", steps=1)
    assert (record.verdict, record.extra) == (Verdict.RESOLVED, {"steps": 1, "ending": "steps"})
    assert told.steps[-1]["truncated"] is True

    record, told = solve("random")
    assert record.verdict in (Verdict.UNRESOLVED, Verdict.INVALID_PATCH)
    assert record.extra["ending"] == "submit"
    _, same = solve("random", number=1)
    assert [step["action"] for step in same.steps] == [step["action"] for step in told.steps]


@one_backend
def test_a_sandbox_that_its_player_ends_is_the_players_error(solve: Solve, tmp_path: Path) -> None:
    (tmp_path / "end.txt").write_text("kill -9 -1\n---\nkill -9 1\n---\nls\n")
    record, _ = solve("scripted:end.txt")
    assert record.verdict is not Verdict.INFRA_ERROR


@one_backend
def test_the_same_players_play_the_environment(lab: Lab, task: Task, tmp_path: Path) -> None:
    (tmp_path / "fix.txt").write_text(FIX)
    (tmp_path / "other.txt").write_text("protocol: execute\n<execute>ls</execute>\n")
    with SWEGymEnv(task, lab=lab, output=tmp_path / "out") as env:
        total, info = play_env(env, load_player("scripted:fix.txt", root=tmp_path), seed=1)
        assert (total, info["verdict"]) == (1.0, "resolved")
        told = next((tmp_path / "out").glob(f"attempts/*/{TRAJECTORY}"))
        player = load_player(f"replay:{told}")
        policy = player.make(task.spec)
        total, info = play_env(env, policy)
        assert (total, policy.told["replay"]["difference"]) == (1.0, None)
        with pytest.raises(SolverError, match="the actions are for protocol='execute', not for 'json'"):
            play_env(env, load_player("scripted:other.txt", root=tmp_path))


# -- at a terminal -------------------------------------------------------------------------------


@pytest.fixture
def rows(task: Task, tmp_path: Path, lab: Lab) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(task.to_dict()) + "\n")
    return path


def command(rows: Path) -> list[str]:
    output = f"--output={rows.parent / 'out'}"
    return [sys.executable, "-m", "pytest_swegym", "play", str(rows), "--sandbox=bubblewrap", output]


@one_backend
def test_a_person_plays_through_a_pipe(rows: Path) -> None:
    lines = [
        "cd tests && X=5", ":undo", "pwd; echo X=$X.", ":nonsense",
        ":write calc.py", "def add(a, b):", "    return a + b", "def twice(a):", "    return a * 2", ":end",
        ":diff", ":tests", "echo 'two", "lines'", ":undo 9", ":undo 2", ":forfeit now", "submit",
        "for i in 1 2; do", "echo n$i", "done", ":help", ":submit",
    ]  # fmt: skip
    done = subprocess.run(command(rows), input="\n".join(lines), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for text in (
        "add(1, 2) is -1", "Back at step 0.", "/testbed\nX=.", ":nonsense: there is no such word", "+    return a + b",
        "Ran 1 test", "two\nlines\n", "the last 4 can be", "Taken back: echo 'two ...\nBack at step 2.",
        "nothing may come after :forfeit", "Did you mean :submit?", "n1\nn2\n", "take the last N steps back",
        "Submitted.", "calc-1: resolved", "reward 1 (resolved)",
    ):  # fmt: skip
        assert text in done.stdout
    told = read_trajectory(rows.parent / "out" / "attempts" / "calc-1" / TRAJECTORY)
    assert [step["kind"] for step in told.steps] == ["Command", "WriteFile", "Command", "Command", "Submit"]


@one_backend
def test_a_pipe_that_ends_forfeits(rows: Path) -> None:
    done = subprocess.run(command(rows), input="ls\nif true", capture_output=True, text=True)
    assert done.returncode == 1
    assert "The command was not finished; it is dropped." in done.stdout
    assert "submit your work (s), forfeit (f)" in done.stdout
    assert "Forfeited" in done.stdout
    again = subprocess.run(command(rows), input=":submit\n", capture_output=True, text=True)
    assert again.returncode == 4
    assert "holds an attempt at calc-1 already; choose another folder" in again.stderr


@one_backend
def test_an_episode_that_is_killed_can_be_read_and_played_on(rows: Path) -> None:
    path = rows.parent / "out" / "attempts" / "calc-1" / TRAJECTORY
    (rows.parent / "slow.txt").write_text("echo begun\n---\nsleep 600\n")
    process = subprocess.Popen([*command(rows), f"--solver=scripted:{rows.parent / 'slow.txt'}"])
    until = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < 3:
        assert time.monotonic() < until
        time.sleep(0.05)
    process.kill()
    process.wait()
    told = read_trajectory(path)
    assert (told.cut, [step["observation"]["output"] for step in told.steps]) == (True, ["begun\n"])
    again = [*command(rows)[:-1], f"--solver=replay:{path}", f"--output={rows.parent / 'again'}"]
    done = subprocess.run(again, capture_output=True, text=True)
    assert (done.returncode, "1 of 1 steps, no difference" in done.stderr) == (1, True), done.stdout + done.stderr
    assert 'step 1: Command {"action": "command", "command": "echo begun"} (exit code 0)\n' in done.stdout
    assert "the episode ended: " in done.stdout
    assert (rows.parent / "again" / "index.html").is_file()


class Screen:
    """A terminal that a program runs in: what it printed, and keys to type."""

    def __init__(self, handle: int) -> None:
        self._handle, self.seen, self._from = handle, "", 0

    def type(self, text: str) -> None:
        os.write(self._handle, text.encode())

    def wait(self, text: str) -> None:
        """Wait for a text after the last that was waited for; fails with all that was printed."""
        until = time.monotonic() + 60
        while text not in self.seen[self._from :]:
            waiting = select.poll()  # select() cannot wait for descriptors above 1023
            waiting.register(self._handle, select.POLLIN)
            if not waiting.poll(max(until - time.monotonic(), 0) * 1000):
                pytest.fail(f"{text!r} did not come:\n{self.seen}")
            try:
                self.seen += os.read(self._handle, 65536).decode("utf-8", "replace")
            except OSError:
                pytest.fail(f"{text!r} did not come before the end:\n{self.seen}")
        self._from = self.seen.index(text, self._from) + len(text)

    def wait_for_a_command(self) -> None:
        """Wait until Ctrl-C is a key that is listened to; a prompt takes more keys than that."""
        until = time.monotonic() + 60
        while termios.tcgetattr(self._handle)[3] & (termios.ISIG | termios.IEXTEN) != termios.IEXTEN:
            assert time.monotonic() < until, self.seen
            time.sleep(0.05)


@contextmanager
def screen(argv: list[str], cwd: Path) -> Iterator[tuple[Screen, subprocess.Popen[bytes]]]:
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40", "PROMPT_TOOLKIT_NO_CPR": "1"}
    process = subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=env, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Screen(ours), process
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@one_backend
def test_a_person_plays_at_a_terminal(rows: Path) -> None:
    with screen(command(rows), rows.parent) as (shown, process):
        shown.wait("calc-1 [0]$")
        shown.type("echo begun; sleep 600\r")
        shown.wait_for_a_command()
        time.sleep(1.0)  # it has been sent; it must have begun, too
        shown.type("\x03")  # ends the command, not the game
        shown.wait("[exit code 130]")
        shown.wait("calc-1 [1]$")
        shown.type("abc\x03")  # drops the line
        shown.wait("calc-1 [1]$")
        shown.type(":write calc.py\r")
        shown.wait("Esc then Enter ends it")
        shown.wait("return a * 2")
        shown.type("# mine\r\x1b\r")
        shown.wait("File calc.py written.")
        shown.type(":diff\r")
        shown.wait("# mine")
        shown.wait("calc-1 [2]$")
        shown.type("\x04")
        shown.wait("or go on (Enter)?")
        shown.type("s\r")
        shown.wait("calc-1: unresolved")
        shown.wait("reward 0")
        assert process.wait(timeout=60) == 1
