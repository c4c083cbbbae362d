"""SEGym's protocol: an action is a patch, or a list of patches."""

from __future__ import annotations

import io
import json
from typing import ClassVar

from pytest_swegym.session.actions import Action
from pytest_swegym.session.actions import Invalid
from pytest_swegym.session.actions import Patch
from pytest_swegym.session.actions import Submit
from pytest_swegym.session.observation import Observation
from pytest_swegym.session.protocols.base import WORDS
from pytest_swegym.session.protocols.base import Protocol
from pytest_swegym.task import TaskSpec


_EMPTY = "The patch is empty."
_HOW = """\
Answer with a patch: a unified diff as git makes it, alone or in a ``` fence. Paths start at {workdir}.
Each patch is applied on top of the last. Several at once are several fences, or a JSON list of texts.
The word submit alone finishes; your work is graded. The word reset begins anew.
"""


class PatchProtocol(Protocol):
    """A unified diff as plain text or in ``` fences, or a JSON list of diffs; each is applied on top of the last."""

    name: ClassVar[str] = "patch"

    def greet(self, task: TaskSpec) -> str:
        title = f"{task.title}\n\n" if task.title else ""
        return f"{title}{task.problem_statement.strip()}\n\n{_HOW.format(workdir=task.workdir)}"

    def parse(self, text: str) -> Action:
        word = text.strip()
        if word in WORDS:
            return WORDS[word]
        if word.startswith("["):
            return _listed(text)
        patches = _fenced(text) or [text]
        return _patch(patches)

    def tell(self, action: Action, seen: Observation) -> str:
        return "Submitted." if isinstance(action, Submit) else seen.notice

    def write(self, action: Action) -> str:
        if isinstance(action, Patch) and action.patches and all(patch.strip() for patch in action.patches):
            alone = action.patches[0]
            return alone if self.parse(alone) == action else json.dumps(action.patches, ensure_ascii=False)
        word = next((word for word, meant in WORDS.items() if meant == action), None)
        if word is None:
            raise ValueError(f"the patch protocol has no {type(action).__name__} like this")
        return word


def _listed(text: str) -> Action:
    try:
        patches = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Invalid(message=f"Neither a patch nor a JSON list of patches: {error}")
    if not isinstance(patches, list) or not all(isinstance(patch, str) for patch in patches):
        return Invalid(message="A list of patches must hold texts only.")
    return _patch(patches)


def _patch(patches: list[str]) -> Action:
    blank = next((number for number, patch in enumerate(patches, 1) if not patch.strip()), None)
    if not patches or (blank and len(patches) == 1):
        return Invalid(message=_EMPTY)
    if blank:
        return Invalid(message=f"Patch {blank} of {len(patches)} is empty; none is applied.")
    return Patch(patches=tuple(patches))


def _fenced(text: str) -> list[str]:
    """The content of ``` fences: of those called diff or patch, if any is, else of all.

    A line of a diff never begins with a fence: it has a sign or a space before it.
    """
    blocks: list[tuple[str, list[str]]] = []
    inside = False
    for line in io.StringIO(text, newline="\n"):
        if line.startswith("```"):
            inside = not inside
            if inside:
                blocks.append((line[3:].strip().lower(), []))
        elif inside:
            blocks[-1][1].append(line)
    named = [block for block in blocks if block[0] in ("diff", "patch")]
    return ["".join(lines) for _, lines in named or blocks]
