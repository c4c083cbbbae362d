"""The model agent in real sandboxes: what it does, what it records, and what each failure of its server leads to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_model import SUBMIT
from fake_model import Cut
from fake_model import Delay
from fake_model import FakeModel
from fake_model import Raw
from fake_model import Status
from fake_model import bash
from fake_model import call
from fake_model import calls

from pytest_swegym.agents.model.replies import REPLIES
from pytest_swegym.cli.main import main
from pytest_swegym.episode import Attempt
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.results import ResultStore
from pytest_swegym.solvers import LoadedSolver
from pytest_swegym.solvers import load_solver
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import Trajectory
from pytest_swegym.trajectory import read_trajectory
from pytest_swegym.workspace import Occasion


Solve = Callable[..., tuple[AttemptRecord, Trajectory]]
pytestmark = pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True, scope="session")
FIX = "sed -i 's/a - b/a + b/' calc.py"
FIXED = [bash("cat calc.py"), bash(FIX), SUBMIT]
SOON = {"Retry-After": "0"}
DOWN = Status(500, {"error": {"message": "out of order"}}, SOON)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeModel]:
    monkeypatch.setenv("FAKE_MODEL_KEY", "sk-secret-0815")
    with FakeModel(after=SUBMIT) as fake:
        yield fake


@pytest.fixture
def solve(lab: Lab, task: Task, tmp_path: Path, fake: FakeModel) -> Solve:
    """An attempt of the model, its record and its trajectory, kept as a run keeps them."""
    store = ResultStore(root=tmp_path / "out")

    def run(
        *,
        steps: int | None = None,
        given: Task = task,
        resume: bool = False,
        solver: LoadedSolver | None = None,
        **keys: object,
    ) -> tuple[AttemptRecord, Trajectory]:
        folder = store.folder(given.id)
        attempt = Attempt(
            given,
            solver or load_solver("openai:fake", agent=fake.words(**keys)),
            lab,
            reward=lambda spec, grade: compute_reward("resolved", grade),
            seed=7,
            solver_name="openai:fake",
            occasion=Occasion(folder=folder, steps=steps, resume=resume),
        )
        record = attempt.record()
        store.write(record)
        kept = b"".join(file.read_bytes() for file in folder.iterdir())
        assert b"sk-secret-0815" not in kept
        return record, read_trajectory(folder / TRAJECTORY)

    return run


def notes(told: Trajectory, name: str) -> list[Any]:
    return [event[name] for event in told.events if event["event"] == "note" and name in event]


# -- what it does ----------------------------------------------------------------------------------


def test_function_calls_solve_a_task(solve: Solve, fake: FakeModel) -> None:
    fake.replies = [*FIXED]
    fake.usage = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 500}}
    record, told = solve(price_input=2, price_cached=1, price_output=10)
    assert (record.verdict, record.reward) == (Verdict.RESOLVED, 1.0)
    used = record.extra["usage"]
    assert (used["requests"], used["prompt_tokens"], used["cached_tokens"], used["completion_tokens"]) == (
        3, 3000, 1500, 300,
    )  # fmt: skip
    assert used["cost"] == pytest.approx(3 * (500 * 2 + 500 * 1 + 100 * 10) / 1e6)
    assert {key: record.extra[key] for key in ("model", "invalid_replies", "steps", "ending")} == {
        "model": "fake-1.0", "invalid_replies": 0, "steps": 3, "ending": "submit",
    }  # fmt: skip
    first, second, third = fake.requests
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert "add(1, 2) is -1" in first["messages"][1]["content"]
    assert [schema["function"]["name"] for schema in first["tools"]] == ["bash", "write_file", "submit"]
    assert first["seed"] == 7
    assert [message["role"] for message in third["messages"]][2:] == ["assistant", "tool", "assistant", "tool"]
    assert "return a - b" in second["messages"][-1]["content"]
    assert third["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": "(no output)"}
    player = told.steps[1]["player"]
    assert player["message"] == FIXED[1]
    assert (player["usage"]["prompt_tokens"], player["model"], player["call_id"]) == (1000, "fake-1.0", "call_1")
    assert told.steps[1]["observation"]["remaining"]["cost"] is None


def test_several_calls_in_one_reply_are_steps_that_are_all_answered(solve: Solve, fake: FakeModel) -> None:
    both = calls(call("bash", {"command": "echo one"}, "a"), call("bash", {"command": FIX}, "b"), text="At once.")
    fake.replies = [both, SUBMIT]
    record, told = solve()
    assert record.verdict is Verdict.RESOLVED
    assert [step["kind"] for step in told.steps] == ["Command", "Command", "Submit"]
    assert fake.requests[1]["messages"][2:] == [
        both,
        {"role": "tool", "tool_call_id": "a", "content": "one"},
        {"role": "tool", "tool_call_id": "b", "content": "(no output)"},
    ]
    assert told.steps[0]["player"]["message"] == both
    assert told.steps[1]["player"] == {"call_id": "b"}
    assert record.extra["usage"]["requests"] == 2


BASH = json.dumps({"name": "bash", "arguments": {"command": FIX}})
TEXTS: dict[str, list[Any]] = {
    "execute": ["<execute>cat calc.py</execute>", f"I see.\n<execute>{FIX}</execute>", "<execute>submit</execute>"],
    "json": [json.dumps({"action": "command", "command": FIX}), '{"action": "submit"}'],
    "tools": [f"<tool_call>{BASH}</tool_call>", SUBMIT],
}


@pytest.mark.parametrize("protocol", TEXTS)
def test_plain_text_solves_a_task(solve: Solve, fake: FakeModel, protocol: str) -> None:
    replies = TEXTS[protocol]
    fake.replies = [f"<think>Hm.</think>{each}" if isinstance(each, str) else each for each in replies]
    record, told = solve(protocol=protocol)
    assert record.verdict is Verdict.RESOLVED
    assert told.header["protocol"] == protocol
    assert told.steps[0]["player"]["reasoning"] == "Hm."
    assert "<think>" in told.steps[0]["player"]["message"]["content"]
    last = fake.requests[-1]["messages"]
    assert [message["role"] for message in last[1:]] == ["user", "assistant"] * (len(replies) - 1) + ["user"]
    assert "<think>" not in fake.texts()


def test_what_may_be_read_before_follows_the_first_message(solve: Solve, fake: FakeModel) -> None:
    fake.replies = [*FIXED]
    record, told = solve(observe__reader="raw", observe__files=1)
    assert record.verdict is Verdict.RESOLVED
    (observed,) = notes(told, "observed")
    assert observed["reader"] == "raw"
    first = fake.requests[0]["messages"][1]["content"]
    assert first.startswith("add(1, 2) is -1")
    assert any(file in first for file in map(str, observed["files"]))


def test_swegym_play_takes_a_model(
    lab: Lab, fake: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.replies = [bash("echo 'print(\"Hello, World!\")' > hello.py")]
    monkeypatch.chdir(tmp_path)
    agent = [f"--agent={word}" for word in fake.words()]
    options = ["play", "curriculum", "--task=1", "--sandbox=bubblewrap", "--solver=openai:fake", "--output=out", *agent]
    assert main(options) == 0
    assert "curriculum__1: resolved" in capsys.readouterr().out
    assert (tmp_path / "out" / "attempts" / "curriculum__1" / REPLIES).is_file()


# -- what does not go as it should -----------------------------------------------------------------

WRONG = {
    "no call": ("I am done.", "There is no function call in your reply"),
    "an unknown function": (calls(call("edit", {})), "There is no function 'edit'"),
    "no JSON": (calls(call("bash", '{"command": "ls')), "its arguments are not valid JSON"),
    "bad arguments": (calls(call("bash", {"cmd": "ls"})), "'command' must be given"),
    "no object": (calls(call("bash", "[1]")), "its arguments must be an object"),
    "empty": ("", "Your reply is empty"),
    "nothing at all": ({"content": None}, "Your reply is empty"),
    "cut": ({**bash("ls"), "finish_reason": "length"}, "cut at its longest length"),
    "one of two": (calls(call("bash", {"command": FIX}, "a"), call("x", {}, "b")), "There is no function 'x'"),
}


def test_each_invalid_reply_goes_back_with_what_is_wrong(solve: Solve, fake: FakeModel) -> None:
    fake.replies = [each for wrong, _ in WRONG.values() for each in (wrong, bash("true"))] + [bash(FIX), SUBMIT]
    record, told = solve()
    assert (record.verdict, record.extra["ending"]) == (Verdict.RESOLVED, "submit")
    assert record.extra["invalid_replies"] == len(WRONG)
    assert record.extra["steps"] == len(WRONG) + 2
    assert record.extra["usage"]["requests"] == 2 * len(WRONG) + 2
    noted = notes(told, "invalid_reply")
    for number, (case, (_, said)) in enumerate(WRONG.items()):
        assert said in noted[number]["why"], case
        assert noted[number]["number"] == 1
        answer = fake.requests[2 * number + 1]["messages"]
        assert any(said in str(message["content"]) for message in answer[-2:]), case
        for message in answer:
            for each in message.get("tool_calls") or ():
                assert isinstance(json.loads(each["function"]["arguments"]), dict), case


def test_too_many_invalid_replies_end_the_episode_and_what_is_there_is_graded(solve: Solve, fake: FakeModel) -> None:
    fake.replies, fake.after = [bash(FIX)], "What next?"
    record, told = solve(invalid_replies=2)
    assert (record.verdict, record.reward) == (Verdict.RESOLVED, 1.0)
    assert (record.extra["ending"], record.extra["invalid_replies"], record.extra["steps"]) == ("invalid_replies", 3, 1)
    assert [each["number"] for each in notes(told, "invalid_reply")] == [1, 2, 3]
    assert notes(told, "ended") == ["invalid_replies"]
    assert len(fake.requests) == 4


STRANGE = {
    "no UTF-8 is printed": bash("printf 'a\\377\\000b'; head -c 300 /dev/urandom"),
    "half a character": bash("echo \ud800"),
    "a zero byte": bash("echo a\0b"),
    "in a path": calls(call("write_file", {"path": "a\0b", "content": "x"})),
    "in the text": calls(call("bash", {"command": "true"}), text="\udfff\0"),
    "as a name": calls({"id": "a\ud800", "type": "function", "function": {"name": "\ud800", "arguments": "{}"}}),
    "of another kind": {"content": {"a": 1}, "tool_calls": [{"id": 1, "function": "f"}, {"function": {"name": 3}}]},
    "numbers": Raw(b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 1e400, "x": NaN}}'),
}


def test_strange_replies_and_outputs_harm_nobody(solve: Solve, fake: FakeModel) -> None:
    fake.replies = [each for strange in STRANGE.values() for each in (strange, bash("true"))] + [bash(FIX), SUBMIT]
    record, told = solve()
    assert (record.verdict, record.extra["ending"]) == (Verdict.RESOLVED, "submit")
    assert notes(told, "retry") == []
    assert len(fake.requests) == 2 * len(STRANGE) + 2


GOES_BY = {
    "429": (Status(429, {"error": {"message": "slow down"}}, SOON), 429),
    "500": (DOWN, 500),
    "cut": (Cut(), None),
    "no JSON": (Raw(), 200),
    "time-out": (Delay(30), None),
}


def test_what_goes_by_costs_a_retry(solve: Solve, fake: FakeModel) -> None:
    fake.replies = [each for answer, _ in GOES_BY.values() for each in (answer, bash(FIX))]
    record, told = solve(timeout=1)
    assert record.verdict is Verdict.RESOLVED
    assert record.extra["usage"]["requests"] == len(GOES_BY) + 1
    retries = notes(told, "retry")
    assert [each["status"] for each in retries] == [status for _, status in GOES_BY.values()]
    assert len(fake.requests) == 2 * len(GOES_BY) + 1


@pytest.mark.parametrize("answer", [DOWN, Status(429, "", SOON), Raw()], ids=["500", "429", "no JSON"])
def test_a_server_that_stays_down_is_no_wrong_answer(solve: Solve, fake: FakeModel, answer: Any) -> None:
    fake.replies, fake.after = [bash("true")], answer
    record, _ = solve(retries=1)
    assert (record.verdict, record.reward, record.error_stage) == (Verdict.INFRA_ERROR, None, "solve")
    assert "asked 2 times" in record.reasons[0]
    assert record.extra["usage"]["requests"] == 1


WRONG_KEY = Status(401, {"error": {"message": "Incorrect API key provided: sk-secret-0815"}})


def test_a_refused_key_is_no_wrong_answer_and_a_right_one_goes_on(solve: Solve, fake: FakeModel) -> None:
    fake.replies, fake.after = [bash(FIX)], WRONG_KEY
    record, _ = solve()
    assert (record.verdict, record.reward) == (Verdict.INFRA_ERROR, None)
    assert "Incorrect API key provided: ***" in record.reasons[0]
    assert "FAKE_MODEL_KEY" in record.reasons[0]
    fake.after = SUBMIT
    record, told = solve(resume=True)
    assert record.verdict is Verdict.RESOLVED
    assert notes(told, "resumed") == [{"replies": 1}]


def test_a_server_that_refused_is_asked_no_more(solve: Solve, fake: FakeModel) -> None:
    fake.after = WRONG_KEY
    solver = load_solver("openai:fake", agent=fake.words())
    first, _ = solve(solver=solver)
    asked = len(fake.requests)
    second, _ = solve(solver=solver)
    assert (first.verdict, second.verdict, second.reasons) == (
        Verdict.INFRA_ERROR, Verdict.INFRA_ERROR, first.reasons,
    )  # fmt: skip
    assert len(fake.requests) == asked


def test_a_chat_that_alone_is_refused_is_the_solvers(solve: Solve, fake: FakeModel) -> None:
    fake.replies, fake.after = [bash(FIX), Status(403, {"error": {"message": "flagged"}})], "yes"
    record, _ = solve()
    assert (record.verdict, record.reward) == (Verdict.SOLVER_ERROR, 0.0)
    assert "403: flagged" in record.reasons[0]


def test_which_model_of_several_is_for_the_user_to_say(solve: Solve, fake: FakeModel) -> None:
    fake.models = [{"id": "one"}, {"id": "two"}]
    record, _ = solve(solver=load_solver("openai", agent=fake.words(model="")))
    assert (record.verdict, record.reward) == (Verdict.INFRA_ERROR, None)
    assert record.reasons[0].endswith("which model? Give openai:MODEL; there are: one, two")


@pytest.mark.parametrize(
    ("keys", "ending"),
    [
        ({"max_requests": 2}, "requests"),
        ({"max_tokens": 250}, "tokens"),
        ({"max_cost": 0.001, "price_input": 4, "price_output": 4}, "cost"),
    ],
)
def test_a_spent_budget_ends_the_episode_and_what_is_there_is_graded(
    solve: Solve, fake: FakeModel, keys: dict[str, object], ending: str
) -> None:
    fake.replies, fake.after = [bash(FIX)], bash("true")
    fake.usage = {"prompt_tokens": 100, "completion_tokens": 25}
    record, told = solve(**keys)
    assert (record.verdict, record.extra["ending"]) == (Verdict.RESOLVED, ending)
    assert len(fake.requests) == 2
    assert notes(told, "ended") == [ending]


def test_the_time_of_the_task_is_the_models_too(solve: Solve, fake: FakeModel, make_task: Callable[..., Task]) -> None:
    fake.replies, fake.after = [bash(FIX)], Delay(60, SUBMIT)
    record, _ = solve(given=make_task(solve_timeout=2))
    assert (record.verdict, record.extra["ending"]) == (Verdict.RESOLVED, "seconds")


def test_the_steps_of_an_episode_are_limited(solve: Solve, fake: FakeModel) -> None:
    fake.replies, fake.after = [bash(FIX)], bash("true")
    record, _ = solve(steps=2)
    assert (record.verdict, record.extra["ending"], len(fake.requests)) == (Verdict.RESOLVED, "steps", 2)


# -- a context that is too short -------------------------------------------------------------------


def small(limit: int) -> Callable[[dict[str, Any]], Any]:
    """A server whose model has so many characters of context; it prints a lot, then mends, then submits."""
    done: list[Any] = [*(bash(f"echo {number}; seq 1500", f"call_{number}") for number in range(5)), bash(FIX), SUBMIT]

    def answer(request: dict[str, Any]) -> Any:
        length = len(json.dumps(request["messages"]))
        if length > limit:
            error = {"type": "exceed_context_size_error", "message": "too long", "n_ctx": limit // 4}
            return Status(400, {"error": error})
        if "tools" not in request:
            return "In short: nothing was changed yet."
        return done.pop(0)

    return answer


@pytest.mark.parametrize("compaction", ["trim", "summary"])
def test_a_chat_that_is_too_long_is_made_shorter(solve: Solve, fake: FakeModel, compaction: str) -> None:
    fake.after = small(20_000)
    record, told = solve(compaction=compaction, max_requests=60)
    assert (record.verdict, record.extra["ending"], record.extra["steps"]) == (Verdict.RESOLVED, "submit", 7)
    compacted = notes(told, "compacted")
    assert all(each["after"] < each["before"] for each in compacted)
    assert compaction in {each["how"] for each in compacted}
    for request in fake.requests:
        if "tools" in request:
            assert "add(1, 2) is -1" in request["messages"][1]["content"]
    assert ("In short: nothing was changed yet." in fake.texts()) == (compaction == "summary")


def test_a_chat_that_may_not_be_made_shorter_ends(solve: Solve, fake: FakeModel) -> None:
    fake.after = small(20_000)
    record, _ = solve(compaction="off")
    assert (record.verdict, record.extra["ending"]) == (Verdict.INVALID_PATCH, "context")  # it is empty


# -- an episode that is cut ------------------------------------------------------------------------


def test_after_a_failure_of_the_server_the_episode_goes_on_where_it_was(solve: Solve, fake: FakeModel) -> None:
    wrong = calls(call("x", {}))
    fake.replies, fake.after = [bash("echo 1"), wrong, bash(FIX)], DOWN
    record, _ = solve(retries=0)
    assert (record.verdict, len(fake.requests)) == (Verdict.INFRA_ERROR, 4)
    fake.after = SUBMIT
    record, told = solve(retries=0, resume=True)
    assert (record.verdict, record.extra["invalid_replies"]) == (Verdict.RESOLVED, 1)
    assert len(fake.requests) == 5
    assert fake.requests[4] == fake.requests[3]
    assert record.extra["usage"]["requests"] == 4
    assert notes(told, "resumed") == [{"replies": 3}]


def test_what_was_answered_to_its_end_is_not_asked_again(solve: Solve, fake: FakeModel) -> None:
    fake.replies, fake.after = [*FIXED], DOWN
    first, _ = solve()
    record, told = solve(resume=True)
    assert (record.verdict, len(fake.requests)) == (Verdict.RESOLVED, 3)
    assert record.extra == first.extra
    assert notes(told, "resumed") == [{"replies": 3}]
    fake.replies = [*FIXED]
    _, told = solve()
    assert (len(fake.requests), notes(told, "resumed")) == (6, [])  # nobody said that it is to go on


def test_what_differs_is_asked_anew(solve: Solve, fake: FakeModel, tmp_path: Path) -> None:
    fake.replies, fake.after = [bash("date +%N > ignored; date +%N > seen"), bash("true")], DOWN
    solve(retries=0)
    fake.replies, fake.after = [bash(FIX)], SUBMIT
    record, told = solve(retries=0, resume=True)
    assert record.verdict is Verdict.RESOLVED
    assert notes(told, "resumed") == [{"replies": 1}]
    kept = (tmp_path / "out" / "attempts" / "calc-1" / REPLIES).read_text().splitlines()
    assert len(kept) == 1 + 3


RUN = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--swegym-sandbox=bubblewrap"]
TASK = """
import pytest

@pytest.mark.swegym(repo={repo!r}, runner="unittest", test_files={tests!r},
                    fail_to_pass=["tests.test_calc.TestCalc.test_add"], solve_timeout=60)
def test_add(swegym_result):
    '''add(1, 2) is -1'''
    assert swegym_result.resolved
"""


def test_a_run_that_is_killed_asks_nothing_twice(lab: Lab, task: Task, fake: FakeModel, tmp_path: Path) -> None:
    tests = dict(task.hidden.test_files)
    (tmp_path / "test_it.py").write_text(TASK.format(repo=task.spec.repo, tests=tests))
    options = [
        "--swegym-solver=openai:fake",
        "--swegym-output=out",
        *(f"--swegym-agent={word}" for word in fake.words()),
    ]

    def killed(request: dict[str, Any]) -> Any:
        os.killpg(running.pid, signal.SIGKILL)
        return SUBMIT

    fake.replies = [bash("echo 1"), bash(FIX), killed]
    with subprocess.Popen([*RUN, *options], cwd=tmp_path, start_new_session=True, stdout=subprocess.PIPE) as running:
        assert running.wait(60) == -signal.SIGKILL
    assert len(fake.requests) == 3
    again = subprocess.run(
        [*RUN, *options, "--swegym-resume"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert again.returncode == 0, again.stdout
    assert len(fake.requests) == 4
    assert fake.requests[3] == fake.requests[2]
    (path,) = (tmp_path / "out").glob("attempts/*/record.json")
    extra = json.loads(path.read_text())["extra"]
    assert (extra["usage"]["requests"], extra["steps"], extra["ending"]) == (3, 3, "submit")
    told = read_trajectory(path.parent / TRAJECTORY)
    assert notes(told, "resumed") == [{"replies": 2}]
