"""Reading a tool folder's ``config.yaml``; what is wrong in it is named by file and key."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import NoReturn

from pytest_swegym.errors import SpecError
from pytest_swegym.errors import ToolError
from pytest_swegym.task import fields as f
from pytest_swegym.tools.call import check_format
from pytest_swegym.tools.call import signature_names
from pytest_swegym.tools.spec import TYPES
from pytest_swegym.tools.spec import Argument
from pytest_swegym.tools.spec import Tool


log = logging.getLogger("pytest_swegym.tools")

#: Bytes of the largest config.yaml that is read.
_LIMIT = 2**20
#: Names that OpenAI's function calls allow.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a ``config.yaml`` says."""

    tools: tuple[Tool, ...]
    state_command: str = ""
    requires: tuple[str, ...] = ()


def read_config(path: Path) -> Config:
    """The file as a :class:`Config`. Raises :class:`ToolError`, which names the file and the key."""
    try:
        return _read(f.Fields(_load(path), where=str(path)), path.parent.name)
    except SpecError as error:
        raise ToolError(str(error)) from None


def _load(path: Path) -> Mapping[str, Any]:
    import yaml  # deferred: an ordinary test suite has no tools

    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
        if len(data) > _LIMIT:
            raise ToolError(f"{path}: is larger than {_LIMIT >> 10} KiB")
        found = yaml.safe_load(data)
    except OSError as error:
        raise ToolError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ToolError(f"{path}: is no YAML: {error}") from None
    if not isinstance(found, dict):
        raise ToolError(f"{path}: expected a table with the key 'tools', got {type(found).__name__}")
    return found


def _read(reader: f.Fields, folder: str) -> Config:
    tools = reader.take("tools", _table, None)
    if tools is None:
        raise reader.error("tools", "is required (a folder that brings no tool has 'tools: {}')")
    config = Config(
        tools=tuple(_tool(name, entry, folder, reader.where) for name, entry in tools.items()),
        state_command=reader.take("state_command", f.text, "").strip(),
        requires=reader.take("requires", f.texts, ()),
    )
    reader.end()
    return config


def _table(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("must be a table")
    return value


def _tool(name: Any, entry: Any, folder: str, where: str | None) -> Tool:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SpecError("a tool's name has letters, digits, _ and -, 64 at most", field=f"tools.{name}", where=where)
    reader = f.Fields(entry or {}, where=where, prefix=f"tools.{name}")
    given: list[Any] = reader.take("arguments", _list, [])
    arguments = tuple(_argument(item, f"tools.{name}.arguments[{at}]", where) for at, item in enumerate(given))
    signature = (reader.take("signature", f.text, None) or "").strip()
    end_name = reader.take("end_name", f.text, None)
    tool = Tool(
        name=name,
        folder=folder,
        signature=signature or " ".join([name, *(_place(argument) for argument in arguments)]),
        docstring=reader.take("docstring", f.text, "").strip(),
        arguments=arguments,
        end_name=end_name,
    )
    reader.end()
    if not tool.docstring:
        log.warning("%s: tools.%s: has no docstring: no player is told what it does", where, name)
    _check_arguments(tool, reader)
    _check_signature(tool, reader)
    return tool


def _place(argument: Argument) -> str:
    return f"<{argument.name}>" if argument.required else f"[<{argument.name}>]"


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("must be a list")
    return value


def _argument(entry: Any, key: str, where: str | None) -> Argument:
    reader = f.Fields(entry, where=where, prefix=key)
    argument = Argument(
        name=reader.require("name", _argument_name),
        type=reader.require("type", f.one_of(*TYPES)),
        description=reader.take("description", f.text, "").strip(),
        required=reader.take("required", f.flag, False),
        items=reader.take("items", _items, "string"),
        format=reader.take("argument_format", check_format, "{{value}}"),
        enum=tuple(reader.take("enum", _list, [])),
    )
    reader.end()
    kinds: Mapping[str, Callable[[Any], bool]] = {
        "string": lambda value: isinstance(value, str),
        "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
        "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    }
    if argument.enum and not all(kinds.get(argument.type, lambda value: False)(value) for value in argument.enum):
        raise reader.error("enum", f"must be a list of values of the argument's type, {argument.type}")
    return argument


def _argument_name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("must have letters, digits, _ and -, 64 at most, and begin with a letter or _")
    return value


def _items(value: Any) -> str:
    if not isinstance(value, Mapping) or set(value) != {"type"} or value["type"] not in TYPES[:4]:
        raise ValueError(f"must be a table with the key 'type', one of {', '.join(TYPES[:4])}")
    return str(value["type"])


def _check_arguments(tool: Tool, reader: f.Fields) -> None:
    names = [argument.name for argument in tool.arguments]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise reader.error("arguments", f"{twice!r} is there twice")
    optional = ""
    for at, argument in enumerate(tool.arguments):
        if argument.required and optional:
            why = f"{argument.name!r} cannot come after the optional {optional!r}"
            raise reader.error(f"arguments[{at}].required", why)
        optional = optional or ("" if argument.required else argument.name)


def _check_signature(tool: Tool, reader: f.Fields) -> None:
    def wrong(why: str) -> NoReturn:
        raise reader.error("signature", f"{why} (got {tool.signature!r})")

    first = tool.signature.split(None, 1)[0]
    if first != tool.name and not tool.is_shell:
        wrong(f"must begin with the tool's name, {tool.name!r}")
    found, names = signature_names(tool.signature), [argument.name for argument in tool.arguments]
    for name in names:
        if name not in found:
            wrong(f"lacks the argument {name!r}; write <{name}>, or [<{name}>] if it is optional")
    for name in found:
        if name not in names:
            wrong(f"has <{name}>, which is not among the arguments")
    lines = tool.signature.splitlines()
    if tool.end_name is None:
        if len(lines) > 1:
            wrong("has several lines, which only a tool with an end_name may")
        return
    if not tool.end_name.strip() or len(tool.end_name.split()) != 1 or "'" in tool.end_name:
        raise reader.error("end_name", f"must be one word without quotes (got {tool.end_name!r})")
    if len(lines) < 2 or lines[-1].strip() != tool.end_name:
        wrong(f"must have the lines that the tool reads after the first, and {tool.end_name!r} as the last")
