"""``human``: a person at the terminal. Lines are shell commands, words with a colon are for the game."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import ExitStack
from contextlib import suppress

from pytest_swegym.agents.base import Player
from pytest_swegym.agents.base import Policy
from pytest_swegym.agents.terminal import Terminal
from pytest_swegym.agents.terminal import open_terminal
from pytest_swegym.errors import SandboxError
from pytest_swegym.session import Action
from pytest_swegym.session import Command
from pytest_swegym.session import Forfeit
from pytest_swegym.session import Moment
from pytest_swegym.session import Observation
from pytest_swegym.session import Session
from pytest_swegym.session import Submit
from pytest_swegym.session import WriteFile
from pytest_swegym.task import TaskSpec


HELP = """\
A line is a shell command; the shell lives on between them. A command goes on in the next line after a \\ at its end,
and while a quote or a here-document is open. Ctrl-C ends the running command (twice: its shell as well).
  :task          the task again
  :diff          what you have changed
  :write FILE    write a file, or change it
  :tests         run the task's visible tests
  :undo          take the last step back: files, folder and variables as before it
  :submit        finish; your work is graded
  :forfeit       give up; nothing is submitted
  :help          this"""
WORDS = (":task", ":diff", ":write ", ":tests", ":undo", ":submit", ":forfeit", ":help")
_ANSWERS: Mapping[str, Action] = {"s": Submit(), "submit": Submit(), "f": Forfeit(), "forfeit": Forfeit()}
#: Steps that can be taken back.
_KEPT = 50
#: Largest file that :write opens, in bytes.
_EDITABLE = 256 * 1024
_HERE = re.compile(r"(?<!<)<<-?[ \t]*(['\"]?)(\w+)\1")
# Where ``<<`` begins no here-document: in quotes, and in arithmetic.
_ELSEWHERE = re.compile(r"(?<!<<)(?<!<<-)(?:'[^']*'|\"[^\"]*\")|\(\(.*?\)\)")
# Ends what the shell $1 has started in the last $2 hundredths of a second; with $3, the shell too.
_END_COMMAND = """
read up _ < /proc/uptime; up=${up%.*}${up#*.}
found=" $1 "; young=; more=1
while [ "$more" ]; do
  more=
  for entry in /proc/[0-9]*; do
    pid=${entry#/proc/}
    case $found in *" $pid "*) continue;; esac
    line=$(cat "$entry/stat" 2>/dev/null) || continue
    set -- "$1" "$2" "$3" ${line##*) }
    case $found in *" $5 "*) ;; *) continue;; esac
    found="$found$pid "; more=1
    [ $((up - ${23})) -le "$2" ] && young="$young $pid"
  done
done
[ "$3" ] && exec kill -9 "$1" $young
[ "$young" ] || exit 0
kill -INT $young; sleep 0.5; kill -9 $young 2>/dev/null
exit 0
"""


class HumanPlayer(Player):
    """A person; needs the terminal for themselves."""

    identity = "human"
    alone = True

    def make(self, task: TaskSpec, *, number: int = 0, seed: int = 0) -> Policy:
        return HumanPolicy(open_terminal(WORDS))


class HumanPolicy(Policy):
    """Asks a person for each action; what they look at meanwhile is no step."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal
        self._moments: list[Moment] = []
        self._running = ExitStack()
        self._shell, self._since, self._interrupts = 0, 0.0, 0
        self._words: dict[str, Callable[[str], Action | None]] = {
            ":help": lambda rest: self._say(HELP),
            ":task": lambda rest: self._say(self._task()),
            ":diff": lambda rest: self._diff(),
            ":write": self._write,
            ":tests": lambda rest: self._tests(),
            ":undo": lambda rest: self._undo(),
            ":submit": lambda rest: Submit(),
            ":forfeit": lambda rest: Forfeit(),
        }

    def begin(self, session: Session) -> None:
        super().begin(session)
        self._say(f"{self._task()}\n\n{HELP}\n")
        if session.protocol.tools is not None:
            self._say(f"Tools: {', '.join(session.protocol.tools.tools)}; support NAME tells of one.\n")

    def act(self, observation: Observation) -> str:
        self._running.close()
        if observation.step:
            self._show(observation)
        action = None
        while action is None:
            action = self._next()
        with suppress(SandboxError):  # a step that cannot be kept cannot be taken back
            self._moments = [*self._moments, self.session.snapshot()][-_KEPT:]
        if isinstance(action, Command):
            self._listen()
        return self.write(action)

    def end(self) -> None:
        self._running.close()
        self._show(self.session.observation)

    # -- asking ----------------------------------------------------------------------------------

    def _next(self) -> Action | None:
        step = self.session.observation.step
        try:
            line = self._terminal.ask(f"{self.session.task.instance_id} [{step}]$ ")
            if line.lstrip().startswith(":"):
                word, _, rest = line.strip().partition(" ")
                return self._word(word, rest.strip())
            while unfinished(line):
                line += "\n" + self._terminal.ask("> ")
        except KeyboardInterrupt:
            return None
        except EOFError:
            return self._leave()
        return Command(command=line) if line.strip() else None

    def _word(self, word: str, rest: str) -> Action | None:
        if word not in self._words:
            return self._say(f"{word}: there is no such word; :help tells which there are")
        return self._words[word](rest)

    def _leave(self) -> Action | None:
        try:
            answer = self._terminal.ask("\nsubmit your work (s), forfeit (f), or go on (Enter)? ").strip().lower()
        except KeyboardInterrupt:
            return None
        except EOFError:  # nobody is there any more
            return Forfeit()
        return _ANSWERS.get(answer)

    def _write(self, path: str) -> Action | None:
        if not path:
            return self._say(":write FILE: which file?")
        try:
            before = self.session.workspace.read_bytes(path, limit=_EDITABLE).decode("utf-8")
        except FileNotFoundError:
            before = ""
        except (OSError, ValueError) as error:
            return self._say(f":write {path}: {error}")
        try:
            return WriteFile(path=path, content=self._terminal.compose(path, before))
        except EOFError:
            return None

    def _tests(self) -> Action | None:
        command = self.session.task.test_command
        return Command(command=command) if command else self._say("The task names no command that runs its tests.")

    def _undo(self) -> Action | None:
        if not self._moments:
            return self._say("There is no step to take back.")
        observation = self.session.restore(self._moments.pop())
        return self._say(f"Back at step {observation.step}.")

    # -- showing ---------------------------------------------------------------------------------

    def _say(self, text: str) -> Action | None:
        """Say something; that is no action."""
        self._terminal.say(text)
        return None

    def _task(self) -> str:
        task = self.session.task
        title = f"{task.instance_id}: {task.title}".rstrip(": ")
        return f"{title}\n\n{task.problem_statement.strip()}\n\nThe repository is in {task.workdir}."

    def _diff(self) -> Action | None:
        diff = self.session.workspace.diff()
        if not diff:
            return self._say("Nothing has changed.")
        self._terminal.show_diff(diff)
        return None

    def _show(self, seen: Observation) -> None:
        code = f"[exit code {seen.exit_code}]" if seen.exit_code else ""
        shown = "\n".join(text for text in (seen.output.rstrip("\n"), code, seen.notice) if text)
        if shown:
            self._say(shown)

    # -- Ctrl-C ----------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Until the next question Ctrl-C ends what runs."""
        try:
            told = self.session.shell().run("echo $$", timeout=10, output_limit=64)
            self._shell = int(told.stdout)
        except (SandboxError, ValueError):
            return
        self._since, self._interrupts = time.monotonic(), 0
        self._running.enter_context(self._terminal.listening(self._interrupt))

    def _interrupt(self) -> None:
        age = int((time.monotonic() - self._since) * 100) + 100
        also_shell = "yes" if self._interrupts else ""
        self._interrupts += 1
        with suppress(SandboxError):
            argv = ["sh", "-c", _END_COMMAND, "sh", str(self._shell), str(age), also_shell]
            self.session.workspace.sandbox.exec(argv, timeout=10)


def unfinished(command: str) -> bool:
    """Whether a command goes on in the next line: after a backslash, in a quote, or in a here-document."""
    first, *body = command.split("\n")
    words = [word for _, word in _HERE.findall(_ELSEWHERE.sub("", first))]
    if words:
        return not {*words} <= {line.strip("\t") for line in body}
    stripped = command.rstrip("\\")
    if (len(command) - len(stripped)) % 2:
        return True
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return True
    return False
