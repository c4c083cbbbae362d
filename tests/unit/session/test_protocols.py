"""How text becomes an action, for every protocol: nothing raises, and what is written is read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.errors import ConfigError
from pytest_swegym.session import PROTOCOLS
from pytest_swegym.session import Action
from pytest_swegym.session import Close
from pytest_swegym.session import Command
from pytest_swegym.session import Edit
from pytest_swegym.session import Edits
from pytest_swegym.session import Forfeit
from pytest_swegym.session import Invalid
from pytest_swegym.session import Observation
from pytest_swegym.session import Patch
from pytest_swegym.session import Protocol
from pytest_swegym.session import Start
from pytest_swegym.session import Submit
from pytest_swegym.session import ToolCall
from pytest_swegym.session import WriteFile
from pytest_swegym.session import load_protocol
from pytest_swegym.task import TaskSpec


SPEC = TaskSpec(instance_id="demo-1", repo="demo", title="A title", problem_statement="Mend it.\n", workdir="/w")
TEXT = st.text(max_size=60)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Command, command=TEXT, timeout=st.none() | st.floats(min_value=0.1, max_value=1e6)),
    st.builds(WriteFile, path=TEXT, content=TEXT),
    st.builds(Patch, patches=st.lists(TEXT, max_size=3).map(tuple)),
    st.builds(Edits, edits=st.lists(st.builds(Edit, path=TEXT, old=TEXT, new=TEXT), max_size=3).map(tuple)),
    st.builds(Start, task_id=st.none() | TEXT),
    st.builds(Close, leave=st.booleans()),
    st.sampled_from([Submit(), Forfeit()]),
    st.builds(ToolCall, name=st.just("nothing"), arguments=st.just({})),
)
#: Text that comes near to what each protocol takes.
PIECES = ["<execute>", "</execute>", "<plan>", "</plan>", "ls", " ", "\n", "exit", '{"action":', '"command"', "}", "[",
          "]", '"a"', ",", "```", "```diff", "--- a/x\n", "submit", '{"name":"bash","arguments":{"command":"ls"}}',
          "\x00", "\ud800", "null", "1e999", '"function":', "{", '"filename": "a"',
          '"old_code":', '"new_code": ""', '{"filename": "a", "old_code": "", "new_code": "b"}']  # fmt: skip
NEAR = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text()


@pytest.fixture(params=sorted(PROTOCOLS))
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return load_protocol(request.param)()


def test_every_protocol_says_its_own_name() -> None:
    assert {name: load_protocol(name).name for name in PROTOCOLS} == {name: name for name in PROTOCOLS}


@given(text=NEAR)
@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_no_text_raises(name: str, text: str) -> None:
    action = load_protocol(name)().parse(text)
    assert isinstance(action, Action)
    assert not isinstance(action, Invalid) or action.message


@given(action=ACTIONS)
@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_what_is_written_is_read_back(name: str, action: Action) -> None:
    protocol = load_protocol(name)()
    try:
        text = protocol.write(action)
    except ValueError:
        return
    if isinstance(action, ToolCall):  # without the tool, it is asked for in vain
        assert isinstance(protocol.parse(text), Invalid)
    else:
        assert protocol.parse(text) == action


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("json", [Command(command="ls\n -a"), WriteFile(path="a", content="ä"), Start(task_id="2"), Start(),
                  Close(), Close(leave=True), Submit(), Forfeit(), Command(command="x", timeout=2)]),
        ("execute", [Command(command="ls"), Command(command="cat <<E\n\nE\n"), Submit(), Forfeit()]),
        ("execute-plan", [Command(command="ls"), Submit()]),
        ("patch", [Patch(patches=("--- a/x\n+++ b/x\n",)), Patch(patches=("a", "```b")), Submit(), Start()]),
        ("edits", [Edits(edits=(Edit(path="a.py", old="", new="x\n"),)), Submit(), Start(), Forfeit(),
                   Edits(edits=(Edit(path="a", old="b", new=""), Edit(path="c", old='"', new="```")))]),
        ("tools", [Command(command="ls"), WriteFile(path="a", content="b"), Submit()]),
    ],
)  # fmt: skip
def test_what_each_protocol_can_say(name: str, actions: list[Action]) -> None:
    protocol = load_protocol(name)()
    assert [protocol.parse(protocol.write(action)) for action in actions] == actions


def test_the_first_observation_has_the_task_and_how_to_act(protocol: Protocol) -> None:
    text = protocol.greet(SPEC)
    assert "A title" in text
    assert "Mend it." in text
    assert "submit" in text


def test_what_a_command_printed_and_what_is_said_are_told(protocol: Protocol) -> None:
    seen = Observation(output="out\n", exit_code=3, notice="The command was ended.")
    told = protocol.tell(Command(command="x"), seen)
    assert told.endswith("The command was ended.")
    assert "out" in told or protocol.name in ("patch", "edits")
    assert ("[exit code 3]" in told) == (protocol.name in ("execute", "execute-plan", "tools"))


def test_a_protocol_of_ones_own_and_wrong_names() -> None:
    assert load_protocol("pytest_swegym.session.protocols.json:JsonProtocol").name == "json"
    with pytest.raises(
        ConfigError, match=r"unknown protocol 'jason'; choose from json, execute.*; did you mean 'json'"
    ):
        load_protocol("jason")
    with pytest.raises(ConfigError, match="no class of pytest_swegym"):
        load_protocol("json:loads")


# -- execute -------------------------------------------------------------------------------------

EXECUTE = [
    ("", "answer is empty"),
    ("  \n", "answer is empty"),
    ("just words", "no <execute> block"),
    ("<execute>ls", "last <execute> block is not closed"),
    ("<execute>a</execute> and <execute>b", "last <execute> block is not closed"),
    ("ls</execute>", "</execute> without <execute>"),
    ("<execute>a</execute></execute>", "</execute> without <execute>"),
    ("<execute>a<execute>b</execute>", "<execute> inside of another"),
    ("<execute>a</execute> done.", "text after </execute>"),
    ("<execute></execute>", "<execute> block is empty"),
    ("<execute> \n </execute>", "<execute> block is empty"),
]
PLAN = [
    ("<execute>ls</execute>", "no <plan> block before <execute>"),
    ("<plan></plan><execute>ls</execute>", "<plan> block is empty"),
    ("<plan>a <execute>ls</execute>", "last <plan> block is not closed"),
    ("a</plan> <execute>ls</execute>", "</plan> without <plan>"),
    ("<plan>a<plan>b</plan><execute>ls</execute>", "<plan> inside of another"),
    ("<plan>a</plan>", "no <execute> block"),
    ("<execute>ls</execute><plan>a</plan>", "text after </execute>"),
]


@pytest.mark.parametrize(("text", "message"), EXECUTE)
def test_execute_says_what_is_wrong(text: str, message: str) -> None:
    for name in ("execute", "execute-plan"):
        action = load_protocol(name)().parse(text)
        assert isinstance(action, Invalid)
        assert message in action.message


@pytest.mark.parametrize(("text", "message"), PLAN)
def test_a_plan_that_is_asked_for_must_be_there(text: str, message: str) -> None:
    action = load_protocol("execute-plan")().parse(text)
    assert isinstance(action, Invalid)
    assert message in action.message


def test_each_malformed_answer_has_a_message_of_its_own() -> None:
    parse = load_protocol("execute-plan")().parse
    said = {message: str(parse(answer)) for answer, message in EXECUTE + PLAN}
    assert len(set(said.values())) == len(said)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("I look.\n<execute>ls -la</execute>\n", Command(command="ls -la")),
        ("<execute>\ncd a\nls\n</execute>", Command(command="cd a\nls")),
        ("<execute>a</execute> no, rather <execute>b</execute>", Command(command="b")),
        ("<execute>a<execute></execute></execute> <execute>c</execute>", Command(command="c")),
        ("<execute> exit </execute>", Submit()),
        ("<execute>\nsubmit\n</execute>", Submit()),
        ("<execute>forfeit</execute>", Forfeit()),
        ("<execute>exit 1</execute>", Command(command="exit 1")),
        ("<plan>unasked</plan><execute>a</execute>", Command(command="a")),
    ],
)
def test_execute_takes_the_last_block(text: str, action: Action) -> None:
    assert load_protocol("execute")().parse(text) == action


@given(before=st.lists(TEXT, max_size=4), last=TEXT.filter(str.strip), words=TEXT)
def test_the_last_block_wins_whatever_comes_before(before: list[str], last: str, words: str) -> None:
    def block(text: str) -> str:
        return f"<execute>\n{text.replace('<', '')}\n</execute>"

    text = words.replace("<", "") + "".join(block(each) + words.replace("<", "") for each in before) + block(last)
    command = last.replace("<", "")
    alone = load_protocol("execute")().parse(block(last))
    assert load_protocol("execute")().parse(text) == alone
    if command.strip() not in ("", "exit", "submit", "forfeit"):
        assert alone == Command(command=command)


def test_the_last_plan_is_the_plan() -> None:
    from pytest_swegym.session.protocols.execute import PlanProtocol

    text = "<plan>one</plan> hm <plan>\ntwo\n</plan> so: <execute>ls</execute>"
    assert PlanProtocol().parse(text) == Command(command="ls")
    assert PlanProtocol().plan(text) == "two"
    assert PlanProtocol().plan("<execute>ls</execute>") == PlanProtocol().plan("words") == ""


# -- patch ---------------------------------------------------------------------------------------

DIFF = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+```2\n"


@pytest.mark.parametrize(
    ("text", "patches"),
    [
        (DIFF, (DIFF,)),
        (json.dumps([DIFF, "other"]), (DIFF, "other")),
        (f"Here:\n```diff\n{DIFF}```\nDone.", (DIFF,)),
        (f"```\n{DIFF}```\nthen\n```\nb\n```", (DIFF, "b\n")),
        (f"```python\nprint()\n```\n```diff\n{DIFF}```", (DIFF,)),
        (f"```patch\n{DIFF}", (DIFF,)),
        ("no diff at all", ("no diff at all",)),
    ],
)
def test_patches_as_they_are_sent(text: str, patches: tuple[str, ...]) -> None:
    assert load_protocol("patch")().parse(text) == Patch(patches=patches)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The patch is empty."),
        (" \n", "The patch is empty."),
        ("[]", "The patch is empty."),
        ('[" "]', "The patch is empty."),
        ("```diff\n\n```", "The patch is empty."),
        ('["a", ""]', "Patch 2 of 2 is empty; none is applied."),
        ("[1]", "must hold texts only"),
        ("[1", "Neither a patch nor a JSON list"),
        ("[" * 100_000, "Neither a patch nor a JSON list"),
    ],
)
def test_what_is_no_patch(text: str, message: str) -> None:
    action = load_protocol("patch")().parse(text)
    assert isinstance(action, Invalid)
    assert message in action.message


# -- json ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "action"),
    [
        ({"action": "command", "command": "ls"}, Command(command="ls")),
        ({"action": "command", "command": "ls", "timeout": 3}, Command(command="ls", timeout=3)),
        ({"action": "write_file", "path": "a", "content": "é"}, WriteFile(path="a", content="é")),
        ({"action": "reset"}, Start()),
        ({"action": "reset", "task_id": "1"}, Start(task_id="1")),
        ({"action": "start", "task_id": 1}, Start(task_id="1")),
        ({"action": "submit"}, Submit()),
        ({"action": "close"}, Close()),
        ({"action": "exit"}, Close(leave=True)),
        ({"action": "lol"}, Invalid(message="Unknown action: lol")),
        ({"action": 1}, Invalid(message='Expected a JSON object with an "action".')),
        ({}, Invalid(message='Expected a JSON object with an "action".')),
        ({"action": "command"}, Invalid(message='command: "command" must be given, as text')),
        ({"action": "write_file", "path": "a"}, Invalid(message='write_file: "content" must be given, as text')),
    ],
)
def test_json_actions(given_: dict[str, Any], action: Action) -> None:
    assert load_protocol("json")().parse(json.dumps(given_)) == action


@pytest.mark.parametrize("bad", [0, -1, True, "2", float("nan")])
def test_a_timeout_is_seconds_above_nothing(bad: object) -> None:
    action = load_protocol("json")().parse(json.dumps({"action": "command", "command": "x", "timeout": bad}))
    assert action == Invalid(message="command: timeout must be seconds above 0")


def test_json_has_the_words_and_the_reward_of_gym_codecraft() -> None:
    protocol = load_protocol("json")()
    assert protocol.invalid_reward == -1
    assert protocol.tell(Submit(), Observation()) == "Code submitted."
    assert protocol.tell(Command(command="pwd"), Observation(output="/tmp\n")) == "/tmp\n"
    bad = protocol.parse("{'action': 'single quotes'}")
    assert isinstance(bad, Invalid)
    assert bad.message.startswith("Not valid JSON:")


# -- tools ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "Not valid JSON"),
        ("[]", 'JSON object with a "name"'),
        ('{"name": "rm"}', "There is no function 'rm'; choose from: bash, write_file, submit"),
        ('{"name": "bash", "arguments": "{"}', "bash: its arguments are not valid JSON"),
        ('{"name": "bash", "arguments": []}', "bash: its arguments must be an object"),
        ('{"name": "bash", "arguments": {}}', "bash: 'command' must be given, as text"),
        ('{"name": "submit", "arguments": {"x": 1}}', "submit: takes no 'x'"),
    ],
)
def test_calls_that_are_none(text: str, message: str) -> None:
    action = load_protocol("tools")().parse(text)
    assert isinstance(action, Invalid)
    assert message in action.message


def test_a_call_as_a_model_sends_it() -> None:
    protocol = load_protocol("tools")()
    call = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    assert protocol.parse(json.dumps(call)) == Command(command="ls")
    assert [schema["function"]["name"] for schema in protocol.schemas()] == ["bash", "write_file", "submit"]
    assert load_protocol("json")().schemas() == []


# -- docs ----------------------------------------------------------------------------------------


def test_the_protocol_in_the_docs_is_one() -> None:
    docs = (Path(__file__).resolve().parents[3] / "docs" / "protocols.md").read_text()
    (source,) = re.findall(r"^```python\n(.*?)^```$", docs, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(source, "docs/protocols.md", "exec"), names)
    bare = names["Bare"]()
    assert isinstance(bare, Protocol)
    for action in (Command(command="ls"), Submit()):
        assert bare.parse(bare.write(action)) == action
    assert bare.tell(Submit(), Observation(output="out\n", notice="Submitted.")) == "out\nSubmitted."


def test_the_docs_say_what_the_protocols_say() -> None:
    docs = (Path(__file__).resolve().parents[3] / "docs" / "protocols.md").read_text()
    parse = load_protocol("execute-plan")().parse
    for answer, _ in EXECUTE + PLAN:
        said = parse(answer)
        assert isinstance(said, Invalid)
        first = said.message.partition(":")[0]
        # One row stands for both kinds of block.
        assert first in docs or first.replace("plan>", "execute>") in docs
