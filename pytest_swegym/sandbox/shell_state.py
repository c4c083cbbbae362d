"""The state of a kept shell as data: how a shell tells it, and how another one takes it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field

from pytest_swegym.sandbox import processes


#: The last output of a shell that has taken a state.
DONE = b"\036taken\n"
_VERSION = 1
#: Between two parts of what a shell tells; no value of a shell variable holds it.
_CUT = b"\0"
#: Tells, parts apart: the kind of shell, the folder, the umask, options, functions, aliases and variables.
TELL = r"""
command printf '%s\0' "${BASH_VERSION:+bash}"
command pwd; command printf '\0'
command umask; command printf '\0'
if [ -n "${BASH_VERSION-}" ]; then
  command shopt -p; command set +o; command printf '\0'
  command declare -f; command declare -F; command printf '\0'
  command alias -p; command printf '\0'
  compgen -A variable | while IFS= read -r _sg_name; do
    command declare -p -- "$_sg_name" 2>/dev/null; command printf '\0'
  done
else
  command set +o; command printf '\0\0'
  command alias; command printf '\0'
  command export -p; command printf '\0'
  command readonly -p; command printf '\0'
  command set; command printf '\0'
fi
"""
#: Variables that a shell keeps itself, or that are ours.
_SPECIAL = re.compile(
    r"_|_sg\w*|BASH|BASHOPTS|BASHPID|BASH_\w+|COMP_WORDBREAKS|DIRSTACK|EPOCH\w+|EUID|FUNCNAME|GROUPS|HISTCMD|HOSTNAME"
    r"|HOSTTYPE|LINENO|MACHTYPE|OLDPWD|OPTERR|OPTIND|OSTYPE|PIPESTATUS|PPID|PWD|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM"
    r"|UID|SWEGYM_\w+"
)
#: Options that would end the shell, keep it from running anything, or show our lines.
_UNSAFE = re.compile(
    r"(?:set [-+]o|shopt -[su]) "
    r"(?:errexit|noexec|onecmd|verbose|xtrace|interactive|stdin|restricted_shell|login_shell|extdebug|monitor|notify"
    r"|vi|emacs|privileged|functrace|errtrace|history|histexpand|debug|nolog|ignoreeof|trackall|interactive-comments)\b"
)
_DECLARED = re.compile(r"declare -(\S+) ([A-Za-z_]\w*)")
_FUNCTION = re.compile(r"declare -f(\w*) (.+)\n")
_ASSIGNED = re.compile(r"""(?:export |readonly )?([A-Za-z_]\w*)(?:=((?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])*))?\n""", re.S)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a shell was like. ``variables`` are statements by name, ``exported`` the names of the environment.

    ``shown`` are those of the options v and x that are on.
    """

    shell: str
    cwd: str
    umask: str = ""
    options: str = ""
    functions: str = ""
    aliases: str = ""
    shown: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    exported: list[str] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        return json.dumps({"version": _VERSION, **asdict(self)}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> State:
        """Raises :class:`ValueError` if that is no state."""
        try:
            values = json.loads(data)
            if values.pop("version") != _VERSION:
                raise ValueError(f"not version {_VERSION}")
            return cls(**values)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise ValueError(f"this is no state of a shell: {error}") from error


def parse(told: bytes, shown: str) -> State:
    """What :data:`TELL` printed. Raises :class:`ValueError` if it did not come to its end."""
    parts = [part.decode("utf-8", "surrogateescape") for part in told.split(_CUT)[:-1]]
    if len(parts) < 7:
        raise ValueError("the shell did not tell its whole state")
    shell, cwd, umask, options, functions, aliases = parts[:6]
    if shell == "bash":
        variables, exported = _declared(parts[6:])
    else:
        shell = "sh"
        variables, exported = _assigned(*parts[6:9])
    return State(
        shell=shell,
        cwd=cwd[:-1],
        umask=umask.strip(),
        options="".join(f"{line}\n" for line in options.splitlines() if not _UNSAFE.match(line)),
        functions=_functions(functions),
        aliases=aliases if shell == "bash" else "".join(f"alias {text}" for text in _statements(aliases)),
        shown=shown,
        variables=variables,
        exported=exported,
    )


def script(state: State) -> str:
    """Makes a fresh shell like the one of ``state``."""
    kept = " ".join(sorted(state.exported))
    # Options come first where they change how functions are read, and last where they would stop us.
    early = "".join(f"{line}\n" for line in state.options.splitlines() if line.startswith("shopt"))
    late = "".join(f"{line}\n" for line in state.options.splitlines() if not line.startswith("shopt"))
    unset = (
        f"for _sg_name in $(compgen -e); do case ' {kept} {_own()} ' in *\" $_sg_name \"*) ;; "
        '*) unset -v "$_sg_name" ;; esac; done; unset _sg_name\n'
        if state.shell == "bash"
        else ""
    )
    there = f"cd -- {shlex.quote(state.cwd)}\n" if state.cwd else ""
    return (
        f"{{\n{unset}{_together(state.variables.values())}{early}}} 2>/dev/null\n"
        f"{state.functions}\n{state.aliases}\n"
        f"umask {shlex.quote(state.umask or '022')}\n{there}"
        f"{{\n{late}command printf '\\036taken\\n'\n}} 2>/dev/null\n"
    )


def _own() -> str:
    return f"PWD OLDPWD SHLVL _ {processes.MARK.decode()[:-1]} SWEGYM_UNSAFE"


def _together(statements: Iterable[str]) -> str:
    return "".join(f"{statement}\n" for statement in statements)


def _declared(parts: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The variables of a bash: those that it may assign again."""
    variables, exported = {}, []
    for part in parts:
        found = _DECLARED.match(part)
        if found is None or _SPECIAL.fullmatch(found[2]):
            continue
        if "x" in found[1]:
            exported.append(found[2])
        if "r" not in found[1]:
            variables[found[2]] = part.rstrip("\n")
    return variables, exported


def _assigned(exports: str, readonly: str, everything: str) -> tuple[dict[str, str], list[str]]:
    """The variables of a plain sh."""
    exported = [found[1] for found in _ASSIGNED.finditer(exports) if not _SPECIAL.fullmatch(found[1])]
    fixed = {found[1] for found in _ASSIGNED.finditer(readonly)}
    variables = {}
    for found in _ASSIGNED.finditer(everything):
        name, value = found[1], found[2] or ""
        if not _SPECIAL.fullmatch(name) and name not in fixed:
            variables[name] = f"{name}={value}" + (f"; export {name}" if name in exported else "")
    return variables, exported


def _functions(told: str) -> str:
    """Functions as bash told them, without those that cannot be defined again."""
    lines = told.splitlines(keepends=True)
    exported = []
    while lines and (found := _FUNCTION.fullmatch(lines[-1])):
        lines.pop()
        if "x" in found[1]:
            exported.append(f"export -f -- {shlex.quote(found[2])}\n")
    return "".join(lines + exported)


def _statements(text: str) -> Iterator[str]:
    for found in re.finditer(r"""[^\s=']+=(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])*\n""", text, re.S):
        yield found[0]
