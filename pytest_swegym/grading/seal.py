"""Git repositories in an answer, made harmless: no setting of theirs runs a program of the answer's choice."""

from __future__ import annotations

import re

from pytest_swegym.errors import PatchError
from pytest_swegym.workspace import Workspace


#: Settings that run programs; hooks and the file system monitor are off by ``ENV``.
_RUNS_CODE = re.compile(
    r"filter\..*|diff\.(external|.*\.(textconv|command))|merge\..*\.driver|include(if)?\..*|gpg\..*|log\.showsignature"
    r"|credential\..*|core\.(pager|editor|sshcommand|askpass|gitproxy|alternaterefscommand|fsmonitor|hookspath)"
    r"|interactive\.difffilter|pager\..*|sequence\.editor|trailer\..*\.(command|cmd)|hook\..*|gc\.recentobjectshook"
    r"|remote\..*\.(uploadpack|receivepack|vcs)|protocol\..*|submodule\..*\.update|tar\..*|(diff|merge)tool\..*",
    re.IGNORECASE | re.DOTALL,
)
_SETTINGS = {"core.fsmonitor": "false", "core.hooksPath": "/dev/null", "safe.directory": "*"}
#: The variables with which git runs in an answer. What stands in for objects or parents counts for nothing.
ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
    **{f"GIT_CONFIG_KEY_{number}": name for number, name in enumerate(_SETTINGS)},
    **{f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(_SETTINGS.values())},
}
# Every file of git's settings in the workdir, and the names in it; git takes a folder for a repository by what lies
# beside them, of which a linked one ("commondir") lacks HEAD.
_LIST = """
exec find . '(' -name config -o -name config.worktree ')' ! -type d -exec sh -c '
for path; do
  beside=${path%/*}
  [ -e "$beside/refs" ] || [ -L "$beside/HEAD" ] || [ -e "$beside/HEAD" ] || [ -e "$beside/objects" ] || continue
  printf "%s\\0" "$path"
  git config --file "$path" --no-includes --name-only -z --list 2> /dev/null
  printf "\\0"
done' sh {} +
"""
_UNSET = """exec xargs -0 -n 2 sh -c 'rm -f "$1.lock"; exec git config --file "$1" --unset-all "$2"' sh"""
_LIMIT = 2**20
_PATIENCE = 60.0


def seal(workspace: Workspace) -> None:
    """Take what would run programs out of the settings of every repository in the workdir.

    Raises :class:`PatchError` where it stays: too many of them, or a file that git cannot rewrite.
    """
    found = _listed(workspace)
    if not found:
        return
    stdin = b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for pair in found for word in pair)
    argv = ["sh", "-c", _UNSET]
    done = workspace.sandbox.exec(argv, cwd=workspace.path, stdin=stdin, timeout=_PATIENCE)
    left = _listed(workspace)
    if left or done.timed_out:
        path, name = (left or found)[0]
        said = done.stderr.decode("utf-8", "replace").strip()[-500:]
        raise PatchError(f"the setting {name!r:.100} of {path!r:.200} cannot be taken out: {said}")


def _listed(workspace: Workspace) -> list[tuple[str, str]]:
    """The file and the name of each setting that runs programs, once. Raises :class:`PatchError`."""
    listed = workspace.sandbox.exec(
        ["sh", "-c", _LIST], cwd=workspace.path, timeout=_PATIENCE, output_limit=_LIMIT, env={"LC_ALL": "C"}
    )
    if listed.timed_out or listed.truncated:
        raise PatchError("it holds more git repositories, or settings of theirs, than are looked at")
    words = iter(listed.stdout.decode("utf-8", "surrogateescape").split("\0"))
    found: dict[tuple[str, str], None] = {}
    for path in words:
        for name in iter(lambda: next(words, ""), ""):
            if _RUNS_CODE.fullmatch(name):
                found[path, name] = None
    return list(found)
