"""What is wrong in a tool folder is named by file and key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import ToolError
from pytest_swegym.tools import Toolset
from pytest_swegym.tools.config import read_config


Folder = Callable[..., Path]

ARGUMENT = "{name: name, type: string, description: who, required: true}"


def tool(text: str) -> str:
    return "tools:\n  greet:\n" + "".join(f"    {line}\n" for line in text.splitlines())


WRONG = {
    "[": ": is no YAML: ",
    "- a\n": "expected a table with the key 'tools', got list",
    "": "expected a table with the key 'tools', got NoneType",
    "state_command: _state\n": "tools: is required (a folder that brings no tool has 'tools: {}')",
    "tools: [greet]\n": "tools: must be a table",
    "tools: {}\ntool: {}\n": "tool: unknown field; did you mean 'tools'?",
    "tools: {}\nstate_command: {name: x}\n": "state_command: must be a string",
    "tools: {}\nrequires: {a: b}\n": "requires: must be a list of strings",
    "tools: {a b: {}}\n": "tools.a b: a tool's name has letters, digits, _ and -, 64 at most",
    "tools: {greet: hello}\n": "tools.greet: expected a table of fields, got str",
    tool("docstrin: x"): "tools.greet.docstrin: unknown field; did you mean 'docstring'?",
    tool("docstring: [x]"): "tools.greet.docstring: must be a string",
    tool("arguments: {a: b}"): "tools.greet.arguments: must be a list",
    tool("arguments: [name]"): "tools.greet.arguments[0]: expected a table of fields, got str",
    tool("arguments: [{type: string}]"): "tools.greet.arguments[0].name: is required",
    tool("arguments: [{name: 1a, type: string}]"): "tools.greet.arguments[0].name: must have letters, digits, _ and -",
    tool("arguments: [{name: a}]"): "tools.greet.arguments[0].type: is required",
    tool(f"arguments: [{ARGUMENT}, {{name: a, type: text}}]"): (
        "tools.greet.arguments[1].type: must be one of string, integer, number, boolean, array, object (got 'text')"
    ),
    tool("arguments: [{name: a, type: string, required: yes please}]"): (
        "tools.greet.arguments[0].required: must be true or false"
    ),
    tool("arguments: [{name: a, type: string, enum: x}]"): "tools.greet.arguments[0].enum: must be a list",
    tool("arguments: [{name: a, type: integer, enum: [x]}]"): (
        "tools.greet.arguments[0].enum: must be a list of values of the argument's type, integer"
    ),
    tool("arguments: [{name: a, type: array, items: string}]"): (
        "tools.greet.arguments[0].items: must be a table with the key 'type'"
    ),
    tool("arguments: [{name: a, type: string, argument_format: '{value}'}]"): (
        "tools.greet.arguments[0].argument_format: must have {{value}} once"
    ),
    tool("arguments: [{name: a, type: string, argument_format: '{{value|upper}}'}]"): (
        "tools.greet.arguments[0].argument_format: must have {{value}} once"
    ),
    tool("arguments: [{name: a, type: string, default: x}]"): "tools.greet.arguments[0].default: unknown field",
    tool(f"arguments: [{ARGUMENT}, {ARGUMENT}]"): "tools.greet.arguments: 'name' is there twice",
    tool(f"arguments: [{{name: a, type: string}}, {ARGUMENT}]"): (
        "tools.greet.arguments[1].required: 'name' cannot come after the optional 'a'"
    ),
    tool(f"signature: greet\narguments: [{ARGUMENT}]"): (
        "tools.greet.signature: lacks the argument 'name'; write <name>, or [<name>] if it is optional (got 'greet')"
    ),
    tool("signature: greet <who>"): "tools.greet.signature: has <who>, which is not among the arguments",
    tool(f"signature: hello <name>\narguments: [{ARGUMENT}]"): (
        "tools.greet.signature: must begin with the tool's name, 'greet'"
    ),
    tool(f'signature: "greet\\n<name>"\narguments: [{ARGUMENT}]'): (
        "tools.greet.signature: has several lines, which only a tool with an end_name may"
    ),
    tool(f"signature: greet <name>\nend_name: END\narguments: [{ARGUMENT}]"): (
        "tools.greet.signature: must have the lines that the tool reads after the first, and 'END' as the last"
    ),
    tool(f'signature: "greet\\n<name>\\nTHE END"\nend_name: THE END\narguments: [{ARGUMENT}]'): (
        "tools.greet.end_name: must be one word without quotes"
    ),
}


@pytest.mark.parametrize(("config", "message"), WRONG.items(), ids=[message[:60] for message in WRONG.values()])
def test_a_wrong_configuration_is_named_by_file_and_key(folder: Folder, config: str, message: str) -> None:
    root = folder(config)
    with pytest.raises(ToolError) as caught:
        Toolset.load([str(root)])
    assert str(caught.value).startswith(f"{root}/config.yaml: ")
    assert message in str(caught.value)
    assert isinstance(caught.value, ConfigError)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("x" * (2**20 + 1), "is larger than 1024 KiB"),
        ("[" * 50_000, "is no YAML"),
        ("a: !!python/object/apply:os.system [true]\n", "is no YAML"),
        ("\x00", "is no YAML"),
    ],
    ids=["large", "deep", "python object", "binary"],
)
def test_a_hostile_configuration_is_refused(folder: Folder, config: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        read_config(folder(config) / "config.yaml")


def test_aliases_that_multiply_are_text_nowhere(folder: Folder) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)), "tools: {}"]
    with pytest.raises(ToolError, match="a0: unknown field"):
        read_config(folder("\n".join(lines)) / "config.yaml")


def test_a_configuration_of_swe_agent_is_read_as_it_is(folder: Folder) -> None:
    """Its quoting of placeholders, its list format, its state command, a null docstring."""
    config = """\
tools:
  open:
    signature: 'open "<path>" [<line_number>]'
    docstring: null
    arguments:
      - {name: path, type: string, description: file, required: true}
      - {name: line_number, type: integer, description: line, required: false}
  view:
    signature: |
      view <path> [<view_range>]
    docstring: >
      Folded
      text.
    arguments:
      - {name: path, type: string, description: file, required: true}
      - name: view_range
        type: array
        items: {type: integer}
        description: lines
        required: false
        argument_format: "--view_range {{value|join(' ')}}"
state_command: "_state"
"""
    tools = Toolset.load([str(folder(config, bin={"open": "", "view": "", "_state": ""}))])
    assert tools.command("open", {"path": "a b.py", "line_number": 3}) == "open 'a b.py' 3"
    assert tools.command("view", {"path": "x", "view_range": [1, -1]}) == "view x --view_range 1 -1"
    assert tools.tools["view"].docstring == "Folded text."
    assert "_state" in tools.state_commands[0]
    assert tools.schemas()[1]["function"]["parameters"]["properties"]["view_range"] == {
        "type": "array",
        "items": {"type": "integer"},
        "description": "lines",
    }
