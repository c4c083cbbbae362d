"""Putting tool folders into a sandbox: a layer on top of the repository's, made once."""

from __future__ import annotations

import json
import logging
import posixpath
import shlex
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_swegym._support.keys import content_key
from pytest_swegym.environments.activation import changed
from pytest_swegym.environments.basegit import git_env
from pytest_swegym.environments.steps import Build
from pytest_swegym.environments.steps import building
from pytest_swegym.environments.steps import finish
from pytest_swegym.environments.steps import made_once
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.grading.command import visible_tests
from pytest_swegym.sandbox.base import HOME as SANDBOX_HOME
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.base import shell_argv
from pytest_swegym.task import TaskSpec


if TYPE_CHECKING:
    from pytest_swegym.tools.folder import ToolFolder


log = logging.getLogger("pytest_swegym.tools")

#: Where everything of the tools lies inside a sandbox. Outside the repository; nothing of it enters a patch.
HOME = f"{SANDBOX_HOME}/tools"
#: What the tools remember from call to call, as a JSON object with one key a line.
STATE = f"{HOME}/state.json"
#: Where ``submit`` and ``forfeit`` write their own name: the episode is to end.
ENDED = f"{HOME}/ended"
#: Raised whenever the way of installing changes, so that old layers are not taken for new ones.
_VERSION = 3
_BIN = f"{HOME}/bin"
#: What install scripts of SWE-agent's folders expect to be set; they write it to the shared state.
_SEEN_BY_INSTALL = {"WINDOW": "100", "OVERLAP": "2"}
# Variables before and after, apart by an empty entry, once the script has come to its end.
_SOURCE = f"""env -0 > {HOME}/before
. ./install.sh </dev/null >&2 || exit
cat {HOME}/before && rm {HOME}/before && printf '\\0' && exec env -0"""
# So that no episode compiles the modules again; where there is no Python there is nothing to do.
_COMPILE = f"""for python in python3 python; do
  command -v "$python" >/dev/null 2>&1 && exec "$python" -m compileall -q {HOME}/*/lib
done"""
# Where it lies it finds itself, and what runs the script, whatever the first line calls it on the machine that it was
# written on.
_WRAPPER = """\
#!/bin/sh
case $0 in */bin/*) SWEGYM_TOOLS=${{0%/bin/*}} ;; *) SWEGYM_TOOLS={home} ;; esac
export SWEGYM_TOOLS
{python}{run}"""
_PYTHON = """\
PYTHONPATH={libraries}${{PYTHONPATH:+:$PYTHONPATH}}
export PYTHONPATH
"""
_RUN = """\
for program in {programs}; do
  command -v "$program" >/dev/null 2>&1 && exec "$program" {flags}"$SWEGYM_TOOLS"/{script} "$@"
done
echo '{name}: needs {program}, which is not installed here' >&2
exit 127
"""


def install(
    folders: Sequence[ToolFolder],
    tools_key: str,
    backend: Backend,
    snapshot: Snapshot,
    spec: TaskSpec,
    *,
    offline: bool,
) -> Snapshot:
    """See :meth:`pytest_swegym.tools.Toolset.install`."""
    state = {"ROOT": spec.workdir, "TEST_COMMAND": visible_tests(spec)}
    key = content_key("tools", _VERSION, snapshot.key, tools_key, state)

    def make() -> Snapshot:
        log.info("installing tools for %s: %s", spec.instance_id, ", ".join(folder.name for folder in folders))
        network = any("install.sh" in folder.files for folder in folders)  # nothing else needs it
        with building(backend, snapshot, spec, offline=offline or not network) as build:
            _upload(build, folders, state)
            env = _installed(build, folders, snapshot)
            build.sandbox.exec(["sh", "-c", _COMPILE], env=env, timeout=build.timeout)
            _check(build, folders, env)
            if network:
                _check_repository(build, spec.workdir)
            what = f"{spec.instance_id}: with {', '.join(folder.name for folder in folders)}"
            return finish(build, backend, key, env=env, python=snapshot.python, kind="tools", title=what)

    return made_once(backend, key, make)


def _upload(build: Build, folders: Sequence[ToolFolder], state: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="swegym-") as name:
        root = Path(name)
        for path, data, run in _files(folders):
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(0o755 if run else 0o644)
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in state.items())
        (root / "state.json").write_text(f"{{\n{lines}\n}}\n")
        build.sandbox.upload(root, HOME)


def _files(folders: Sequence[ToolFolder]) -> Iterator[tuple[str, bytes, bool]]:
    """Every file to be there, below ``HOME``: the folders, a command for each of their programs, and their words."""
    libraries = ":".join(f"$SWEGYM_TOOLS/{folder.name}/lib" for folder in reversed(folders) if folder.modules)
    for folder in folders:
        for path, (data, run) in folder.files.items():
            yield f"{folder.name}/{path}", data, run
        for name, data in folder.commands.items():
            yield f"bin/{name}", _wrapper(name, f"{folder.name}/bin/{name}", data, libraries).encode(), True
        for tool in folder.config.tools:
            yield f"docs/{tool.name}", tool.docs().encode(), False


def _wrapper(name: str, script: str, data: bytes, libraries: str) -> str:
    """The command on PATH for a program of a folder; scripts of Python find the modules of every folder's ``lib``."""
    first = data[:512].split(b"\n", 1)[0].decode("utf-8", "replace")
    words = first[2:].split() if first.startswith("#!") else []
    if words and posixpath.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if not words:
        return _WRAPPER.format(home=HOME, python="", run=f'exec "$SWEGYM_TOOLS"/{shlex.quote(script)} "$@"\n')
    program = posixpath.basename(words[0])
    python = program.startswith("python")
    programs = dict.fromkeys([words[0], program, *(("python3", "python") if python else ())])
    run = _RUN.format(
        programs=" ".join(shlex.quote(word) for word in programs),
        flags="".join(f"{shlex.quote(word)} " for word in words[1:]),
        script=shlex.quote(script),
        name=name.replace("'", ""),
        program="Python 3" if python else program.replace("'", ""),
    )
    return _WRAPPER.format(home=HOME, python=_PYTHON.format(libraries=libraries) if python else "", run=run)


def _installed(build: Build, folders: Sequence[ToolFolder], snapshot: Snapshot) -> dict[str, str]:
    """Source every ``install.sh`` in its folder, in order; the variables of the snapshot with the tools in it."""
    path = snapshot.env.get("PATH") or build.sandbox.exec(["sh", "-c", 'printf %s "$PATH"']).output
    # After our own, for what an install script puts there.
    own = ":".join([_BIN, *(f"{HOME}/{folder.name}/bin" for folder in folders)])
    env = {**snapshot.env, "PATH": f"{own}:{path}"}
    for folder in folders:
        if "install.sh" not in folder.files:
            continue
        what = f"tools {folder.name!r}: install.sh"
        variables = {**_SEEN_BY_INSTALL, **env}
        result = build.run(shell_argv(_SOURCE), what, cwd=f"{HOME}/{folder.name}", env=variables, level=logging.INFO)
        if not result.stdout:
            raise EnvironmentBuildError(f"{what} ended the shell that sources it: use return instead of exit")
        env.update(changed(result))
    # A script may have put its own folder first, where programs lack what runs them.
    return {**env, "PATH": f"{_BIN}:{env['PATH']}"} if not env["PATH"].startswith(f"{_BIN}:") else env


def _check(build: Build, folders: Sequence[ToolFolder], env: dict[str, str]) -> None:
    """Every tool can be called by its name."""
    names = [tool.name for folder in folders for tool in folder.config.tools if not tool.is_shell]
    script = 'for name; do command -v "$name" >/dev/null || { echo "$name"; exit 1; }; done'
    result = build.sandbox.exec(["sh", "-c", script, "sh", *names], env=env)
    if result.exit_code != 0:
        missing = result.output.strip()
        folder = next((folder.name for folder in folders for tool in folder.config.tools if tool.name == missing), "")
        raise EnvironmentBuildError(f"tools {folder!r}: there is no command {missing!r} after installing")


def _check_repository(build: Build, workdir: str) -> None:
    """What an install script leaves in the repository would be in every patch."""
    script = "git add -A -- . && git diff --cached --name-only --no-renames HEAD"
    result = build.run(["sh", "-c", script], "looking at the repository", cwd=workdir, env=git_env(workdir))
    changed_paths = result.stdout.decode("utf-8", "replace").splitlines()
    if changed_paths:
        raise EnvironmentBuildError(
            f"an install.sh of the tools changed the repository, which every patch would show: {changed_paths[0]}"
        )
