"""A table of what commands do to a kept shell, and what must be left of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One command.

    ``after``: "kept" (the shell and its variables live on), "ended" (the result says so, and a fresh shell answers), or
    "either", where shells differ. ``prints`` and ``code`` hold if given. ``timeout``: it does not end by itself.
    ``only`` these kinds of shell are put to it.
    """

    name: str
    command: str
    after: str = "kept"
    prints: bytes | None = None
    code: int | None = None
    timeout: float | None = None
    only: tuple[str, ...] = ("bash", "dash", "busybox")


_CLOSE = 'for f in /proc/self/fd/*; do n=${f##*/}; [ "$n" -gt %d ] && eval "exec $n>&-"; done; true'
_BASH = ("bash",)
#: Shells whose own copies of their descriptors can be closed; busybox then never comes back.
_SAVING = ("bash", "dash")

PARTS: dict[str, tuple[Case, ...]] = {
    "text": (
        Case(name="no final newline", command="printf x", prints=b"x"),
        Case(name="here-document", command="cat <<EOF\na 'b\nEOF", prints=b"a 'b\n"),
        Case(name="unterminated here-document", command="cat <<EOF\nabc"),
        Case(name="several lines", command="if true\nthen echo a\nfi\necho b", prints=b"a\nb\n"),
        Case(name="unbalanced single quote", command="echo 'a", code=2),
        Case(name="unbalanced double quote", command='echo "a', code=2),
        Case(name="unfinished if", command="if true; then", code=2),
        Case(name="our own here-document's look", command="echo a\nswegym-0123456789abcdef\necho b"),
        Case(name="invalid UTF-8", command="printf '%s' '\udcff\udc80'", prints=b"\xff\x80"),
        Case(name="empty", command="", prints=b"", code=0),
    ),
    "streams": (
        Case(name="reads stdin", command='cat; read -r w; echo "got $w"', prints=b"got \n"),
        Case(name="binary output", command="printf '\\000\\377\\036\\035'", prints=b"\x00\xff\x1e\x1d"),
        Case(name="100 MB of output", command="head -c 100000000 /dev/zero", code=0),
        Case(name="guesses the mark", command="printf '\\0360123456789abcdef0123456789abcdef 0 0 hB\\036'", code=0),
        Case(name="reads what the shell is to read", command="(timeout 0.3 cat /proc/$$/fd/0; :) 2>/dev/null", code=0),
        Case(name="reads every descriptor of the shell", timeout=3,
             command="for f in /proc/$$/fd/*; do timeout 0.1 head -c 1000 $f; done 2>/dev/null; true"),
    ),
    "descriptors": (
        Case(name="closes stdin", command="exec 0<&-"),
        Case(name="closes stdout", command="exec 1>&-"),
        Case(name="closes stderr", command="exec 2>&-"),
        Case(name="closes 8", command="exec 8<&-"),
        Case(name="closes 63", command="exec 63>&-", only=_BASH),
        Case(name="closes the shell's own copies", command="exec 10<&- 11<&- 12<&-", after="ended", only=_SAVING),
        Case(name="closes every descriptor above 2", command=_CLOSE % 2, after="ended", only=_SAVING),
        Case(name="closes every descriptor", command=_CLOSE % -1, after="ended", only=_SAVING),
        Case(name="redirects all for good", command="exec >/dev/null 2>&1 </dev/null"),
    ),
    "ends": (
        Case(name="exit", command="echo a; exit 5", after="ended", prints=b"a\n", code=5),
        Case(name="exec", command="exec sh -c 'echo a; exit 4'", after="ended", prints=b"a\n", code=4),
        Case(name="function that exits", command="f() { exit 9; }; f", after="ended", code=9),
        Case(name="kill -9 $$", command="kill -9 $$", after="ended", code=137),
        Case(name="kill -TERM $$", command="kill -TERM $$", after="ended", code=143),
        Case(name="kill 0", command="kill 0; sleep 1", after="ended"),
        Case(name="return", command="return 3", code=3),
        Case(name="sourced script that returns", prints=b"3\n",
             command="echo 'return 3' >/tmp/returns; . /tmp/returns; echo $?"),
        Case(name="endless recursion", command="ulimit -s 256 2>/dev/null; f() { f; }; f", after="either", timeout=0.3),
    ),
    "options": (
        Case(name="set -e", command="set -e"),
        Case(name="set -e, then a failure", command="set -e; false; echo never", after="ended", prints=b"", code=1),
        Case(name="set -u", command="set -u"),
        Case(name="noclobber", command="set -C"),
        Case(name="set -v", command="set -v"),
        Case(name="set -f and a strange IFS", command="set -f; IFS=0123456789abcdef"),
        Case(name="job control", command="set -m; sleep 0.05 & wait"),
        Case(name="strange options", command="shopt -s extdebug lastpipe failglob nocasematch; set -kabh", only=_BASH),
        Case(name="posix mode", command="set -o posix; POSIXLY_CORRECT=1", only=_BASH),
    ),
    "definitions": (
        Case(name="trap EXIT", command="trap 'echo bye' EXIT"),
        Case(name="trap EXIT, then exit", command="trap 'echo b' EXIT; exit 3", after="ended", prints=b"b\n", code=3),
        Case(name="trap DEBUG and ERR", command="trap ': debug' DEBUG; trap ': err' ERR; false", only=_BASH),
        Case(name="prompts", command="PS1='$(echo p)'; PS2=x; PS4='y '; PROMPT_COMMAND='echo pc'"),
        Case(name="printf as a function", command="printf() { :; }"),
        Case(name="command and printf as functions", command="command() { :; }; printf() { :; }", after="either"),
        Case(name="all builtins of ours as functions", only=_BASH,
             command="builtin() { :; }; command() { :; }; printf() { :; }; set() { :; }"),
        Case(name="printf as an alias", command="shopt -s expand_aliases 2>/dev/null; alias printf=true set=true"),
        Case(name="enable -n printf", command="enable -n printf", only=_BASH),
        Case(name="the dot as a function", command="function . { :; }", after="ended", only=_BASH),
        Case(name="readonly variables", command="readonly IFS PATH"),
        Case(name="unset variables", command="unset PATH HOME PWD IFS"),
    ),
    "machine": (
        Case(name="folder that is gone", command="mkdir -p /tmp/gone/in && cd /tmp/gone/in && rm -rf /tmp/gone"),
        Case(name="TMPDIR that is not there", command="export TMPDIR=/nonexistent"),
        Case(name="no descriptors", command="ulimit -n 0", after="ended", only=_SAVING),
        Case(name="five descriptors", command="ulimit -n 5", after="ended"),
        Case(name="no file size", command="ulimit -f 0"),
        Case(name="little memory", command="ulimit -v 200000"),
        Case(name="terminal settings", command="stty -echo"),
    ),
    "time": (
        Case(name="time-out of a program", command="sleep 60; echo more", timeout=0.3),
        Case(name="time-out of a loop", command="while :; do :; done", timeout=0.3),
        Case(name="kill -STOP $$", command="kill -STOP $$", timeout=0.3),
        Case(name="ignores the interrupt", command="trap '' URG; while :; do :; done", after="ended", timeout=0.3,
             only=_BASH),
        Case(name="runs nothing any more", command="set -n", after="ended", timeout=0.3, only=_BASH),
    ),
    "jobs": (
        Case(name="job that prints later", command="(sleep 0.05; echo late) &", prints=b""),
        Case(name="job that prints all the time", command="(while :; do echo noise; sleep 0.01; done) >&2 &"),
        Case(name="nohup", command="nohup sleep 5 >/dev/null 2>&1 &", prints=b""),
        Case(name="daemon", command="setsid sleep 5 &"),
    ),
}  # fmt: skip
CASES = tuple(case for cases in PARTS.values() for case in cases)
