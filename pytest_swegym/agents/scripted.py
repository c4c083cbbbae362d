"""``scripted:FILE``: actions that were written down before."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym.agents.base import Player
from pytest_swegym.agents.base import Policy
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SolverError
from pytest_swegym.session import Action
from pytest_swegym.session import Command
from pytest_swegym.session import Forfeit
from pytest_swegym.session import Observation
from pytest_swegym.session import Submit
from pytest_swegym.session import load_protocol
from pytest_swegym.task import TaskSpec


#: Largest file, in bytes.
LIMIT = 64 * 2**20
_SUFFIXES = (".jsonl", ".json", ".txt")
_WORDS: Mapping[str, Action] = {"submit": Submit(), "forfeit": Forfeit()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Actions in the words of ``protocol``; without one they are shell commands, and ``submit`` and ``forfeit``."""

    actions: tuple[str, ...]
    protocol: str | None = None


class ScriptedPlayer(Player):
    """One script for every task, or one for each instance id.

    Raises :class:`ConfigError`, naming file and line, for what cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scripts: Mapping[str, Script] = _read(path)
        self.identity = content_key(
            {name: [script.protocol, *script.actions] for name, script in self._scripts.items()}
        )

    def make(self, task: TaskSpec, *, number: int = 0, seed: int = 0) -> Policy:
        script = self._scripts.get(task.instance_id) or self._scripts.get("")
        if script is None:
            some = ", ".join(sorted(self._scripts)[:5])
            raise SolverError(f"{self._path} has no script for {task.instance_id}; it has some for: {some}")
        return ScriptedPolicy(script)


class ScriptedPolicy(Policy):
    """Plays a script; after its last action it submits."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.protocol = script.protocol
        self._plain = script.protocol is None
        self._left = list(script.actions)

    def act(self, observation: Observation) -> str:
        if not self._left:
            return self.submit()
        text = self._left.pop(0)
        return self.write(_WORDS.get(text.strip()) or Command(command=text.rstrip("\n"))) if self._plain else text


def _read(path: Path) -> dict[str, Script]:
    """Scripts by instance id; the one for every task has the id ``""``."""
    if path.is_dir():
        found = [each for each in sorted(path.iterdir()) if each.suffix in _SUFFIXES and each.is_file()]
        if not found:
            raise ConfigError(f"{path}: no script in this folder: expected INSTANCE_ID.jsonl or INSTANCE_ID.txt")
        return {each.name[: -len(each.suffix)]: _script(each) for each in found}
    if path.suffix != ".json":
        return {"": _script(path)}
    data = _parsed(_text(path), str(path))
    if not isinstance(data, dict) or "actions" in data:
        return {"": _of(data, str(path))}
    return {name: _of(entry, f"{path}: {name}") for name, entry in data.items()}


def _script(path: Path) -> Script:
    text = _text(path)
    if path.suffix == ".json":
        return _of(_parsed(text, str(path)), str(path))
    if path.suffix != ".jsonl":
        return _blocks(text, str(path))
    lines = [(f"{path}:{number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    entries = [(where, _parsed(line, where)) for where, line in lines]
    header: Any = {}
    if entries and isinstance(entries[0][1], dict) and set(entries[0][1]) == {"protocol"}:
        header = entries.pop(0)[1]
    return Script(actions=tuple(_action(*entry) for entry in entries), protocol=_protocol(header, str(path)))


def _of(data: Any, where: str) -> Script:
    """A list of actions, or a table of them and their protocol."""
    table = {"actions": data} if isinstance(data, list) else data
    if (
        not isinstance(table, dict)
        or not isinstance(table.get("actions"), list)
        or set(table) - {"actions", "protocol"}
    ):
        raise ConfigError(f'{where}: expected a list of actions, or {{"protocol": NAME, "actions": [...]}}')
    actions = [_action(f"{where}: action {number}", entry) for number, entry in enumerate(table["actions"], 1)]
    return Script(actions=tuple(actions), protocol=_protocol(table, where))


def _action(where: str, entry: Any) -> str:
    """Text is the action itself; an object is the JSON that the protocol is made of."""
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, (dict, list)):
        raise ConfigError(f"{where}: an action is text, or an object or list that the protocol takes")
    return json.dumps(entry, ensure_ascii=False)


def _protocol(table: Mapping[str, Any], where: str) -> str:
    """What JSON scripts are written in; it must exist."""
    name = table.get("protocol", "json")
    try:
        load_protocol(str(name))
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return str(name)


def _blocks(text: str, where: str) -> Script:
    """Blocks between lines of ``---``; a first line ``protocol: NAME`` says what they are written in."""
    first, _, rest = text.partition("\n")
    name, colon, value = first.partition(":")
    protocol = None
    if name.strip() == "protocol" and colon:
        protocol, text = _protocol({"protocol": value.strip()}, where), rest
    blocks = [block.strip("\n") for block in re.split(r"(?m)^---[ \t]*$", text)]
    return Script(actions=tuple(block + "\n" for block in blocks if block.strip()), protocol=protocol)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"script {str(path)!r} cannot be read: {error}") from None
    if len(data) > LIMIT:
        raise ConfigError(f"{path}: larger than {LIMIT >> 20} MiB")
    return text


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not valid JSON: {error}") from None
