"""Calls as shell commands: what the tool gets is what was given."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.errors import ToolError
from pytest_swegym.tools import Argument
from pytest_swegym.tools import Tool
from pytest_swegym.tools import Toolset
from pytest_swegym.tools.call import WORD_LIMIT
from pytest_swegym.tools.call import command_line
from pytest_swegym.tools.call import with_here_documents


TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=40)
SHOW = Tool(
    name="show",
    folder="mine",
    signature="show <path> [<first>] [<last>] [--label <label>]",
    arguments=(
        Argument(name="path", type="string", description="which file", required=True),
        Argument(name="first", type="integer"),
        Argument(name="last", type="integer"),
        Argument(name="label", type="string"),
    ),
)
EDIT = Tool(
    name="edit",
    folder="mine",
    signature="edit <start>:<end>\n<text>\nend_of_edit",
    end_name="end_of_edit",
    arguments=(
        Argument(name="start", type="integer", required=True),
        Argument(name="end", type="integer", required=True),
        Argument(name="text", type="string", required=True),
    ),
)
KINDS = Tool(
    name="kinds",
    folder="mine",
    signature="kinds [<flag>] [<rate>] [<words>] [<ids>] [<data>] [<mode>]",
    arguments=(
        Argument(name="flag", type="boolean", format="--flag={{value}}"),
        Argument(name="rate", type="number", format="--rate {{ value }}"),
        Argument(name="words", type="array", format="--words {{value|join(' ')}}"),
        Argument(name="ids", type="array", items="integer", format="--ids '{{ value | join(\",\") }}'"),
        Argument(name="data", type="object", format="--data {{value}}"),
        Argument(name="mode", type="string", enum=("a", "b"), format="--mode {{value}}"),
    ),
)


@given(path=TEXT, label=TEXT, first=st.integers(-9, 9))
def test_every_text_arrives_as_it_was_given(path: str, label: str, first: int) -> None:
    words = shlex.split(command_line(SHOW, {"path": path, "first": first, "label": label}))
    assert words == ["show", path, str(first), "--label", label]


@given(text=TEXT)
def test_lines_of_a_here_document_arrive_as_they_were_given(text: str) -> None:
    command = command_line(EDIT, {"start": 1, "end": 2, "text": text})
    if not text:
        assert command == ": | edit 1:2"
        return
    first, *lines = command.split("\n")
    head, _, end = first.partition(" << ")
    assert head == "edit 1:2"
    assert lines.index(shlex.split(end)[0]) == len(lines) - 1
    assert "".join(f"{line}\n" for line in lines[:-1]) == (text if text.endswith("\n") else text + "\n")


@given(command=st.text("ab \n<'end_of_edit", max_size=200))
def test_commands_without_tools_of_many_lines_are_left_alone(command: str) -> None:
    assert with_here_documents(command, {}) == command
    assert with_here_documents(command, {"edit": "THE_END"}) == command


TYPED = {
    "edit 1:2\nx\nend_of_edit": "edit 1:2 << 'end_of_edit'\nx\nend_of_edit",
    "cd a\nedit 1:1 \n  x\n end_of_edit \nls": "cd a\nedit 1:1 << 'end_of_edit'\n  x\nend_of_edit\nls",
    "edit 1:2 << 'end_of_edit'\nedit 3:4\nend_of_edit": "edit 1:2 << 'end_of_edit'\nedit 3:4\nend_of_edit",
    "edit 1:2 <<X\nedit 3:4\nend_of_edit\nX": "edit 1:2 <<X\nedit 3:4\nend_of_edit\nX",
    "cat <<'EOF'\nedit 1:2\nend_of_edit\n EOF\nEOF\n": "cat <<'EOF'\nedit 1:2\nend_of_edit\n EOF\nEOF\n",
    "edit 1:2\nno end": "edit 1:2\nno end",
    "echo $((1 << y))\nedit 1:1\nend_of_edit": "echo $((1 << y))\n: | edit 1:1",
    "cat <<< x\nedit 1:1\nend_of_edit": "cat <<< x\n: | edit 1:1",
    "editor 1:2\nend_of_edit": "editor 1:2\nend_of_edit",
}


@pytest.mark.parametrize(("typed", "command"), TYPED.items())
def test_a_tool_of_many_lines_can_be_typed_as_it_is_documented(typed: str, command: str) -> None:
    assert with_here_documents(typed, {"edit": "end_of_edit"}) == command


def test_each_type_has_its_form() -> None:
    given = {"flag": True, "rate": 0.5, "words": ["a b", "c"], "ids": [1, 2], "data": {"k": "v"}, "mode": "a"}
    words = shlex.split(command_line(KINDS, given))
    assert words == [
        *("kinds", "--flag=true", "--rate", "0.5", "--words", "a b", "c", "--ids", "1,2"),
        *("--data", '{"k": "v"}', "--mode", "a"),
    ]


@pytest.mark.parametrize(
    ("loose", "strict"),
    [
        ({"first": "12", "path": "x"}, {"first": 12, "path": "x"}),
        ({"first": 12.0, "path": "x"}, {"first": 12, "path": "x"}),
        ({"first": None, "path": "x"}, {"path": "x"}),
    ],
)
def test_what_models_write_loosely_is_understood(loose: dict[str, Any], strict: dict[str, Any]) -> None:
    assert command_line(SHOW, loose) == command_line(SHOW, strict)
    assert command_line(KINDS, {"ids": "[1, 2]", "flag": "True"}) == command_line(KINDS, {"ids": [1, 2], "flag": True})


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        (SHOW, {}, "show: path is required: which file"),
        (SHOW, {"path": "x", "labl": "y"}, "show: has no argument 'labl'; did you mean 'label'?"),
        (SHOW, {"path": "x", "zzz": "y"}, "show: has no argument 'zzz'; it takes: path, first, last, label"),
        (SHOW, {"path": 3}, "show: path must be of type string (got 3)"),
        (SHOW, {"path": "a\0b"}, "show: path must be of type string"),
        (SHOW, {"path": "\ud800"}, "show: path must be of type string"),
        (SHOW, {"path": "x", "first": "one"}, "show: first must be of type integer (got 'one')"),
        (SHOW, {"path": "x", "first": True}, "show: first must be of type integer"),
        (SHOW, {"path": "x", "first": 1.5}, "show: first must be of type integer"),
        (SHOW, {"path": "x", "first": [1]}, "show: first must be of type integer"),
        (SHOW, {"path": "x", "first": float("inf")}, "show: first must be of type integer"),
        (SHOW, {"path": "x", "last": 3}, "show: last can only be given together with first"),
        (SHOW, {"path": "x" * (WORD_LIMIT + 1)}, "show: path is longer than 131071 bytes"),
        (KINDS, {"ids": [1, "x"]}, "kinds: ids must be of type array of integer"),
        (KINDS, {"ids": 3}, "kinds: ids must be of type array of integer"),
        (KINDS, {"ids": "[1"}, "kinds: ids must be of type array of integer"),
        (KINDS, {"data": "x"}, "kinds: data must be of type object"),
        (KINDS, {"flag": "maybe"}, "kinds: flag must be of type boolean"),
        (KINDS, {"rate": "fast"}, "kinds: rate must be of type number"),
        (KINDS, {"mode": "c"}, "kinds: mode must be one of a, b (got 'c')"),
    ],
)
def test_wrong_arguments_are_named(tool: Tool, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolError) as caught:
        command_line(tool, arguments)
    assert str(caught.value).startswith(message)


def test_without_a_signature_arguments_follow_the_name() -> None:
    optional = Argument(name="b", type="string"), Argument(name="c", type="string")
    tool = Tool(
        name="t", folder="mine", signature="t <a> [<b>] <c>", arguments=(Argument(name="a", type="string"), *optional)
    )
    with pytest.raises(ToolError, match="t: c can only be given together with b"):
        command_line(tool, {"a": "x", "c": "y"})


def test_the_bash_tool_is_the_command_itself() -> None:
    tools = Toolset.load(["bash"])
    assert tools.command("bash", {"command": "cd x\nls 'a b'"}) == "cd x\nls 'a b'"


def test_an_unknown_tool_is_answered_with_those_there_are() -> None:
    with pytest.raises(ToolError, match="there is no tool 'grep'; choose from: find_file, search_dir, search_file"):
        Toolset.load(["search"]).command("grep", {})
