"""git inside: the sandbox's own, else a copy of the host's program with the libraries it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from pytest_swegym.environments.steps import Build
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox.base import HOME


#: Where the copy goes. Last on PATH, so that an image's own git wins.
GIT_FOLDER = f"{HOME}/git"
_WRAPPER = f"""#!/bin/sh
exec {GIT_FOLDER}/lib/loader --library-path {GIT_FOLDER}/lib {GIT_FOLDER}/lib/git "$@"
"""


def ensure_git(build: Build) -> None:
    """Make ``git`` runnable in the sandbox, also in images that have neither git nor its C library.

    Raises :class:`EnvironmentBuildError` if the image has none and the host's cannot be carried over.
    """
    if build.sandbox.exec(["git", "--version"]).exit_code == 0:
        return
    with tempfile.TemporaryDirectory(prefix="swegym-git-") as folder:
        _bundle(Path(folder))
        build.sandbox.upload(Path(folder), GIT_FOLDER)
    # A link in the first folder of the default PATH: no variable needs to change.
    build.run(
        ["sh", "-c", f"mkdir -p /usr/local/bin && ln -sf {GIT_FOLDER}/git /usr/local/bin/git"],
        "bringing git in",
    )
    build.run(["git", "--version"], "checking git")


def _bundle(folder: Path) -> None:
    program = shutil.which("git")
    if program is None:
        raise EnvironmentBuildError("git is neither in the image nor on this machine; install git")
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    libraries = re.findall(r"(?:=> )?(/\S+) \(0x", listing)
    loaders = [path for path in libraries if re.search(r"/ld-[^/]*\.so", path)]
    if not loaders:
        raise EnvironmentBuildError(
            "the image has no git, and this machine's cannot be copied into it; add git to the image"
        )
    (folder / "lib").mkdir()
    for library in libraries:
        shutil.copy(library, folder / "lib" / Path(library).name)
    shutil.copy(loaders[0], folder / "lib" / "loader")
    shutil.copy(program, folder / "lib" / "git")
    (folder / "git").write_text(_WRAPPER)
    (folder / "git").chmod(0o755)
