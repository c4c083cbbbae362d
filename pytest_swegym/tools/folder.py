"""A tool folder on the host: ``config.yaml``, ``bin/``, ``lib/``, ``install.sh``; read whole, never run here."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym.errors import ToolError
from pytest_swegym.tools.config import Config
from pytest_swegym.tools.config import read_config


#: The tool folders that come with this package.
SHIPPED = Path(__file__).parent / "shipped"
#: The folder that every other one may build on: shared state for commands and for Python.
CORE = "registry"
#: The folder that tells of all others; with every toolset, unless another brings a tool of that name.
SUPPORT = "support"
#: Limits of one folder.
_BYTES, _FILES = 64 * 2**20, 10_000
_IGNORED = {"__pycache__", ".git", ".DS_Store"}
#: What lies beside the folders inside a sandbox.
_TAKEN = {"bin", "docs", "state.json", "ended", "before"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_IMPORT = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFolder:
    """One folder: what its configuration says, and its files by path, each with the bytes and whether it can be run."""

    name: str
    path: Path
    config: Config
    files: Mapping[str, tuple[bytes, bool]]

    @property
    def key(self) -> str:
        """Names its content, wherever it lies."""
        digests = {path: [hashlib.sha256(data).hexdigest(), run] for path, (data, run) in self.files.items()}
        return content_key(self.name, digests)

    @property
    def commands(self) -> dict[str, bytes]:
        """The files of ``bin/``, by name."""
        return {path[4:]: data for path, (data, _) in self.files.items() if re.fullmatch(r"bin/[^/]+", path)}

    @property
    def modules(self) -> set[str]:
        """The Python modules of ``lib/``."""
        return {path.split("/")[1].removesuffix(".py") for path in self.files if path.startswith("lib/")}

    @property
    def imports(self) -> set[str]:
        """The Python modules that its scripts and modules import."""
        texts = (data for path, (data, _) in self.files.items() if path.startswith(("bin/", "lib/")))
        return {name.decode() for text in texts for name in _IMPORT.findall(text)}


def read_folder(path: Path) -> ToolFolder:
    """The tool folder at ``path``. Raises :class:`ToolError`."""
    if not path.is_dir():
        raise ToolError(f"tool folder {str(path)!r}: there is no such folder")
    name = path.resolve().name
    if not _NAME.fullmatch(name) or name in _TAKEN:
        rule = f"its name may have letters, digits, _ . and -, 64 at most, and be none of {', '.join(sorted(_TAKEN))}"
        raise ToolError(f"tool folder {str(path)!r}: {rule}")
    if not (path / "config.yaml").is_file():
        raise ToolError(f"tool folder {str(path)!r}: has no config.yaml")
    config = read_config(path / "config.yaml")
    folder = ToolFolder(name=name, path=path, config=config, files=dict(_files(path)))
    for tool in config.tools:
        if not tool.is_shell and f"bin/{tool.name}" not in folder.files and "install.sh" not in folder.files:
            where = path / "config.yaml"
            raise ToolError(f"{where}: tools.{tool.name}: has no bin/{tool.name}, and no install.sh that may bring it")
    return folder


def _files(root: Path) -> Iterator[tuple[str, tuple[bytes, bool]]]:
    inside, size = root.resolve(), 0
    for count, path in enumerate(sorted(_walk(root))):
        name = path.relative_to(root).as_posix()
        if not path.resolve().is_relative_to(inside):
            raise ToolError(f"tool folder {str(root)!r}: {name} leads out of it")
        try:
            info = path.stat()
            size += info.st_size
            if not stat.S_ISREG(info.st_mode) or size > _BYTES or count >= _FILES:
                limits = f"plain files only, {_FILES} at most, {_BYTES >> 20} MiB together"
                raise ToolError(f"tool folder {str(root)!r}: {name}: it may have {limits}")
            yield name, (path.read_bytes(), name.startswith("bin/") or bool(info.st_mode & stat.S_IXUSR))
        except OSError as error:
            raise ToolError(f"tool folder {str(root)!r}: {name} cannot be read: {error.strerror}") from None


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _IGNORED]
        for name in (*files, *(name for name in folders if os.path.islink(os.path.join(folder, name)))):
            if name not in _IGNORED:
                yield Path(folder, name)
