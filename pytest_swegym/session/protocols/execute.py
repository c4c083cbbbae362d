"""SWE-Little's protocol: free text whose last ``<execute>…</execute>`` block is the command."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import ClassVar

from pytest_swegym.session.actions import Action
from pytest_swegym.session.actions import Command
from pytest_swegym.session.actions import Forfeit
from pytest_swegym.session.actions import Invalid
from pytest_swegym.session.actions import Submit
from pytest_swegym.session.observation import Observation
from pytest_swegym.session.protocols.base import Protocol
from pytest_swegym.task import TaskSpec


if TYPE_CHECKING:
    from pytest_swegym.tools import Toolset


#: Commands that are no shell commands: alone in a block they end the episode.
_ENDINGS: dict[str, Action] = {"exit": Submit(), "submit": Submit(), "forfeit": Forfeit()}
_EXECUTE = re.compile(r"</?execute>")
_PLAN = re.compile(r"</?plan>")
_HOW = """\
End your answer with one shell command in <execute> and </execute>. The shell lives on between your answers.
<execute>ls -la</execute>
When your work is done, answer with <execute>submit</execute>.
"""
_HOW_PLAN = """\
First say what you are going to do in <plan> and </plan>, then end your answer with one shell command in <execute> and
</execute>. The shell lives on between your answers.
<plan>See what there is, then find the function.</plan>
<execute>ls -la</execute>
When your work is done, answer with your plan and <execute>submit</execute>.
"""


class ExecuteProtocol(Protocol):
    """``<execute>ls</execute>`` at the end of any text; ``exit`` or ``submit`` alone in it ends the episode.

    With ``use_plan`` a ``<plan>…</plan>`` has to come before it. In both the last block counts.
    """

    name: ClassVar[str] = "execute"

    def __init__(self, tools: Toolset | None = None, *, use_plan: bool = False) -> None:
        super().__init__(tools)
        self.use_plan = use_plan

    def greet(self, task: TaskSpec) -> str:
        title = f"{task.title}\n\n" if task.title else ""
        docs = f"\n{self.tools.docs().strip()}\n" if self.tools is not None else ""
        how = _HOW_PLAN if self.use_plan else _HOW
        return f"{title}{task.problem_statement.strip()}\n\nThe repository is in {task.workdir}.\n{docs}\n{how}"

    def parse(self, text: str) -> Action:
        if not text.strip():
            return Invalid(message="Your answer is empty: put a shell command in <execute> and </execute>.")
        start, inside = _command(text)
        if isinstance(inside, Invalid):
            return inside
        wrong = _plan(text[:start])[1] if self.use_plan else None
        return wrong or _ENDINGS.get(inside.strip()) or Command(command=inside)

    def plan(self, text: str) -> str:
        """The plan in a player's text; empty if there is none."""
        start, inside = _command(text)
        return "" if isinstance(inside, Invalid) else _plan(text[:start])[0].strip()

    def tell(self, action: Action, seen: Observation) -> str:
        if isinstance(action, Submit):
            return "Submitted."
        code = f"[exit code {seen.exit_code}]" if seen.exit_code else ""
        return "\n".join(text for text in (seen.output.rstrip("\n"), code, seen.notice) if text)

    def write(self, action: Action) -> str:
        ending = next((word for word, meant in reversed(_ENDINGS.items()) if meant == action), None)
        command = action.command if isinstance(action, Command) and action.timeout is None else ending
        if command is None:
            raise ValueError(f"the execute protocol has no {type(action).__name__}, and no timeout of a command")
        inside = f"\n{command}\n" if "\n" in command else command
        text = ("<plan>-</plan>\n" if self.use_plan else "") + f"<execute>{inside}</execute>"
        if self.parse(text) != action:
            raise ValueError("the execute protocol cannot say this command: it holds the protocol's own words, or none")
        return text


class PlanProtocol(ExecuteProtocol):
    """The execute protocol with a ``<plan>…</plan>`` before each command."""

    name: ClassVar[str] = "execute-plan"

    def __init__(self, tools: Toolset | None = None) -> None:
        super().__init__(tools, use_plan=True)


def _command(text: str) -> tuple[int, str | Invalid]:
    """Where the last block begins, and what is in it (or what is wrong with it)."""
    tags = list(_EXECUTE.finditer(text))
    wrong = _malformed([tag[0] for tag in tags], "execute")
    if wrong:
        return 0, Invalid(message=wrong)
    first, last = tags[-2:]
    if text[last.end() :].strip():
        return 0, Invalid(message="There is text after </execute>: the command must end your answer.")
    inside = text[first.end() : last.start()]
    if not inside.strip():
        return 0, Invalid(message="The <execute> block is empty: put a shell command in it.")
    # The lines of the tags themselves are no part of a command; its other white space is.
    return first.start(), inside.removeprefix("\n").removesuffix("\n")


def _plan(head: str) -> tuple[str, Invalid | None]:
    """The last plan in the text before the command, or what is wrong with it."""
    tags = list(_PLAN.finditer(head))
    wrong = _malformed([tag[0] for tag in tags], "plan")
    if wrong:
        return "", Invalid(message=wrong)
    first, last = tags[-2:]
    inside = head[first.end() : last.start()]
    if not inside.strip():
        return "", Invalid(message="The <plan> block is empty: say in it what you are going to do.")
    return inside, None


def _malformed(tags: Sequence[str], name: str) -> str:
    """What keeps the last block of these tags from being one; empty if nothing does."""
    opening, closing = f"<{name}>", f"</{name}>"
    if not tags:
        where = " before <execute>" if name == "plan" else ""
        return f"There is no {opening} block{where}: put one {opening}…{closing} into your answer."
    if tags[-1] == opening:
        return f"The last {opening} block is not closed: end it with {closing}."
    before = tags[-3:-1]
    if before[-1:] != [opening]:
        return f"There is a {closing} without {opening} before it."
    if before == [opening, opening]:
        return f"There is {opening} inside of another {opening} block: blocks cannot be nested."
    return ""
