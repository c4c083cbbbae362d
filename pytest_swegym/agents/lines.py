"""Which commands of a person go on in the next line."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.base import Sandbox


_HERE = re.compile(r"(?<!<)<<-?[ \t]*(['\"]?)(\w+)\1")
# Where ``<<`` begins no here-document: in quotes, and in arithmetic.
_ELSEWHERE = re.compile(r"(?<!<<)(?<!<<-)(?:'[^']*'|\"[^\"]*\")|\(\(.*?\)\)")
#: Without one of these a command of whole words is whole.
_COMPOUND = re.compile(r"[({|&`]|\b(?:for|while|until|if|case|select)\b")
_ASK = 'command -v "$1" >/dev/null 2>&1 || set -- sh; LC_ALL=C exec "$1" -n'
#: What bash, dash and busybox say of a command that stops too early.
_EARLY = re.compile(rb"unexpected (?:end of file|EOF)|end of file unexpected|nterminated quoted string")


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


def open_ended(command: str, sandbox: Sandbox, shell: str | None) -> bool:
    """Whether the sandbox's shell misses the end of a command: of a loop, a group, or what comes after ``&&``."""
    if not _COMPOUND.search(command) or "\0" in command:
        return False
    with suppress(SandboxError):
        argv = ["sh", "-c", _ASK, "sh", shell or "bash"]
        told = sandbox.exec(argv, stdin=f"{command}\n".encode("utf-8", "replace"), timeout=10, output_limit=4096)
        return told.exit_code != 0 and _EARLY.search(told.stdout + told.stderr) is not None
    return False
