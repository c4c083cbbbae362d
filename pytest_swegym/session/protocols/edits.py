"""SEGym's other protocol: an action is code to be replaced, quoted from the file that it is in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from typing import ClassVar

from pytest_swegym.session.actions import Action
from pytest_swegym.session.actions import Edit
from pytest_swegym.session.actions import Edits
from pytest_swegym.session.actions import Invalid
from pytest_swegym.session.actions import Submit
from pytest_swegym.session.observation import Observation
from pytest_swegym.session.protocols.base import WORDS
from pytest_swegym.session.protocols.base import Protocol
from pytest_swegym.task import TaskSpec


#: Most edits of one answer, and most places in it that are tried.
_MOST = 200
_KEYS = ("filename", "old_code", "new_code")
_FIELDS = {"filename": "path", "old_code": "old", "new_code": "new"}
_BEGIN = re.compile(r'\[\s*\{\s*"|\{\s*"')
_MEANT = re.compile(r'(?:\[\s*)?\{\s*"(?:filename|old_code|new_code|edits)"')
# Line ends within a text are no valid JSON, yet what models write.
_DECODER = json.JSONDecoder(strict=False)
_HOW = """\
Answer with edits: a JSON object, or a list of them.
{"filename": "pkg/module.py", "old_code": "code as it is now", "new_code": "code as it should be"}
old_code is quoted from the file, with as many lines as make its place clear; empty, for a new file. filename starts at
the repository's folder, WORKDIR. All edits of an answer are made, or none.
The word submit alone finishes; your work is graded. The word reset begins anew.
"""


class EditsProtocol(Protocol):
    """``{"filename": ..., "old_code": ..., "new_code": ...}``, or a list of these, alone or in the midst of prose."""

    name: ClassVar[str] = "edits"

    def greet(self, task: TaskSpec) -> str:
        title = f"{task.title}\n\n" if task.title else ""
        return f"{title}{task.problem_statement.strip()}\n\n{_HOW.replace('WORKDIR', task.workdir)}"

    def parse(self, text: str) -> Action:
        word = text.strip()
        if word in WORDS:
            return WORDS[word]
        found: list[Edit] = []
        for value in _objects(text):
            edit = value if isinstance(value, Invalid) else _edit(value)
            if isinstance(edit, Invalid):
                return edit
            found.append(edit)
            if len(found) > _MOST:
                return Invalid(message=f"There are more than {_MOST} edits in your answer; none is made.")
        if not found:
            keys = ", ".join(f'"{key}"' for key in _KEYS)
            return Invalid(message=f"There is no edit in your answer: write a JSON object with {keys}, or submit.")
        return Edits(edits=tuple(found))

    def tell(self, action: Action, seen: Observation) -> str:
        return "Submitted." if isinstance(action, Submit) else seen.notice

    def write(self, action: Action) -> str:
        if isinstance(action, Edits) and 0 < len(action.edits) <= _MOST:
            plain = [{key: getattr(edit, _FIELDS[key]) for key in _KEYS} for edit in action.edits]
            if all(edit.path.strip() for edit in action.edits):
                return json.dumps(plain if len(plain) > 1 else plain[0], ensure_ascii=False, indent=1)
        word = next((word for word, meant in WORDS.items() if meant == action), None)
        if word is None:
            raise ValueError(f"the edits protocol has no {type(action).__name__} like this")
        return word


def _objects(text: str) -> Iterator[Any]:
    """Every object in ``text`` that is meant as an edit; an :class:`Invalid` for what is meant as one, and no JSON."""
    at = 0
    for _ in range(2 * _MOST):
        begin = _BEGIN.search(text, at)
        if begin is None:
            return
        try:
            value, at = _DECODER.raw_decode(text, begin.start())
        except (ValueError, RecursionError) as error:
            at = begin.end()
            if _MEANT.match(text, begin.start()):
                yield Invalid(message=f"An edit is not valid JSON: {error}")
            continue
        if isinstance(value, dict) and isinstance(value.get("edits"), list):
            value = value["edits"]
        values = value if isinstance(value, list) else [value]
        # Other objects may stand in prose; what has one of the keys is meant as an edit.
        if any(isinstance(each, dict) and any(key in each for key in _KEYS) for each in values):
            yield from values


def _edit(value: Any) -> Edit | Invalid:
    if not isinstance(value, dict):
        return Invalid(message=f"A list of edits must hold objects only, not {value!r:.80}.")
    wrong = next((key for key in _KEYS if not isinstance(value.get(key), str)), None)
    if wrong is not None:
        return Invalid(message=f'"{wrong}" of an edit must be given, as text.')
    if not value["filename"].strip():
        return Invalid(message='"filename" of an edit is empty.')
    return Edit(**{_FIELDS[key]: value[key] for key in _KEYS})
