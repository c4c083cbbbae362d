"""gym-codecraft's protocol: every action is a JSON object with an ``action``."""

from __future__ import annotations

import json
from typing import Any
from typing import ClassVar

from pytest_swegym.session.actions import Action
from pytest_swegym.session.actions import Close
from pytest_swegym.session.actions import Command
from pytest_swegym.session.actions import Forfeit
from pytest_swegym.session.actions import Invalid
from pytest_swegym.session.actions import Start
from pytest_swegym.session.actions import Submit
from pytest_swegym.session.actions import WriteFile
from pytest_swegym.session.observation import Observation
from pytest_swegym.session.protocols.base import Protocol
from pytest_swegym.task import TaskSpec


NAMES = "command, write_file, submit, reset, start, forfeit, close, exit"
_HOW = """\
Answer with one JSON object per step:
{"action": "command", "command": "ls"}                              run a shell command
{"action": "write_file", "path": "a.py", "content": "print(1)"}     write a file
{"action": "submit"}                                                finish; your work is graded
{"action": "reset"}                                                 begin the task anew
"""


class JsonProtocol(Protocol):
    """``{"action": "command", "command": "ls"}`` and the like, with gym-codecraft's names, messages and rewards."""

    name: ClassVar[str] = "json"
    invalid_reward: ClassVar[float] = -1.0

    def greet(self, task: TaskSpec) -> str:
        title = f"Task {task.instance_id}: {task.title}".rstrip(": ")
        return f"{title}\n\n{task.problem_statement.strip()}\n\n{_HOW}"

    def parse(self, text: str) -> Action:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            return Invalid(message=f"Not valid JSON: {error}")
        if not isinstance(data, dict) or not isinstance(data.get("action"), str):
            return Invalid(message='Expected a JSON object with an "action".')
        return _action(data)

    def tell(self, action: Action, seen: Observation) -> str:
        if isinstance(action, Submit):
            return "Code submitted."
        if not seen.notice:
            return seen.output
        return "\n".join(text for text in (seen.output.rstrip("\n"), seen.notice) if text)

    def write(self, action: Action) -> str:
        plain: dict[str, Any]
        if isinstance(action, Command):
            plain = {"action": "command", "command": action.command}
            plain |= {"timeout": action.timeout} if action.timeout is not None else {}
        elif isinstance(action, WriteFile):
            plain = {"action": "write_file", "path": action.path, "content": action.content}
        elif isinstance(action, Start):
            plain = {"action": "reset"} | ({"task_id": action.task_id} if action.task_id is not None else {})
        elif isinstance(action, Close):
            plain = {"action": "exit" if action.leave else "close"}
        elif isinstance(action, (Submit, Forfeit)):
            plain = {"action": type(action).__name__.lower()}
        else:
            raise ValueError(f"the json protocol has no {type(action).__name__}")
        return json.dumps(plain, ensure_ascii=False)


def _action(data: dict[str, Any]) -> Action:
    name = data["action"]
    if name == "command":
        timeout = data.get("timeout")
        number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
        if timeout is not None and not (number and timeout > 0):
            return Invalid(message="command: timeout must be seconds above 0")
        return _texts(data, "command") or Command(command=data["command"], timeout=timeout)
    if name == "write_file":
        return _texts(data, "path", "content") or WriteFile(path=data["path"], content=data["content"])
    if name in ("reset", "start"):
        task_id = data.get("task_id")
        return Start(task_id=None if task_id is None else str(task_id))
    if name in ("close", "exit"):
        return Close(leave=name == "exit")
    if name in ("submit", "forfeit"):
        return Submit() if name == "submit" else Forfeit()
    return Invalid(message=f"Unknown action: {name}")


def _texts(data: dict[str, Any], *fields: str) -> Invalid | None:
    """What is wrong with the fields of an action that have to be text, if anything is."""
    wrong = next((field for field in fields if not isinstance(data.get(field), str)), None)
    return None if wrong is None else Invalid(message=f'{data["action"]}: "{wrong}" must be given, as text')
