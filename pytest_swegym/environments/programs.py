"""Programs that a workspace needs inside: the sandbox's own, else copies of the host's with the libraries they need."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from pytest_swegym.environments.steps import Build
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox.base import HOME


#: Where the copies go; links in the first folder of the default PATH lead there.
_FOLDER = f"{HOME}/programs"
_LINKS = "/usr/local/bin"
_WRAPPER = f"""#!/bin/sh
exec {_FOLDER}/lib/loader --library-path {_FOLDER}/lib {_FOLDER}/lib/%s "$@"
"""


def ensure_programs(build: Build) -> None:
    """Make ``git``, and ``patch`` if the host has it, runnable in any sandbox, whatever C library its image has.

    Raises :class:`EnvironmentBuildError` if there is no git in the image and the host's cannot be carried over.
    """
    missing = [name for name in ("git", "patch") if build.sandbox.exec([name, "--version"]).exit_code != 0]
    with tempfile.TemporaryDirectory(prefix="swegym-") as folder:
        carried = [name for name in missing if _bundle(name, Path(folder))]
        if "git" in missing and "git" not in carried:
            raise EnvironmentBuildError(
                "the image has no git, and this machine's cannot be copied into it; add git to it"
            )
        if not carried:
            return
        build.sandbox.upload(Path(folder), _FOLDER)
    script = f'mkdir -p {_LINKS} && for name; do ln -sf "{_FOLDER}/$name" "{_LINKS}/$name" || exit; done'
    build.run(["sh", "-c", script, "sh", *carried], f"bringing {' and '.join(carried)} in")
    for name in carried:
        build.run([name, "--version"], f"checking {name}")


def _bundle(name: str, folder: Path) -> bool:
    """Put the host's program and its libraries into ``folder``; ``False`` if this machine's cannot be moved."""
    program = shutil.which(name)
    if program is None or shutil.which("ldd") is None:
        return False
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    libraries = re.findall(r"(?:=> )?(/\S+) \(0x", listing)
    loaders = [path for path in libraries if re.search(r"/ld-[^/]*\.so", path)]
    if not loaders:
        return False
    (folder / "lib").mkdir(exist_ok=True)
    for library in libraries:
        shutil.copy(library, folder / "lib" / Path(library).name)
    shutil.copy(loaders[0], folder / "lib" / "loader")
    shutil.copy(program, folder / "lib" / name)
    (folder / name).write_text(_WRAPPER % name)
    (folder / name).chmod(0o755)
    return True
