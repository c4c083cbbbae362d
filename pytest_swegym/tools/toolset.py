"""The tools of a run: folders in the order in which they build on each other."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym.errors import ToolError
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.task import TaskSpec
from pytest_swegym.tools.call import command_line
from pytest_swegym.tools.call import with_here_documents
from pytest_swegym.tools.folder import CORE
from pytest_swegym.tools.folder import SHIPPED
from pytest_swegym.tools.folder import SUPPORT
from pytest_swegym.tools.folder import ToolFolder
from pytest_swegym.tools.folder import read_folder
from pytest_swegym.tools.install import install
from pytest_swegym.tools.spec import Tool


#: What SWE-agent calls the folders that are shipped here under another name.
ALIASES = {"edit_anthropic": "edit", "windowed_edit_linting": "windowed_edit"}
# State commands of SWE-agent's folders print their state, or write it to this file.
_STATE = """said=$({0}
)
if [ -n "$said" ]; then printf '%s\\n' "$said"; else cat /root/state.json; fi 2>/dev/null"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolset:
    """Tool folders, each after those that it builds on; the core with the shared state is the first.

    ``tools`` are theirs by name, ``key`` names the content of all folders.
    """

    folders: tuple[ToolFolder, ...]
    tools: Mapping[str, Tool]
    key: str

    @classmethod
    def load(cls, names: Sequence[str], root: Path | None = None) -> Toolset:
        """The tools of shipped folders (by name) and of the user's own (a path, relative to ``root``).

        A lone string may have several, with commas between. What they require is added. Raises :class:`ToolError`.
        """
        names = [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names
        chosen = {CORE: read_folder(SHIPPED / CORE)}
        waiting = [_find(name, root) for name in names]
        while waiting:
            folder = read_folder(waiting.pop(0))
            if folder.name == CORE:  # one of the user's own would be a second place of state
                continue
            first = chosen.setdefault(folder.name, folder)
            if first.path.resolve() != folder.path.resolve():
                paths = f"{str(first.path)!r} and {str(folder.path)!r}"
                raise ToolError(f"two tool folders are called {folder.name!r}: {paths}")
            waiting += [_required(name, folder) for name in folder.config.requires if _known(name) not in chosen]
        if not any(SUPPORT in (folder.name, *folder.commands) for folder in chosen.values()):
            chosen[SUPPORT] = read_folder(SHIPPED / SUPPORT)
        return cls.of(_in_order(chosen))

    @classmethod
    def of(cls, folders: Sequence[ToolFolder]) -> Toolset:
        """The tools of ``folders``, in that order, and nothing besides. Raises :class:`ToolError`."""
        key = content_key("tools", [folder.key for folder in folders])
        return cls(folders=tuple(folders), tools=MappingProxyType(_tools(folders)), key=key)

    @property
    def state_commands(self) -> tuple[str, ...]:
        """Shell commands that print a JSON object each: what the tools have to say of their state after a step."""
        commands = (folder.config.state_command for folder in self.folders)
        return tuple(_STATE.format(command) for command in commands if command)

    def schemas(self) -> list[dict[str, Any]]:
        """Every tool as an OpenAI function."""
        return [tool.schema() for tool in self.tools.values()]

    def docs(self) -> str:
        """What every tool does and takes, as text."""
        return "\n".join(tool.docs() for tool in self.tools.values())

    def command(self, name: str, arguments: Mapping[str, Any]) -> str:
        """The shell command that calls a tool. Raises :class:`ToolError` for an unknown tool or wrong arguments."""
        if name not in self.tools:
            raise ToolError(f"there is no tool {name!r}; choose from: {', '.join(self.tools)}")
        return command_line(self.tools[name], arguments)

    def typed(self, command: str) -> str:
        """A command as a player typed it, for a shell: tools that read lines get them as a here-document."""
        ends = {tool.name: tool.end_name for tool in self.tools.values() if tool.end_name is not None}
        return with_here_documents(command, ends) if ends else command

    def install(self, backend: Backend, snapshot: Snapshot, spec: TaskSpec, *, offline: bool = False) -> Snapshot:
        """``snapshot`` with the tools on PATH; made once per snapshot, toolset and task's test command.

        Raises :class:`EnvironmentBuildError` with the output of an ``install.sh`` that failed, or
        :class:`SandboxError`.
        """
        return install(self.folders, self.key, backend, snapshot, spec, offline=offline)


def with_folders(tools: Toolset | None, paths: Sequence[Path]) -> Toolset:
    """``tools``, and after them the folders at ``paths``, which a solver needs. Raises :class:`ToolError`."""
    before = tools.folders if tools is not None else ()
    names = {folder.name for folder in before}
    return Toolset.of((*before, *(read_folder(path) for path in paths if path.resolve().name not in names)))


def shipped() -> list[str]:
    """The names of the tool folders that come with this package."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/config.yaml"))


def _known(name: str) -> str:
    return ALIASES.get(name, name)


def _find(name: str, root: Path | None) -> Path:
    if _known(name) in shipped():
        return SHIPPED / _known(name)
    path = (root or Path.cwd()) / Path(name).expanduser()
    if "/" not in name and not path.is_dir():
        raise ToolError(f"unknown tools {name!r}; choose from: {', '.join(shipped())}, or give a folder")
    return path


def _required(name: str, folder: ToolFolder) -> Path:
    """Another folder by name: a shipped one, or one beside."""
    beside = folder.path.resolve().parent / name
    if _known(name) in shipped():
        return SHIPPED / _known(name)
    if "/" in name or not beside.is_dir():
        config = folder.path / "config.yaml"
        raise ToolError(f"{config}: requires: {name!r} is neither given, nor shipped, nor a folder beside this one")
    return beside


def _in_order(chosen: Mapping[str, ToolFolder]) -> tuple[ToolFolder, ...]:
    """Each after what it requires and after what has the modules that it imports; else in the order given."""
    needs = {
        name: {_known(other) for other in folder.config.requires}
        | {other.name for other in chosen.values() if other.modules & (folder.imports - folder.modules)}
        for name, folder in chosen.items()
    }
    done: list[str] = []

    def add(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            circle = " -> ".join((*trail[trail.index(name) :], name))
            raise ToolError(f"tool folders need each other in a circle: {circle}")
        for other in sorted(needs[name] - {name}):
            add(other, (*trail, name))
        if name not in done:
            done.append(name)

    for name in chosen:
        add(name, ())
    return tuple(chosen[name] for name in done)


def _tools(folders: Sequence[ToolFolder]) -> dict[str, Tool]:
    tools: dict[str, Tool] = {}
    owners: dict[str, str] = {}
    for folder in folders:
        for name in (*folder.commands, *(tool.name for tool in folder.config.tools)):
            first = owners.setdefault(name, folder.name)
            if first != folder.name:
                raise ToolError(f"two tool folders bring {name!r}: {first!r} and {folder.name!r}; leave one out")
        tools.update({tool.name: tool for tool in folder.config.tools})
    return tools
