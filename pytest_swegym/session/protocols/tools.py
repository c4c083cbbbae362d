"""Function calls as JSON: what a tool-calling model answers with."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

from pytest_swegym.session.actions import Action
from pytest_swegym.session.actions import Command
from pytest_swegym.session.actions import Forfeit
from pytest_swegym.session.actions import Invalid
from pytest_swegym.session.actions import Submit
from pytest_swegym.session.actions import ToolCall
from pytest_swegym.session.actions import WriteFile
from pytest_swegym.session.observation import Observation
from pytest_swegym.session.protocols.base import Protocol
from pytest_swegym.task import TaskSpec


def _function(name: str, description: str, **parameters: str) -> dict[str, Any]:
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


#: Functions that are there without any tool folder; a folder's tool of the same name goes before it.
BUILT_IN = (
    _function("bash", "Run a shell command; the shell lives on between calls.", command="any number of lines"),
    _function("write_file", "Write a text file, making its folders.", path="where", content="the whole text"),
    _function("submit", "Finish: the work is graded as it stands."),
)
_MAKE: Mapping[str, Callable[[Mapping[str, Any]], Action]] = {
    "bash": lambda given: Command(command=given["command"]),
    "write_file": lambda given: WriteFile(path=given["path"], content=given["content"]),
    "submit": lambda given: Submit(),
}


class ToolsProtocol(Protocol):
    """``{"name": "bash", "arguments": {"command": "ls"}}``, or the same as an OpenAI tool call."""

    name: ClassVar[str] = "tools"

    def schemas(self) -> list[Mapping[str, Any]]:
        own = list(self.tools.schemas()) if self.tools is not None else []
        names = {schema["function"]["name"] for schema in own}
        return [*own, *(schema for schema in BUILT_IN if schema["function"]["name"] not in names)]

    def greet(self, task: TaskSpec) -> str:
        names = ", ".join(schema["function"]["name"] for schema in self.schemas())
        title = f"{task.title}\n\n" if task.title else ""
        return f"{title}{task.problem_statement.strip()}\n\nCall one of these functions per step: {names}.\n"

    def parse(self, text: str) -> Action:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            return Invalid(message=f"Not valid JSON: {error}")
        call = data.get("function", data) if isinstance(data, dict) else None
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            return Invalid(message='Expected a JSON object with a "name" and "arguments".')
        arguments = call.get("arguments", {})
        if isinstance(arguments, str):  # as models send them
            try:
                arguments = json.loads(arguments or "{}")
            except (ValueError, RecursionError) as error:
                return Invalid(message=f"{call['name']}: its arguments are not valid JSON: {error}")
        if not isinstance(arguments, dict):
            return Invalid(message=f"{call['name']}: its arguments must be an object")
        return self._action(call["name"], arguments, str(data.get("id", "")))

    def _action(self, name: str, arguments: Mapping[str, Any], call_id: str) -> Action:
        if self.tools is not None and name in self.tools.tools:
            return ToolCall(name=name, arguments=arguments, call_id=call_id)
        known = {schema["function"]["name"]: schema["function"] for schema in BUILT_IN}
        if name not in known:
            names = ", ".join(schema["function"]["name"] for schema in self.schemas())
            return Invalid(message=f"There is no function {name!r}; choose from: {names}")
        wanted = known[name]["parameters"]["required"]
        wrong = [key for key in wanted if not isinstance(arguments.get(key), str)]
        odd = sorted(set(arguments) - set(wanted))
        if wrong or odd:
            what = f"{wrong[0]!r} must be given, as text" if wrong else f"takes no {odd[0]!r}"
            return Invalid(message=f"{name}: {what}")
        return _MAKE[name](arguments)

    def tell(self, action: Action, seen: Observation) -> str:
        code = f"[exit code {seen.exit_code}]" if seen.exit_code else ""
        return "\n".join(text for text in (seen.output.rstrip("\n"), code, seen.notice) if text)

    def write(self, action: Action) -> str:
        if isinstance(action, ToolCall):
            return _call(action.name, action.arguments)
        if isinstance(action, Command) and action.timeout is None:
            return _call("bash", {"command": action.command})
        if isinstance(action, WriteFile):
            return _call("write_file", {"path": action.path, "content": action.content})
        if isinstance(action, Submit):
            return _call("submit", {})
        if isinstance(action, Forfeit) and self.tools is not None and "forfeit" in self.tools.tools:
            return _call("forfeit", {})
        raise ValueError(f"the tools protocol has no {type(action).__name__} like this")


def _call(name: str, arguments: Mapping[str, Any]) -> str:
    return json.dumps({"name": name, "arguments": dict(arguments)}, ensure_ascii=False)
