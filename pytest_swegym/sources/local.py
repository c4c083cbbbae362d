"""A folder on this machine: at a commit, or as it stands."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym.errors import SourceError
from pytest_swegym.sources.base import fresh
from pytest_swegym.sources.freeze import freeze
from pytest_swegym.sources.plumbing import GitDir


#: Left out of a folder that git knows nothing of.
LEFT_OUT = frozenset({".git", "__pycache__", ".venv", "venv", "node_modules"})


def find_git(folder: Path) -> GitDir | None:
    """The repository whose working tree ``folder`` is in, by git's own rule: the nearest ``.git`` upwards."""
    for place in (folder, *folder.parents):
        mark = place / ".git"
        if mark.is_dir() and (mark / "HEAD").exists():
            return GitDir(path=mark, work_tree=place)
        if mark.is_file():  # a linked working tree or a submodule
            text = mark.read_text(errors="replace").strip()
            if text.startswith("gitdir: "):
                return GitDir(path=(place / text.removeprefix("gitdir: ")).resolve(), work_tree=place)
    return None


def is_bare(folder: Path) -> bool:
    """Whether ``folder`` itself is a repository's data."""
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSource:
    """A folder as it stands: uncommitted changes included, files that git ignores left out."""

    description: str
    folder: Path

    def key(self) -> str:
        entries = []
        for name in self._files():
            path = self.folder / name
            mode = path.lstat().st_mode
            entries.append([os.fsencode(name).hex(), _kind(mode), _digest(path, mode)])
        return content_key("tree", entries)

    def checkout(self, target: Path) -> None:
        with fresh(target):
            for name in self._files():
                copy = target / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.folder / name, copy, follow_symlinks=False)
            freeze(target)

    def _files(self) -> list[str]:
        """Paths of the tree below the folder, sorted; regular files and links only."""
        if not self.folder.is_dir():
            raise SourceError(f"{self.description}: no such folder")
        git = find_git(self.folder)
        names = _walk(self.folder, "")
        if (
            git
            and git.work_tree
            and not (git.work_tree != self.folder and git.ok("check-ignore", "-q", str(self.folder)))
        ):
            names = self._listed(git)
        return sorted({name for name in names if _regular(self.folder / name)})

    def _listed(self, git: GitDir) -> Iterator[str]:
        below = self.folder.relative_to(git.work_tree or self.folder).as_posix()
        prefix = "" if below == "." else below + "/"
        command = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", f":(top,literal){prefix}")
        for raw in git.run(*command).split(b"\0"):
            name = os.fsdecode(raw).removeprefix(prefix).rstrip("/")
            place = self.folder / name
            if name and place.is_dir() and not place.is_symlink():  # a submodule, or a repository inside this one
                yield from _walk(self.folder, name)
            elif name:
                yield name


def _walk(root: Path, below: str) -> Iterator[str]:
    for entry in os.scandir(root / below):
        if entry.name in LEFT_OUT:
            continue
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, name)
        else:
            yield name


def _regular(path: Path) -> bool:
    """Whether there is a file or link to copy; a file deleted but not committed is not there."""
    if ".git" in path.parts[-1:] or not os.path.lexists(path):
        return False
    mode = path.lstat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "link"
    return "program" if mode & stat.S_IXUSR else "file"


def _digest(path: Path, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
        return digest.hexdigest()
