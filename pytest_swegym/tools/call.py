"""A call of a tool as one shell command: arguments checked, converted and quoted."""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from pytest_swegym.errors import ToolError
from pytest_swegym.tools.spec import Argument
from pytest_swegym.tools.spec import Tool


#: Bytes of the longest word of a command line: Linux allows a program no longer argument.
WORD_LIMIT = 128 * 1024 - 1
_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
#: ``<name>`` or ``{name}``, with quotes around it or not: values are quoted anyway.
_SLOT = re.compile(rf"([\"']?)(?:<(?P<angle>{_NAME})>|\{{(?P<brace>{_NAME})\}})\1")
_GROUP = re.compile(r"\[([^\[\]]*)\]")
_FORMAT = re.compile(
    r"(?P<before>[^{}]*)\{\{-?\s*value\s*(?:\|\s*join\(\s*(?P<q>['\"])(?P<apart>[^'\"{}]*)(?P=q)\s*\)\s*)?-?\}\}"
    r"(?P<after>[^{}]*)"
)
_HERE = re.compile(r"(?<!<)<<(?!<)-?\s*(['\"]?)([A-Za-z_][\w-]*)\1")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def check_format(value: Any) -> str:
    """An ``argument_format`` that :func:`command_line` understands. Raises :class:`ValueError`."""
    if not isinstance(value, str) or not _FORMAT.fullmatch(value):
        raise ValueError("must have {{value}} once, or {{value|join(' ')}}, with plain text around it")
    return value


def signature_names(signature: str) -> list[str]:
    """The arguments in a signature, in their order."""
    return [_slot_name(slot) for slot in _SLOT.finditer(signature)]


def command_line(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """The shell command that calls ``tool``. Raises :class:`ToolError`, which names the argument."""
    values = _values(tool, arguments)
    if tool.is_shell:
        return str(values[tool.arguments[0].name])
    words = {
        argument.name: _word(tool, argument, values[argument.name])
        for argument in tool.arguments
        if argument.name in values
    }
    _check_gaps(tool, words)
    if tool.end_name is None:
        return _filled(tool.signature, words)
    first, *body = tool.signature.splitlines()[:-1]
    plain = {name: value if isinstance(value, str) else words[name] for name, value in values.items()}
    return _here_document(_filled(first, words), "\n".join(_filled(line, plain) for line in body), tool.end_name)


def with_here_documents(command: str, end_names: Mapping[str, str]) -> str:
    """``command`` with ``<< 'END'`` added where a tool of ``end_names`` is called with its text on the lines below."""
    lines = command.split("\n")
    last = {line: at for at, line in enumerate(lines)}
    last_bare = {line.strip(): at for at, line in enumerate(lines)}
    done, at = [], 0
    while at < len(lines):
        line, at = lines[at], at + 1
        words, here = line.split(None, 1), _HERE.search(line)
        end = here[2] if here is not None else end_names.get(words[0]) if words else None
        if end is None or (last_bare if here is None else last).get(end, 0) < at:
            done.append(line)
        elif here is not None:
            stop = lines.index(end, at)
            done += [line, *lines[at : stop + 1]]
            at = stop + 1
        else:
            stop = next(below for below in range(at, len(lines)) if lines[below].strip() == end)
            body = "".join(f"{below}\n" for below in lines[at:stop])
            done.append(_here_document(line.rstrip(), body, end))
            at = stop + 1
    return "\n".join(done)


# -- values --------------------------------------------------------------------------------------


def _values(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    names = [argument.name for argument in tool.arguments]
    for name in arguments:
        if name not in names:
            close = difflib.get_close_matches(str(name), names, 1)
            known = f"did you mean {close[0]!r}?" if close else f"it takes: {', '.join(names) or 'nothing'}"
            raise ToolError(f"{tool.name}: has no argument {name!r}; {known}")
    values = {}
    for argument in tool.arguments:
        value = arguments.get(argument.name)
        if value is None:
            if argument.required:
                raise ToolError(f"{tool.name}: {argument.name} is required: {argument.description or argument.type}")
            continue
        values[argument.name] = _converted(tool, argument, value)
    return values


def _converted(tool: Tool, argument: Argument, value: Any) -> Any:
    try:
        made = _CONVERT[argument.type](value)
        if argument.type == "array":
            made = [_CONVERT[argument.items](item) for item in made]
    except (TypeError, ValueError):
        kind = f"array of {argument.items}" if argument.type == "array" else argument.type
        raise ToolError(f"{tool.name}: {argument.name} must be of type {kind} (got {value!r:.80})") from None
    if argument.enum and made not in argument.enum:
        choices = ", ".join(map(str, argument.enum))
        raise ToolError(f"{tool.name}: {argument.name} must be one of {choices} (got {value!r:.80})")
    return made


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    value.encode("utf-8", "surrogateescape")  # half of a surrogate pair is no text
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, str) and not _WHOLE.fullmatch(value.strip())):
        raise TypeError
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return value if isinstance(value, int) else float(value)


def _boolean(value: Any) -> bool:
    made = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(made, bool):
        raise TypeError
    return made


def _array(value: Any) -> list[Any]:
    # Some models write a list as its JSON text.
    made = json.loads(value) if isinstance(value, str) and value.lstrip().startswith("[") else value
    if not isinstance(made, (list, tuple)):
        raise TypeError
    return list(made)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return dict(value)


_CONVERT: Mapping[str, Callable[[Any], Any]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _array,
    "object": _object,
}


# -- words ---------------------------------------------------------------------------------------


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _word(tool: Tool, argument: Argument, value: Any) -> str:
    """The value as it stands in a command line, in the argument's own format."""
    found = _FORMAT.fullmatch(argument.format)
    if found is None:
        raise ToolError(f"{tool.name}: {argument.name} has the unknown format {argument.format!r}")
    items = [_plain(item) for item in (value if isinstance(value, list) else [value])]
    apart = " " if found["apart"] is None else found["apart"]
    pieces = items if apart.isspace() else [apart.join(items)]
    if any(len(piece.encode("utf-8", "surrogateescape")) > WORD_LIMIT for piece in pieces):
        raise ToolError(
            f"{tool.name}: {argument.name} is longer than {WORD_LIMIT} bytes, the most that a program can be given; "
            "write it in parts"
        )
    before, after = found["before"], found["after"]
    if before[-1:] in ("'", '"') and before[-1:] == after[:1]:  # values come with quotes of their own
        before, after = before[:-1], after[1:]
    return f"{before}{' '.join(shlex.quote(piece) for piece in pieces)}{after}"


def _check_gaps(tool: Tool, words: Mapping[str, str]) -> None:
    """A value whose place tells what it is must not move to the place of one that was left out."""
    known = {argument.name: argument for argument in tool.arguments}
    # Of the groups in brackets, only a bare [<name>] is a place; [--flag <name>] says itself what it is.
    places = _GROUP.sub(lambda group: group[1] if _SLOT.fullmatch(group[1].strip()) else "", tool.signature)
    missing = ""
    for name in signature_names(places.split("\n")[0]):
        if name in words and missing and known[name].positional:
            raise ToolError(f"{tool.name}: {name} can only be given together with {missing}")
        if name not in words and known[name].positional:
            missing = missing or name


def _filled(text: str, words: Mapping[str, str]) -> str:
    """A line of a signature with its arguments in place; a group in brackets is left out unless all of it is given."""

    def slots(part: str) -> str:
        return _SLOT.sub(lambda slot: words.get(_slot_name(slot), ""), part)

    done, at = "", 0
    for group in _GROUP.finditer(text):
        names = signature_names(group[1])
        done += slots(text[at : group.start()])
        done += slots(group[1]) if names and all(name in words for name in names) else ""
        at = group.end()
    done += slots(text[at:])
    return done if at == 0 else done.rstrip()


def _here_document(first: str, body: str, end: str) -> str:
    if not body:  # bash makes an empty one no input at all
        return f": | {first}"
    lines = body.split("\n")
    while end in lines:
        end += "_"
    text = body if body.endswith("\n") else f"{body}\n"
    return f"{first} << '{end}'\n{text}{end}"


def _slot_name(slot: re.Match[str]) -> str:
    return slot["angle"] or slot["brace"]
