"""Which Python environment of an image a task's commands run in, found by looking and set as variables."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pytest_swegym.environments.steps import Build
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import shell_argv


#: The name of the conda environment in published images, and where conda is.
_NAME = "testbed"
_CONDA = ("/opt/miniconda3", "/opt/conda", "/opt/miniforge3", "/opt/mambaforge", "/opt/anaconda3", "/root/miniconda3")
_FIND = 'for prefix; do [ -x "$prefix/bin/python" ] && printf %s "$prefix" && exit; done; exit 1'
# Variables before and after the environment's own activation scripts, apart by an empty entry.
_HOOKS = """\
env -0; printf '\\0'
for hook in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do [ -r "$hook" ] && . "$hook"; done >/dev/null 2>&1 </dev/null
exec env -0
"""
#: What a shell keeps for itself.
_SHELLS = ("_", "PWD", "OLDPWD", "SHLVL")
#: What conda writes for a variable that is to be absent.
_UNSET = "***unset***"


def activation(build: Build, workdir: str) -> dict[str, str]:
    """The variables that activate the conda environment ``testbed``, or the repository's ``.venv``; none for neither.

    The same as ``conda activate`` sets: PATH, its own variables, those of ``conda env config`` and of hook scripts.
    """
    places = [*(f"{root}/envs/{_NAME}" for root in _CONDA), f"{workdir}/.venv"]
    found = build.sandbox.exec(["sh", "-c", _FIND, "sh", *places])
    if found.exit_code != 0:
        return {}
    prefix = found.output
    path = build.sandbox.exec(["sh", "-c", 'printf %s "$PATH"']).output
    root, _, name = prefix.rpartition("/envs/")
    if not root:
        return {"PATH": f"{prefix}/bin:{path}", "VIRTUAL_ENV": prefix}
    rest = [folder for folder in path.split(":") if folder not in (f"{root}/bin", f"{root}/condabin", f"{prefix}/bin")]
    env = {
        "PATH": ":".join((f"{prefix}/bin", f"{root}/condabin", *rest)),
        "CONDA_EXE": f"{root}/bin/conda",
        "CONDA_PYTHON_EXE": f"{root}/bin/python",
        "CONDA_PREFIX": prefix,
        "CONDA_DEFAULT_ENV": name,
        "CONDA_PROMPT_MODIFIER": f"({name}) ",
        "CONDA_SHLVL": "1",
    }
    env.update(_configured(build, prefix))
    env.update(changed(build.sandbox.exec(shell_argv(_HOOKS), env=env, timeout=60)))
    return env


def _configured(build: Build, prefix: str) -> dict[str, str]:
    """What ``conda env config vars`` set for the environment."""
    try:
        state = json.loads(build.sandbox.read(f"{prefix}/conda-meta/state", limit=2**20))
        given = state["env_vars"]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return _plain(given) if isinstance(given, dict) else {}


def changed(result: ExecResult) -> dict[str, str]:
    """The variables that the activation scripts set."""
    before, apart, after = result.stdout.partition(b"\0\0")
    if not apart or result.exit_code != 0:
        return {}
    old, new = _variables(before), _variables(after)
    return _plain({name: value for name, value in new.items() if old.get(name) != value and name not in _SHELLS})


def _variables(block: bytes) -> dict[str, str]:
    pairs = (entry.decode("utf-8", "surrogateescape").partition("=") for entry in block.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


def _plain(given: Mapping[str, object]) -> dict[str, str]:
    return {
        name: value
        for name, value in given.items()
        if name.isidentifier() and isinstance(value, str) and value != _UNSET
    }
