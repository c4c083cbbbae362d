"""``human``: a person at the terminal. Lines are shell commands, words with a colon are for the game."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import ExitStack
from contextlib import suppress

from pytest_swegym.agents.base import Player
from pytest_swegym.agents.base import Policy
from pytest_swegym.agents.lines import open_ended
from pytest_swegym.agents.lines import unfinished
from pytest_swegym.agents.terminal import Terminal
from pytest_swegym.agents.terminal import open_terminal
from pytest_swegym.errors import SandboxError
from pytest_swegym.grading.command import visible_tests
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
and while a quote, a here-document, a loop or the like is open. Ctrl-C ends the running command (twice: its shell too).
  :task          the task again
  :diff          what you have changed
  :write FILE    write a file, or change it
  :tests         run the task's visible tests
  :undo [N]      take the last N steps back (one, if not said): files, folder and variables as before them
  :submit        finish; your work is graded
  :forfeit       give up; nothing is submitted
  :help          this"""
WORDS = (":task", ":diff", ":write ", ":tests", ":undo", ":submit", ":forfeit", ":help")
#: What a task without tests has no use for.
_TESTS = "  :tests         run the task's visible tests\n"
_ANSWERS: Mapping[str, Action] = {"s": Submit(), "submit": Submit(), "f": Forfeit(), "forfeit": Forfeit()}
#: Steps that can be taken back.
_KEPT = 50
#: Largest file that :write opens, in bytes.
_EDITABLE = 256 * 1024
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
        self._moments: list[tuple[Moment, str]] = []
        self._typed = ""
        self._running = ExitStack()
        self._shell, self._since, self._interrupts = 0, 0.0, 0
        self._words: dict[str, Callable[[str], Action | None]] = {
            ":write": self._write,
            ":undo": self._undo,
        }
        self._lone: dict[str, Callable[[], Action | None]] = {
            ":help": lambda: self._say(self._help()),
            ":task": lambda: self._say(self._task()),
            ":diff": self._diff,
            ":tests": self._tests,
            ":submit": Submit,
            ":forfeit": Forfeit,
        }

    def begin(self, session: Session) -> None:
        super().begin(session)
        self._say(f"{self._task()}\n\n{self._help()}\n")
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
            self._moments = [*self._moments, (self.session.snapshot(), _described(action))][-_KEPT:]
        self._typed = action.command.strip() if isinstance(action, Command) else ""
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
            while self._goes_on(line):
                line += "\n" + self._more()
        except KeyboardInterrupt:
            return None
        except EOFError:
            return self._leave()
        return Command(command=line) if line.strip() else None

    def _goes_on(self, line: str) -> bool:
        return unfinished(line) or open_ended(line, self.session.workspace.sandbox, self.session.task.shell)

    def _more(self) -> str:
        """The next line of a command. Raises :class:`KeyboardInterrupt` if there is none to come: it is dropped."""
        try:
            return self._terminal.ask("> ")
        except EOFError:
            self._say("\nThe command was not finished; it is dropped.")
            raise KeyboardInterrupt from None

    def _word(self, word: str, rest: str) -> Action | None:
        if word in self._words:
            return self._words[word](rest)
        if word not in self._lone:
            return self._say(f"{word}: there is no such word; :help tells which there are")
        if rest:
            return self._say(f"{word} {rest}: nothing may come after {word}; type {word} alone")
        return self._lone[word]()

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
        command = visible_tests(self.session.task)
        return Command(command=command) if command else self._say("The task has no tests that can be seen.")

    def _undo(self, rest: str) -> Action | None:
        count = int(rest) if rest.isdecimal() and len(rest) < 10 else 0 if rest else 1
        if not count:
            return self._say(f":undo {rest}: how many steps? :undo takes the last one back, :undo 3 the last three")
        if count > len(self._moments):
            most = f"the last {len(self._moments)} can be" if self._moments else "there is no step that can be"
            return self._say(f"Nothing is taken back: {most}.")
        back = self._moments[-count:]
        observation = self.session.restore(back[0][0])
        del self._moments[-count:]
        return self._say("\n".join([*(f"Taken back: {what}" for _, what in back), f"Back at step {observation.step}."]))

    # -- showing ---------------------------------------------------------------------------------

    def _say(self, text: str) -> Action | None:
        """Say something; that is no action."""
        self._terminal.say(text)
        return None

    def _help(self) -> str:
        return HELP if visible_tests(self.session.task) else HELP.replace(_TESTS, "")

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
        meant = f"Did you mean :{self._typed}?" if seen.exit_code == 127 and f":{self._typed}" in self._lone else ""
        shown = "\n".join(text for text in (seen.output.rstrip("\n"), code, seen.notice, meant) if text)
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


def _described(action: Action) -> str:
    """An action in a few words."""
    if isinstance(action, WriteFile):
        return f"the writing of {action.path}"
    if not isinstance(action, Command):
        return type(action).__name__.lower()
    first, _, more = action.command.strip().partition("\n")
    return f"{first} ..." if more else first
