"""What actions do inside the sandbox: one shell for the player's commands, another for what we look at."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from pytest_swegym.environments.basegit import git_env
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.base import HOME
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import Shell
from pytest_swegym.session import actions as a
from pytest_swegym.session.edits import apply_edits
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


if TYPE_CHECKING:
    from pytest_swegym.session.observation import SessionLimits
    from pytest_swegym.tools import Toolset


log = logging.getLogger("pytest_swegym.session")

#: Where the tools ``submit`` and ``forfeit`` say that the episode is to end.
_ENDED = f"{HOME}/tools/ended"
# A lock is what a git that was ended leaves behind.
_UNLOCK = 'lock=$GIT_DIR/index.lock; { [ ! -e "$lock" ] && [ ! -L "$lock" ]; } || rm -rf "$lock"; '
_TREE = f"{_UNLOCK}git add -A -- . >/dev/null 2>&1; git write-tree 2>/dev/null"
# Prints the name of the tree, if everything in it could be added, and it is the base's.
_UNCHANGED = (
    f"{_UNLOCK}git add -A -- . >/dev/null 2>&1 && tree=$(git write-tree) && "
    '[ "$tree" = "$(git rev-parse "HEAD^{tree}")" ] && echo "$tree"'
)
#: Seconds for each look at what an action has left.
_PATIENCE = 30.0
#: Bytes of what state commands print.
_STATE_LIMIT = 64 * 1024
_GIT = " ".join(sorted({*git_env("")} - {"LC_ALL"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of one action; ``ending`` if it ended the episode, ``anew`` if it put everything back to the start."""

    output: str = ""
    exit_code: int | None = None
    timed_out: bool = False
    truncated: bool = False
    notice: str = ""
    ending: str = ""
    anew: bool = False


class Execution:
    """Runs the actions of one episode in its workspace."""

    def __init__(self, task: TaskSpec, workspace: Workspace, tools: Toolset | None, limits: SessionLimits) -> None:
        self._task, self._workspace, self._tools, self._limits = task, workspace, tools, limits
        self._shell: Shell | None = None
        self._watcher: Shell | None = None
        self._warned: set[str] = set()

    def run(self, action: a.Action, *, within: float | None) -> Seen:
        """Do it; ``within`` so many seconds, if less than the limit of a command is left."""
        if isinstance(action, a.Command):
            return self._command(action.command, action.timeout, within)
        if isinstance(action, a.ToolCall):
            return self._call(action, within)
        if isinstance(action, a.WriteFile):
            return self._write(action)
        if isinstance(action, a.Edits):
            return self._edit(action)
        if isinstance(action, a.Submit):
            return Seen(ending="submit", notice="Submitted.")
        if isinstance(action, a.Forfeit):
            return Seen(ending="forfeit", notice="Forfeited: nothing is submitted.")
        if isinstance(action, a.Close):
            return Seen(ending="close")
        return self._again(action)

    def _command(self, command: str, timeout: float | None, within: float | None) -> Seen:
        command = self._tools.typed(command) if self._tools is not None else command
        limits = [limit for limit in (timeout, self._limits.command_seconds, within) if limit is not None]
        try:
            result = self.shell().run(command, timeout=min(limits), output_limit=self._limits.step_output)
        except ValueError as error:  # a NUL character
            return Seen(notice=str(error))
        said = f"The command was ended: it ran longer than {min(limits):g} s." if result.timed_out else ""
        fresh = "The shell has ended; the next command runs in a fresh one." if result.ended else ""
        return Seen(
            output=result.stdout.decode("utf-8", "replace"),
            exit_code=result.exit_code,
            timed_out=result.timed_out,
            truncated=result.truncated,
            notice="\n".join(text for text in (said, fresh) if text),
            ending=self._ended(),
        )

    def _call(self, call: a.ToolCall, within: float | None) -> Seen:
        if self._tools is None:
            return Seen(notice=f"There is no tool {call.name!r}: none are installed.")
        try:
            command = self._tools.command(call.name, call.arguments)
        except ConfigError as error:
            return Seen(notice=str(error))
        return self._command(command, None, within)

    def _write(self, action: a.WriteFile) -> Seen:
        try:
            self._workspace.write(action.path, action.content)
        except (OSError, ValueError) as error:
            return Seen(notice=f"File {action.path} not written: {error}", exit_code=1)
        return Seen(notice=f"File {action.path} written.", exit_code=0)

    def _edit(self, action: a.Edits) -> Seen:
        try:
            return Seen(notice=apply_edits(self._workspace, action.edits), exit_code=0)
        except PatchError as error:
            return Seen(notice=f"Not edited: {error}", exit_code=1)

    def _again(self, action: a.Action) -> Seen:
        task_id = action.task_id if isinstance(action, a.Start) else None
        if task_id not in (None, self._task.instance_id, self._task.instance_id.rpartition("__")[2]):
            return Seen(notice=f"Task {task_id} not found.")
        self.close()
        self._workspace.reset()
        return Seen(notice="The task begins anew.", anew=True)

    # -- shells ----------------------------------------------------------------------------------

    def shell(self) -> Shell:
        """The player's shell; it lives on from step to step."""
        if self._shell is None:
            self._shell = self._workspace.shell()
        return self._shell

    def _look(self, command: str, limit: int) -> ExecResult:
        """Run a command of ours, in a shell that the player's commands do not touch; git means our copy of the base."""
        if self._watcher is None:
            path = self._workspace.path
            self._watcher = self._workspace.sandbox.shell(cwd=path, env=git_env(path))
        return self._watcher.run(command, timeout=_PATIENCE, output_limit=limit)

    def _ended(self) -> str:
        if self._tools is None:
            return ""
        # Taken away once read, so that a moment to come back to never has it.
        told = self._look(f"[ -f {_ENDED} ] && head -c 16 {_ENDED} && rm -f {_ENDED}", 64)
        word = told.stdout.decode("utf-8", "replace").strip()
        return word if word in ("submit", "forfeit") else ""

    def tree(self) -> str:
        """The name of the present files; as :meth:`Workspace.tree`, yet with no process started but git's.

        Raises :class:`SandboxError`.
        """
        told = self._look(_TREE, 256)
        if told.timed_out:
            raise SandboxError(f"git did not end within {_PATIENCE:g} s")
        name = told.stdout.decode("ascii", "replace").strip()
        return name if told.exit_code == 0 and name else self._workspace.tree()

    def unchanged(self) -> str:
        """The name of the files if they are those of the base, else nothing; then the diff need not be made."""
        told = self._look(_UNCHANGED, 256)
        return told.stdout.decode("ascii", "replace").strip() if told.exit_code == 0 and not told.timed_out else ""

    def tool_state(self) -> Mapping[str, Any]:
        """What the tools' state commands print, joined; what is no JSON object is left out."""
        found: dict[str, Any] = {}
        for command in self._tools.state_commands if self._tools is not None else ():
            printed = self._look(f"(unset {_GIT}\n{command}\n)", _STATE_LIMIT).stdout
            try:
                state = json.loads(printed)
            except ValueError:
                state = None
            if isinstance(state, dict):
                found.update(state)
            elif command not in self._warned:
                self._warned.add(command)
                log.warning("a state command of the tools printed no JSON object: %.200r", printed)
        return found

    def state(self) -> bytes:
        """The player's shell as something :meth:`resume` takes."""
        return self._shell.state() if self._shell is not None else b""

    def resume(self, state: bytes) -> None:
        """Go on in the workspace as it is now, with a new shell in the state of an old one."""
        self.close()
        if state:
            self.shell().restore(state)

    def close(self) -> None:
        """End both shells. Twice is fine."""
        for shell in (self._shell, self._watcher):
            if shell is not None:
                shell.close()
        self._shell = self._watcher = None
