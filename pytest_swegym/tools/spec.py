"""A tool as its folder describes it: how it is called, what it takes, what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


#: JSON types that an argument may have.
TYPES = ("string", "integer", "number", "boolean", "array", "object")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a tool. ``format`` is how it stands in a command line: ``{{value}}``, ``--flag {{value}}``."""

    name: str
    type: str
    description: str = ""
    required: bool = False
    enum: tuple[Any, ...] = ()
    items: str = "string"
    format: str = "{{value}}"

    @property
    def positional(self) -> bool:
        """Whether its place in the command line tells what it is."""
        return self.format.lstrip().startswith("{{")

    def schema(self) -> dict[str, Any]:
        """Its JSON schema."""
        schema: dict[str, Any] = {"type": self.type, "description": self.description}
        if self.type == "array":
            schema["items"] = {"type": self.items}
        if self.enum:
            schema["enum"] = list(self.enum)
        return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One command that a tool folder brings. With ``end_name`` it reads lines up to that word, as a here-document."""

    name: str
    folder: str
    signature: str
    docstring: str = ""
    arguments: tuple[Argument, ...] = ()
    end_name: str | None = None

    @property
    def is_shell(self) -> bool:
        """Whether its one argument is itself the command to run: a signature like ``<command>``."""
        first = self.arguments[0] if len(self.arguments) == 1 else None
        return first is not None and first.required and self.signature == f"<{first.name}>"

    def schema(self) -> dict[str, Any]:
        """It as an OpenAI function."""
        parameters = {
            "type": "object",
            "properties": {argument.name: argument.schema() for argument in self.arguments},
            "required": [argument.name for argument in self.arguments if argument.required],
            "additionalProperties": False,
        }
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.docstring, "parameters": parameters},
        }

    def docs(self) -> str:
        """It as text for a person or a model."""
        lines = [self.name, *(f"  {line}" for line in self.docstring.splitlines()), "", "usage:"]
        lines += [f"  {line}" for line in self.signature.splitlines()]
        if self.arguments:
            lines += ["", "arguments:"]
        for argument in self.arguments:
            kind = f"array of {argument.items}" if argument.type == "array" else argument.type
            choice = f", one of {', '.join(map(str, argument.enum))}" if argument.enum else ""
            need = "required" if argument.required else "optional"
            lines.append(f"  {argument.name} ({kind}, {need}{choice}): {argument.description}")
        return "\n".join(lines) + "\n"
