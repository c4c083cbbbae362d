"""The sh texts that run inside a container. They use nothing but what every sh has built in.

A process in a container belongs to the command that ``SWEGYM_EXEC`` in its environment names; ``idle`` is ours.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from collections.abc import Sequence


OWNER = "SWEGYM_EXEC"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Shell variables that cannot be assigned, or that would change how sh itself goes on.
_SPECIAL = frozenset({"BASHOPTS", "BASH_VERSINFO", "EUID", "IFS", "PPID", "SHELLOPTS", "UID"})

#: A waiting sh: reads a number of lines, then that many lines, and runs them; again, until its stdin ends.
AGENT = """
while read -r _sg_left; do
  _sg_text=
  while [ "$_sg_left" -gt 0 ]; do
    IFS= read -r _sg_line
    _sg_text="$_sg_text$_sg_line
"
    _sg_left=$((_sg_left - 1))
  done
  eval "$_sg_text"
done
"""
#: A container's first process: a waiting sh that runs our own texts alone, and whose stdin everything ends with.
MAIN = ("sh", "-c", f"export {OWNER}=idle; exec sh -c {shlex.quote(AGENT)}")
# What the daemon itself writes for a container that it gives a network, or the network called none.
_HOSTS = """
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
ff00::0	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
"""
# Puts that where programs look for it; root without its capabilities cannot write what is read-only, but replace it.
_WRITE_HOSTS = f"""_sg_hosts() {{ printf %s {shlex.quote(_HOSTS.lstrip())} >/etc/hosts; }}
{{ _sg_hosts || {{ rm -f /etc/hosts && _sg_hosts; }}; }} 2>/dev/null"""

#: Sets ``_sg_kills`` to the number of processes that the kernel killed here for memory (cgroup v2, else v1).
_OOM_KILLS = """
_sg_oom() {
  _sg_kills=0
  for _sg_file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    [ -r "$_sg_file" ] || continue
    while read -r _sg_key _sg_value; do
      if [ "$_sg_key" = oom_kill ]; then _sg_kills=$_sg_value; fi
    done <"$_sg_file"
  done
}
"""

# Collects in $_sg_found, and stops, every process of the command $1: by its environment, its parent, its group or its
# session; and orphans that were born after $2 (hundredths of a second since boot) and hid whose they are. With
# $_sg_young, none that was born before $2 and none of its children: they are in $_sg_old.
_FIND = """
_sg_mine() {
  case $_sg_found in *" $3 "* | *" $4 "* | *" $5 "*) return 0 ;; esac
  if [ -n "$_sg_young" ]; then
    case $_sg_old in *" $3 "*) return 1 ;; esac
    [ "${21}" -ge "$2" ] || return 1
  fi
  _sg_owner=
  while IFS= read -r _sg_line || [ -n "$_sg_line" ]; do
    case $_sg_line in
      *"SWEGYM_EXEC=$1"*) return 0 ;;
      *SWEGYM_EXEC=*) _sg_owner=other ;;
    esac
  done <"$_sg_dir/environ"
  [ -z "$_sg_owner" ] && [ "$3" = 1 ] && [ "${21}" -ge "$2" ]
}
_sg_scan() {
  _sg_new=
  for _sg_dir in /proc/[1-9]*; do
    _sg_pid=${_sg_dir#/proc/}
    case "$_sg_found 1 $$ $_sg_spare " in *" $_sg_pid "*) continue ;; esac
    _sg_stat=
    while IFS= read -r _sg_line; do _sg_stat="$_sg_stat $_sg_line"; done <"$_sg_dir/stat"
    _sg_stat=${_sg_stat##*) }
    case $_sg_stat in "" | Z* | X*) continue ;; esac
    if _sg_mine "$1" "$2" ${_sg_stat#* }; then
      kill -STOP "$_sg_pid"
      _sg_found="$_sg_found$_sg_pid "
      _sg_new=yes
    elif [ -n "$_sg_young" ]; then
      case $_sg_old in *" $_sg_pid "*) ;; *) _sg_old="$_sg_old$_sg_pid "; _sg_new=yes ;; esac
    fi
  done
}
"""


def message(text: str) -> bytes:
    """``text`` as :data:`AGENT` reads it. Raises :class:`ValueError` for a NUL character."""
    if "\0" in text:
        raise ValueError("a command, its environment and its folder cannot hold a NUL character")
    lines = text.strip("\n").split("\n")
    return "\n".join([str(len(lines)), *lines, ""]).encode("utf-8", "surrogateescape")


def command(
    argv: Sequence[str], *, owner: str, env: Mapping[str, str], cwd: str | None, env_clear: bool, stdin: bool
) -> str:
    """The text by which a sh becomes ``argv``, a command of ``owner``."""
    env = {**env, OWNER: owner}
    lines, words = [], ["env", "-i"] if env_clear else []
    for name, value in env.items():
        if _NAME.fullmatch(name) and name not in _SPECIAL and not env_clear:
            lines.append(f"export {name}={shlex.quote(value)}")
        else:
            words = [*(words or ["env"]), f"{name}={value}"]
    if cwd is not None:
        lines.append(f"cd -- {shlex.quote(cwd)} || exit 126")
    lines.append(("" if stdin else "</dev/null ") + "exec " + shlex.join([*words, *argv]))
    return "\n".join(lines)


def framed(body: str, mark: str, *, stdin: bytes | None = None) -> str:
    """``body`` in a subshell; when it is over, the mark and two numbers on stdout and on stderr.

    The numbers on stdout are the exit code and how many processes were killed for memory meanwhile. The first one on
    stderr is 1 if there are processes that were not there before: they may hold our output, so that the agent cannot
    serve another command. The agent serves no other anyway without ``stdin``, the bytes for the command: whatever is
    sent afterwards is the command's.
    """
    feed = "" if not stdin else f"printf %s {shlex.quote(stdin.decode('utf-8', 'surrogateescape'))} | "
    # What sh itself says of a killed child ("Killed") is no output of the command.
    return f"""{_OOM_KILLS}
_sg_oom
_sg_before=$_sg_kills
set -- /proc/[1-9]*
_sg_there=" $* "
exec 3>&2 2>/dev/null
{feed}(
exec 2>&3 3>&-
{body}
)
_sg_code=$?
_sg_oom
_sg_left=0
for _sg_dir in /proc/[1-9]*; do
  case $_sg_there in *" $_sg_dir "*) ;; *) _sg_left=1 ;; esac
done
exec 2>&3 3>&-
{tell(mark, '"$_sg_code" "$((_sg_kills - _sg_before))"')}
{tell(mark, '"$_sg_left" 0')} >&2
{"exit" if stdin is None else ""}"""


def tell(mark: str, numbers: str = "0 0") -> str:
    """Prints a mark with two numbers, as :class:`~pytest_swegym.sandbox.docker_exec.Marked` finds it."""
    # Not the RS character with which the kept shell's replies end: what may begin a mark is held back.
    return f"printf '\\035%s %s %s\\035' {mark} {numbers}"


def oom_count(mark: str) -> str:
    """Tells, with the mark, how many processes were killed for memory so far."""
    return f"{_OOM_KILLS}\n_sg_oom\n{tell(mark, '$_sg_kills 0')}"


def hello(mark: str, *, hosts: bool) -> str:
    """What a container's first process is asked first; with ``hosts`` it writes a file that the daemon did not."""
    return f"{_WRITE_HOSTS if hosts else ''}\n{tell(mark)}"


def end_command(owner: str, seconds: float, mark: str) -> str:
    """Ends every process of the command ``owner``, which began ``seconds`` ago: all are stopped, then all killed."""
    return f"_sg_spare=\n_sg_young=\n{_find(owner, seconds)}\nkill -KILL $_sg_found\n{tell(mark)}"


def interrupt(owner: str, seconds: float, shell: int, mark: str) -> str:
    """Ends what the shell ``owner``, process ``shell``, has started in the last ``seconds``.

    Then the shell gets SIGURG and goes on. Its older jobs and their children live on.
    """
    return f"""_sg_spare={shell}
_sg_young=yes
kill -STOP {shell}
{_find(owner, seconds)}
kill -KILL $_sg_found
kill -URG {shell}
kill -CONT {shell}
{tell(mark)}"""


def _find(owner: str, seconds: float) -> str:
    return f"""{_FIND}
IFS=' .' read -r _sg_whole _sg_part _sg_rest </proc/uptime
_sg_found=' '
_sg_old=' '
_sg_new=yes
while [ -n "$_sg_new" ]; do
  _sg_scan {owner} $(($_sg_whole$_sg_part - {int(seconds * 100) + 5}))
done"""
