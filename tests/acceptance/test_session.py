"""A session in a real sandbox: what actions do, what is seen, where it ends, and how it is gone back to."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.registry import required
from pytest_swegym.session import Action
from pytest_swegym.session import Command
from pytest_swegym.session import Forfeit
from pytest_swegym.session import Observation
from pytest_swegym.session import Session
from pytest_swegym.session import SessionLimits
from pytest_swegym.session import Start
from pytest_swegym.session import StepReward
from pytest_swegym.session import Submit
from pytest_swegym.session import Turn
from pytest_swegym.session import WriteFile
from pytest_swegym.session import load_protocol
from pytest_swegym.task import Task
from pytest_swegym.tools import ENDED
from pytest_swegym.tools import Toolset


Opened = Callable[..., Session]
#: For what does not depend on the backend: one is enough.
one_backend = pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True, scope="session")
SECOND = """--- a/calc.py
+++ b/calc.py
@@ -3,3 +3,3 @@

 def twice(a):
-    return a * 2
+    return a + a
"""


@pytest.fixture(scope="session")
def located(lab: Lab, task: Task) -> Snapshot:
    return lab.located(task)[1]


@pytest.fixture
def opened(lab: Lab, task: Task, located: Snapshot) -> Iterator[Opened]:
    """Opens sessions, each in a workspace of its own."""
    with ExitStack() as stack:

        def make(
            protocol: str = "json", *, watch: bool = True, step_reward: StepReward | None = None, **limits: float
        ) -> Session:
            workspace = stack.enter_context(lab.workspace(task.spec, located))
            session = Session(
                task.spec,
                workspace,
                load_protocol(protocol)(),
                limits=SessionLimits(**limits),  # type: ignore[arg-type]
                watch=watch,
                step_reward=step_reward,
            )
            stack.callback(session.close)
            session.begin()
            return session

        yield make


def run(session: Session, command: str) -> Turn:
    return session.act(Command(command=command))


# -- on every backend ----------------------------------------------------------------------------


def test_an_episode(opened: Opened) -> None:
    session = opened()
    first = session.observation
    assert "add(1, 2) is -1" in first.text
    assert (first.step, first.diff, bool(first.tree)) == (0, "", True)

    turn = session.step(
        '{"action": "command", "command": "X=5; cd tests; echo $X; exit_code() { return 3; }; exit_code"}'
    )
    assert (turn.observation.output, turn.observation.exit_code, turn.observation.step) == ("5\n", 3, 1)
    assert turn.observation.tree == first.tree
    turn = session.step('{"action": "write_file", "path": "new/ü.txt", "content": "é\\n"}')
    assert turn.observation.text == "File new/ü.txt written."
    assert "+é" in turn.observation.diff
    assert turn.observation.tree != first.tree
    assert run(session, "pwd; echo $X").observation.output == "/testbed/tests\n5\n"  # the shell lives on

    turn = session.act(Submit())
    assert (turn.terminated, turn.truncated, turn.ending) == (True, False, "submit")
    late = run(session, "echo > /testbed/late")
    assert (late.terminated, late.ending, late.observation.exit_code) == (True, "submit", None)
    assert "The episode has ended" in late.observation.notice
    assert "late" not in session.workspace.diff()


@one_backend
def test_the_first_look_shows_what_was_changed_before_the_episode(lab: Lab, task: Task, located: Snapshot) -> None:
    with lab.workspace(task.spec, located) as workspace:
        workspace.write("early.txt", "early\n")
        session = Session(task.spec, workspace, load_protocol("json")())
        first = session.begin()
        assert "+early" in first.diff
        assert first.tree == workspace.tree()
        run(session, "rm early.txt")
        assert session.observation.diff == ""
        again = Session(task.spec, workspace, load_protocol("json")())
        assert (again.begin().diff, again.observation.tree) == ("", workspace.tree())
        session.close()
        again.close()


def test_going_back_takes_the_shell_along(opened: Opened) -> None:
    session = opened(steps=10)
    run(session, "cd tests; X='a b'; f() { echo f$X; }; export Y=y; echo one > one.txt")
    moment = session.snapshot()
    run(session, "cd /; X=2; unset -f f; rm /testbed/tests/one.txt; echo two > /testbed/two.txt")
    session.act(Submit())
    assert session.done

    back = session.restore(moment)
    assert back == moment.observation
    assert not session.done
    turn = run(session, 'pwd; echo "$X"; f; sh -c "echo $Y"; cat one.txt; ls ..')
    assert turn.observation.output.startswith("/testbed/tests\na b\nfa b\ny\none\n")
    assert "two.txt" not in turn.observation.output
    assert turn.observation.remaining.steps == 8


def test_branches_do_not_meet(opened: Opened, task: Task) -> None:
    session = opened()
    run(session, "cd tests; X=1; echo base > f")
    moment = session.snapshot()
    with session.workspace.branch(moment.snapshot) as workspace:
        other = Session(task.spec, workspace, load_protocol("json")())
        other.restore(moment, rewind=False)
        run(other, "echo other > f; X=2")
        run(session, "echo own > f")
        assert run(other, "cat f; echo $X; pwd").observation.output == "other\n2\n/testbed/tests\n"
        assert run(session, "cat f; echo $X; pwd").observation.output == "own\n1\n/testbed/tests\n"
        assert "+other" in other.observation.diff
        other.close()


def test_a_sandbox_that_is_ended_from_inside_ends_the_episode(opened: Opened) -> None:
    session = opened()
    run(session, "echo 1 > kept.txt")
    moment = session.snapshot()
    turn = run(session, "kill -9 -1")
    for _ in range(20):  # some backends need a moment to see it
        turn = turn if turn.done else run(session, "sleep 0.1")
    assert (turn.ending, turn.truncated, turn.terminated) == ("sandbox", True, False)
    assert "ended from inside" in turn.observation.text
    assert run(session, "true").ending == "sandbox"
    assert "+1" in turn.observation.diff  # as it was seen last
    session.restore(moment)
    assert run(session, "cat kept.txt").observation.output == "1\n"


# -- limits --------------------------------------------------------------------------------------


@one_backend
def test_steps_are_counted_and_end_the_episode(opened: Opened) -> None:
    session = opened(steps=3)
    assert session.observation.remaining.steps == 3
    assert run(session, "true").observation.remaining.steps == 2
    assert session.step("bad").observation.remaining.steps == 1
    turn = run(session, "echo last")
    assert (turn.observation.output, turn.observation.remaining.steps) == ("last\n", 0)
    assert (turn.truncated, turn.terminated, turn.ending) == (True, False, "steps")
    assert "The episode has ended: its limit of steps is reached." in turn.observation.text
    after = run(session, "echo more")
    assert (after.truncated, after.terminated, after.observation.output) == (True, False, "")


@one_backend
def test_a_submission_in_the_last_step_is_one(opened: Opened) -> None:
    turn = opened(steps=1).act(Submit())
    assert (turn.terminated, turn.truncated, turn.ending) == (True, False, "submit")


@one_backend
def test_the_time_of_an_episode_ends_the_running_command(opened: Opened) -> None:
    session = opened(seconds=1.0)
    turn = run(session, "sleep 60")
    assert turn.observation.timed_out
    assert (turn.truncated, turn.ending, turn.observation.remaining.seconds) == (True, "seconds", 0)


@one_backend
def test_a_command_that_runs_too_long_ends_and_the_shell_lives(opened: Opened) -> None:
    session = opened(command_seconds=0.3)
    run(session, "X=kept")
    turn = run(session, "echo before; sleep 60; echo after")
    assert turn.observation.timed_out
    assert turn.observation.output.startswith("before\n")
    assert "after" not in turn.observation.output
    assert "The command was ended: it ran longer than 0.3 s." in turn.observation.text
    assert not turn.done
    assert run(session, "echo $X").observation.output == "kept\n"
    assert session.act(Command(command="sleep 60", timeout=0.1)).observation.timed_out


@one_backend
def test_a_shell_that_ends_is_told_and_followed_by_another(opened: Opened) -> None:
    session = opened()
    run(session, "X=lost")
    turn = run(session, "echo last; exit 3")
    assert (turn.observation.exit_code, turn.observation.output, turn.done) == (3, "last\n", False)
    assert "The shell has ended; the next command runs in a fresh one." in turn.observation.text
    after = run(session, "echo [$X]").observation
    assert (after.output, after.notice) == ("[]\n", "")


@one_backend
def test_output_is_capped_per_step_and_per_episode(opened: Opened) -> None:
    session = opened(step_output=200, output=300)
    turn = run(session, "seq 100000")
    assert turn.observation.truncated
    assert turn.observation.output.startswith("1\n2\n")
    assert turn.observation.output.endswith("100000\n")
    assert "bytes" in turn.observation.output  # the cut is said
    assert len(turn.observation.output) < 400
    assert turn.observation.remaining.output == 300 - len(turn.observation.output)
    turn = run(session, "seq 100000")
    assert (turn.truncated, turn.ending) == (True, "output")


@one_backend
def test_cost_is_what_the_player_says(opened: Opened) -> None:
    session = opened(cost=1.5)
    session.spend(1)
    turn = run(session, "true")
    assert (turn.observation.remaining.cost, turn.done) == (0.5, False)
    session.spend(1)
    turn = run(session, "true")
    assert (turn.truncated, turn.ending) == (True, "cost")


@one_backend
def test_what_was_used_after_a_moment_does_not_count(opened: Opened) -> None:
    session = opened(steps=3, output=100)
    moment = session.snapshot()
    for _ in range(3):
        run(session, "echo 123456789")
    assert session.done
    session.restore(moment)
    remaining = run(session, "echo 123456789").observation.remaining
    assert (remaining.steps, remaining.output) == (2, 90)


# -- actions -------------------------------------------------------------------------------------


@one_backend
def test_patches_lie_on_top_of_each_other(opened: Opened, task: Task) -> None:
    session = opened("patch")
    turn = session.step(task.hidden.patch)
    assert turn.observation.text == "Applied by git apply."
    turn = session.step(json.dumps([SECOND, task.hidden.patch]))
    applied, refused = turn.observation.text.splitlines()[:2]
    assert applied == "Applied by git apply."
    assert "Not applied: the patch is already applied" in refused
    assert "+    return a + b" in turn.observation.diff
    assert "+    return a + a" in turn.observation.diff
    assert session.patches == (task.hidden.patch, SECOND)
    turn = session.step("no diff")
    assert "Not applied: git apply:" in turn.observation.text
    assert session.step("").observation.text == "The patch is empty."
    session.act(Start())
    assert (session.patches, session.observation.diff) == ((), "")


@one_backend
def test_what_cannot_be_done_is_said_and_harms_nothing(opened: Opened) -> None:
    session = opened()
    first = session.observation.tree
    wrong: list[tuple[Action, str]] = [
        (Command(command="a\0b"), "NUL"),
        (WriteFile(path="/proc/x", content=""), "File /proc/x not written:"),
        (WriteFile(path="calc.py/x", content=""), "File calc.py/x not written:"),
        (WriteFile(path="a\0b", content=""), "not written:"),
        (WriteFile(path="", content=""), "not written:"),
        (Start(task_id="other"), "Task other not found."),
    ]
    for action, message in wrong:
        turn = session.act(action)
        assert message in turn.observation.text
        assert not turn.done
        assert turn.observation.tree == first
    assert session.step("nonsense").reward == -1


@one_backend
def test_a_task_begun_anew_is_as_at_the_start(opened: Opened) -> None:
    session = opened()
    first = session.observation.tree
    run(session, "cd tests; X=1; echo > new; rm ../calc.py")
    turn = session.act(Start(task_id=session.task.instance_id))
    assert turn.observation.tree == first
    assert run(session, "pwd; echo [$X]; ls calc.py").observation.output == "/testbed\n[]\ncalc.py\n"


@one_backend
def test_giving_up_is_no_submission(opened: Opened) -> None:
    turn = opened().act(Forfeit())
    assert (turn.terminated, turn.ending) == (True, "forfeit")
    assert "nothing is submitted" in turn.observation.notice


# -- what is seen --------------------------------------------------------------------------------


@one_backend
def test_without_watching_no_files_are_seen(opened: Opened) -> None:
    session = opened(watch=False)
    turn = run(session, "echo > new")
    assert (turn.observation.diff, turn.observation.tree) == ("", "")
    assert "new" in session.workspace.diff()


@one_backend
def test_what_is_looked_at_is_not_what_the_player_made_of_git(opened: Opened) -> None:
    session = opened()
    run(session, "echo 1 > a.txt; git add -A; git -c user.name=t -c user.email=t@t commit -qm x; rm -rf .git")
    assert "+1" in session.observation.diff
    run(session, "export GIT_DIR=/nowhere GIT_INDEX_FILE=/nowhere; cd /; echo 2 > /testbed/b.txt")
    assert "+2" in session.observation.diff
    run(session, "mkdir -p ignored; echo 3 > /testbed/ignored/c")
    assert "+3" not in session.observation.diff


@one_backend
def test_the_word_for_the_end_is_a_word_of_the_tools_alone(opened: Opened) -> None:
    session = opened()
    turn = run(session, "mkdir -p /.swegym/tools; echo submit > /.swegym/tools/ended")
    assert not turn.done


@pytest.fixture(scope="module")
def tooled() -> Iterator[Lab]:
    backend = make_backend("bubblewrap")
    reason = backend.available()
    if reason is not None:
        (pytest.fail if required("bubblewrap") else pytest.skip)(f"bubblewrap: {reason}")
    lab = Lab(backend, tools=Toolset.load(["submit", "forfeit"]))
    yield lab
    lab.close()


def test_a_tool_can_end_the_episode_and_nothing_else_is_taken_for_its_word(tooled: Lab, task: Task) -> None:
    prepared = tooled.prepare(task)
    with tooled.workspace(task.spec, prepared.solving) as workspace:
        session = Session(task.spec, workspace, load_protocol("tools")(tooled.tools))
        session.begin()
        moment = session.snapshot()
        for forged in ("echo yes >", "mkdir", "rmdir", "mkfifo", "rm", "ln -sf /dev/zero", "rm", "seq 100000 >"):
            turn = run(session, f"{forged} {ENDED}; echo on")
            assert turn.observation.output.endswith("on\n")
            assert not turn.done, forged
        turn = session.step('{"name": "submit", "arguments": {}}')
        assert (turn.ending, turn.terminated) == ("submit", True)
        session.restore(moment)
        assert not run(session, "true").done
        assert session.step('{"name": "forfeit", "arguments": {}}').ending == "forfeit"
        assert workspace.diff() == ""
        session.close()
    tooled.release(task)


@pytest.mark.usefixtures("tooled")  # for its look at whether bubblewrap works here
def test_a_state_command_that_prints_no_table_is_told_of_once(
    tmp_path: Path, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mine" / "bin").mkdir(parents=True)
    (tmp_path / "mine" / "config.yaml").write_text("tools: {}\nstate_command: echo nonsense\n")
    lab = Lab(make_backend("bubblewrap"), tools=Toolset.load([str(tmp_path / "mine")]))
    try:
        prepared, protocol = lab.prepare(task), load_protocol("json")(lab.tools)
        with (
            lab.workspace(task.spec, prepared.solving) as workspace,
            Session(task.spec, workspace, protocol) as session,
        ):
            session.begin()
            assert [dict(run(session, "true").observation.state) for _ in range(2)] == [{}, {}]
    finally:
        lab.close()
    told = [each.getMessage() for each in caplog.records if "nonsense" in each.getMessage()]
    assert told == ["a state command of the tools printed no JSON object: b'nonsense\\n'"]


@one_backend
def test_bytes_that_are_no_text_are_seen_as_such(opened: Opened) -> None:
    session = opened()
    turn = run(session, r"printf '\377\000a'")
    assert turn.observation.output == "�\x00a"
    assert json.loads(json.dumps(turn.observation.to_dict())) == turn.observation.to_dict()


class Counting:
    """A step reward that is the number of the step, and counts its episodes."""

    def __init__(self) -> None:
        self.begun = 0

    def begin(self, session: Session) -> None:
        self.begun += 1

    def after(self, session: Session, action: Action, seen: Observation) -> float:
        return float(seen.step)


@one_backend
def test_a_step_is_worth_what_the_step_reward_says(opened: Opened) -> None:
    reward = Counting()
    session = opened(step_reward=reward)
    moment = session.snapshot()
    assert run(session, "true").reward == 1
    assert session.step("bad").reward == 2 - 1
    session.restore(moment)
    assert run(session, "true").reward == 1
    # To begin anew is a step like others: what was reached before is not given twice.
    assert session.act(Start()).reward == 2
    assert reward.begun == 2
