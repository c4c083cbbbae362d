"""Agents of recipes in real sandboxes: their model asked through the relay, nothing of the host's in there."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_model import Delay
from fake_model import FakeModel
from fake_model import Status
from fake_model import bash

from pytest_swegym.episode import Attempt
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.solvers import load_solver
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict
from pytest_swegym.tools import with_folders
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import Trajectory
from pytest_swegym.trajectory import read_trajectory
from pytest_swegym.workspace import Occasion


KEY = "sk-never-to-be-seen-0123456789"
FIX = "sed -i 's/a - b/a + b/' calc.py && cat calc.py"
# Runs what its model says as a shell command, and tells it what that printed.
AGENT = """
import json, os, subprocess, sys, urllib.error, urllib.request

def ask(messages):
    body = json.dumps({"model": "any", "messages": messages, "tools": [{"type": "web_search"}]}).encode()
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        return json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"]
    except urllib.error.HTTPError as error:
        sys.exit("%d %s" % (error.code, error.read().decode()))

with open(os.environ["SWEGYM_PROBLEM_FILE"]) as file:
    messages = [{"role": "system", "content": "You are tiny."}, {"role": "user", "content": file.read()}]
while True:
    command = ask(messages)
    if command.startswith("exit"):
        print("the last words", *command.split()[2:])
        sys.exit(int(command.split()[1]))
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    messages += [{"role": "assistant", "content": command}, {"role": "user", "content": done.stdout[-8000:]}]
"""
Solve = Callable[..., tuple[AttemptRecord, Trajectory | None]]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipes") / "tiny"
    folder.mkdir()
    (folder / "config.yaml").write_text("tools: {}\n")
    (folder / "recipe.toml").write_text('summary = "an agent for tests"\n')
    (folder / "agent.py").write_text(AGENT)
    (folder / "VERSION").write_text("1.2.3\n")
    (folder / "run.sh").write_text('exec "$SWEGYM_PYTHON" -I "$SWEGYM_RECIPE/agent.py"\n')
    return folder


def open_lab(request: pytest.FixtureRequest, name: str, solver: str) -> Iterator[Lab]:
    if name == "docker":
        request.getfixturevalue("docker_image")
    backend = make_backend(name)
    reason = backend.available()
    if reason is not None:
        (pytest.fail if required(name) else pytest.skip)(f"{name}: {reason}")
    lab = Lab(backend, tools=with_folders(None, load_solver(solver).tools))
    yield lab
    lab.close()


@pytest.fixture(scope="module", params=["bubblewrap", "docker"])
def tiny_lab(request: pytest.FixtureRequest, recipe: Path) -> Iterator[Lab]:
    yield from open_lab(request, request.param, f"command:{recipe}")


one_backend = pytest.mark.parametrize("tiny_lab", ["bubblewrap"], indirect=True, scope="module")


@pytest.fixture
def solve(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Path) -> Iterator[Solve]:
    monkeypatch.setenv("FAKE_MODEL_KEY", KEY)

    def run(
        lab: Lab, words: list[str], *, solver: str = f"command:{recipe}", at: Task = task, **occasion: Any
    ) -> tuple[AttemptRecord, Trajectory | None]:
        attempt = Attempt(
            at,
            load_solver(solver, agent=words),
            lab,
            reward=lambda spec, grade: compute_reward("resolved", grade),
            occasion=Occasion(folder=tmp_path, **occasion),
        )
        record = attempt.record()
        path = tmp_path / TRAJECTORY
        return record, read_trajectory(path) if path.exists() else None

    yield run
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("swegym-relay")]


def test_an_agent_finds_its_model_and_nothing_of_the_host(tiny_lab: Lab, solve: Solve, tmp_path: Path) -> None:
    with FakeModel() as model:
        port = model.url.split(":")[2].partition("/")[0]
        look = "env; cat /proc/*/environ | tr '\\0' '\\n'; cat ~/.* ~/* /tmp/* 2>/dev/null"
        look += f"; {{ echo >/dev/tcp/127.0.0.1/{port}; }} 2>&1"
        model.replies = [f"bash -c {json.dumps(look)}", FIX, "exit 0"]
        record, told = solve(tiny_lab, model.words(price_input=1, price_output=2))
        sent = model.requests
        assert model.headers[0]["authorization"] == f"Bearer {KEY}"
    assert (record.verdict, record.reward) == (Verdict.RESOLVED, 1.0), record.error
    assert record.extra["agent"] == {"recipe": "tiny", "version": "1.2.3"}
    assert (record.extra["steps"], record.extra["ending"]) == (3, "submit")
    assert record.extra["usage"]["requests"] == 3
    assert record.extra["usage"]["cost"] > 0
    assert [body["model"] for body in sent] == ["fake"] * 3
    assert not any(body.get("tools") for body in sent)

    assert told is not None
    assert told.first is not None
    assert told.first["text"] == "You are tiny.\n\nadd(1, 2) is -1"
    seen = told.steps[0]["observation"]["output"]
    assert "OPENAI_API_KEY=swegym" in seen
    assert "Connection refused" in seen
    assert KEY not in seen
    assert [(step["kind"], step["action"]) for step in told.steps][1:] == [("ModelCall", FIX), ("ModelCall", "exit 0")]
    assert "+    return a + b" in told.steps[1]["observation"]["diff"]
    assert "return a + b" in told.steps[1]["observation"]["output"]
    last = told.steps[2]
    assert (last["ending"], last["terminated"], last["observation"]["output"]) == ("submit", True, "the last words")
    assert (tmp_path / "agent.log").read_text() == "the last words\n"
    assert last["player"]["message"] == {"role": "assistant", "content": "exit 0"}
    assert last["player"]["usage"]["requests"] == 1


@one_backend
@pytest.mark.parametrize(
    ("words", "occasion", "ending"),
    [({"max_requests": 2}, {}, "requests"), ({}, {"steps": 2}, "steps"), ({"max_tokens": 1}, {}, "tokens")],
)
def test_a_spent_budget_ends_the_agent_and_what_it_did_is_graded(
    tiny_lab: Lab, solve: Solve, words: dict[str, int], occasion: dict[str, int], ending: str
) -> None:
    with FakeModel([FIX], after="echo again") as model:
        record, told = solve(tiny_lab, model.words(**words), **occasion)
        assert len(model.requests) == record.extra["steps"] <= 2
    assert (record.verdict, record.extra["ending"]) == (Verdict.RESOLVED, ending)
    assert told is not None
    assert (told.steps[-1]["ending"], told.steps[-1]["truncated"]) == (ending, True)
    assert "403" in told.steps[-1]["observation"]["notice"]


@one_backend
def test_an_agent_that_does_not_take_no_for_an_answer_is_ended(tiny_lab: Lab, solve: Solve) -> None:
    ask = "urllib.request.urlopen(os.environ['OPENAI_BASE_URL'] + '/embeddings', b'{\"input\": \"x\"}')"
    loop = f"import os, urllib.request\nwhile True:\n  try: {ask}\n  except OSError: pass\n"
    again = f"cat >/tmp/again.py <<'E'\n{loop}E\npython3 /tmp/again.py"
    with FakeModel([FIX, again]) as model:
        record, _ = solve(tiny_lab, model.words(max_requests=2))
    assert record.extra["ending"] == "requests"
    assert record.verdict is Verdict.RESOLVED


@one_backend
def test_a_server_that_is_away_is_no_wrong_answer(tiny_lab: Lab, solve: Solve) -> None:
    with FakeModel() as model:
        words = model.words(retries=0)
    record, _ = solve(tiny_lab, words)
    assert (record.verdict, record.reward) == (Verdict.INFRA_ERROR, None)
    assert "no connection" in record.error


@one_backend
def test_a_request_that_alone_breaks_the_server_is_no_excuse(tiny_lab: Lab, solve: Solve) -> None:
    def answer(request: dict[str, Any]) -> Any:
        return Status(500, "broken") if "tiny" in str(request["messages"][0]) else "yes"

    with FakeModel(after=answer) as model:
        record, _ = solve(tiny_lab, model.words(retries=0))
    assert (record.verdict, record.reward) == (Verdict.SOLVER_ERROR, 0.0)
    assert "503" in record.error


@one_backend
def test_what_the_server_refuses_is_told_with_the_way_out(tiny_lab: Lab, solve: Solve) -> None:
    with FakeModel(after=Status(401, {"error": {"message": f"bad key {KEY}"}})) as model:
        record, _ = solve(tiny_lab, model.words())
    assert (record.verdict, record.reward) == (Verdict.INFRA_ERROR, None)
    assert "api_key_env" in record.error
    assert KEY not in record.error


@one_backend
def test_a_request_that_alone_is_refused_is_no_excuse(tiny_lab: Lab, solve: Solve) -> None:
    def answer(request: dict[str, Any]) -> Any:
        return Status(404, {"error": {"message": "not this"}}) if "tiny" in str(request["messages"][0]) else "yes"

    with FakeModel(after=answer) as model:
        record, _ = solve(tiny_lab, model.words())
    assert (record.verdict, record.reward) == (Verdict.SOLVER_ERROR, 0.0)
    assert "404: not this" in record.error


@one_backend
def test_an_exit_code_is_an_error_whatever_was_changed(tiny_lab: Lab, solve: Solve, tmp_path: Path) -> None:
    with FakeModel([FIX, "exit 3 ghp_abcdefghijklmnopqrstuvwxyz0123456789"]) as model:
        record, told = solve(tiny_lab, model.words())
    assert record.verdict is Verdict.SOLVER_ERROR
    log = (tmp_path / "agent.log").read_text()
    assert log.startswith("the last words [redacted: ")
    assert "ghp_" not in log
    assert "tiny ended with exit code 3\nthe last words" in record.error
    assert told is not None
    assert told.steps[-1]["ending"] == "exit"


@one_backend
def test_an_agent_out_of_its_time(tiny_lab: Lab, solve: Solve, make_task: Callable[..., Task]) -> None:
    with FakeModel([FIX, "sleep 600"]) as model:
        record, _ = solve(tiny_lab, model.words(), at=make_task(solve_timeout=3))
    assert (record.verdict, record.extra["ending"]) == (Verdict.TIMEOUT, "seconds")
    with FakeModel([FIX, "sleep 600"]) as model:
        record, _ = solve(tiny_lab, model.words(max_seconds=2))
    assert (record.verdict, record.extra["ending"]) == (Verdict.RESOLVED, "seconds")


FLOOD = """
import http.client, os, re, threading, urllib.request
base = os.environ["OPENAI_BASE_URL"]
port = int(re.search(r":(\\d+)/", base)[1])
def post(path, body):
    try:
        return urllib.request.urlopen(urllib.request.Request(base + path, body), timeout=20).status
    except Exception as error:
        return getattr(error, "code", 0)
def lie(path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", path, body)
        return connection.getresponse().status
    except Exception:
        return 0
lies = {"answer/1": b"[]\\n", "answer/x": b"", "next/1e9": b"{", "../v1/files": b"x"}
for path, body in lies.items():
    lie("/.swegym/" + path, body)
deep = b'{"messages": ' + b"[" * 100000 + b"]" * 100000 + b"}"
bodies = [b"", b"[]", b"nonsense", deep, b'{"messages": "x"}', b'{"messages": [{"role": "user", "content": "x"}]}'] * 3
codes = []
threads = [threading.Thread(target=lambda b=b: codes.append(post("/chat/completions", b))) for b in bodies * 2]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sorted(set(codes)))
"""


@one_backend
def test_a_flood_and_lies_harm_only_who_sends_them(tiny_lab: Lab, solve: Solve) -> None:
    def answer(request: dict[str, Any]) -> str:
        said = [f"cat >/tmp/flood.py <<'E'\n{FLOOD}\nE\npython3 /tmp/flood.py", FIX, "exit 0"]
        return said[len(request["messages"]) // 2 - 1] if len(request["messages"]) > 1 else "yes"

    with FakeModel(after=answer) as model:
        record, told = solve(tiny_lab, model.words())
    assert record.verdict is Verdict.RESOLVED, record.error
    assert told is not None
    codes = [step["observation"]["output"] for step in told.steps if "[200, 400" in step["observation"]["output"]]
    assert codes == ["[200, 400, 429]\n"]


@one_backend
def test_who_leaves_before_the_answer_is_not_waited_for(tiny_lab: Lab, solve: Solve) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "slow"}]})
    ask = f"import os, urllib.request as u; u.urlopen(os.environ['OPENAI_BASE_URL'] + '/chat/completions', b'{body}')"
    replies = [f"{FIX}; cat >/tmp/ask.py <<'E'\n{ask}\nE\npython3 /tmp/ask.py >/dev/null 2>&1 & sleep 1", "exit 0"]

    def answer(request: dict[str, Any]) -> Any:
        return Delay(120, "late") if "slow" in str(request["messages"][0]) else replies.pop(0)

    with FakeModel(after=answer) as model:
        record, _ = solve(tiny_lab, model.words())
        assert len(model.requests) == 3
    assert (record.verdict, record.extra["ending"], record.extra["steps"]) == (Verdict.RESOLVED, "submit", 2)


@one_backend
def test_an_agent_that_ends_the_relay_ends_itself(tiny_lab: Lab, solve: Solve) -> None:
    with FakeModel(["pkill -9 -f relay.py; sleep 1"], after="exit 0") as model:
        record, _ = solve(tiny_lab, model.words())
    assert (record.verdict, record.reward) == (Verdict.SOLVER_ERROR, 0.0)


def test_mini_swe_agent(request: pytest.FixtureRequest, solve: Solve, make_task: Callable[..., Task]) -> None:
    name = "command:mini-swe-agent"
    submit = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
    for lab in open_lab(request, "bubblewrap", name):
        with FakeModel([bash(FIX), bash(f"which python; command -v mini; {submit}"), bash(submit)]) as model:
            record, told = solve(lab, model.words(), solver=name)
        assert record.verdict is Verdict.RESOLVED, record.error
        assert record.extra["ending"] == "submit"
        assert record.extra["agent"]["version"] >= "2.4"
        assert told is not None
        assert [step["action"].partition(" ")[0] for step in told.steps] == ["bash"] * 3
        assert "/opt/swegym/venv/bin/python" in told.steps[1]["observation"]["output"]
        assert "/mini" not in told.steps[1]["observation"]["output"]
