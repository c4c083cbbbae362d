"""The files of a workspace that can be shown: listed and read by their git blobs, all at once."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_swegym.environments.basegit import git_env
from pytest_swegym.errors import SandboxError
from pytest_swegym.workspace import Workspace


#: Larger files (bytes) are data more often than not; more files than that are not looked at.
LARGEST = 512 * 1024
MOST = 20_000
#: Bytes of all files, and of those read with one command.
_TOTAL, _AT_ONCE = 256 * 2**20, 8 * 2**20
#: Folders of other people's code.
VENDORED = frozenset({"node_modules", "vendor", "vendored", "_vendor", "third_party", "site-packages"})
#: Written by programs, or no text: nothing in them helps to find what is wrong.
_ENDINGS = (
    ".min.js", ".min.css", ".map", ".lock", "-lock.json", "-lock.yaml", "pkg-info", ".sum", ".svg", ".png", ".jpg",
    ".jpeg", ".gif", ".ico", ".webp", ".pdf", ".zip", ".gz", ".bz2", ".xz", ".whl", ".jar", ".so", ".dll", ".exe",
    ".bin", ".woff", ".woff2", ".ttf", ".eot", ".otf", ".mo", ".pickle", ".pkl", ".npy", ".parquet", ".sqlite", ".db",
    ".mp3", ".mp4",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A text file of the repository; ``blob`` names its content."""

    path: str
    blob: str
    size: int

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.path)


def list_files(workspace: Workspace, tree: str) -> list[File]:
    """The files of a git tree that are worth a look, by path: no links, nothing vendored, generated, binary or huge.

    Raises :class:`SandboxError`.
    """
    listed = _git(workspace, ("ls-tree", "-r", "-l", "-z", "--full-tree", tree), 64 * 2**20)
    found = [file for line in listed.split(b"\0") if (file := _file(line)) is not None]
    kept: list[File] = []
    total = 0
    for file in found[:MOST]:
        total += file.size
        if total > _TOTAL:
            break
        kept.append(file)
    return kept


def read_blobs(workspace: Workspace, files: Sequence[File]) -> dict[str, str]:
    """The text of each blob; empty for one that is binary after all. Raises :class:`SandboxError`."""
    texts: dict[str, str] = {}
    for batch in _batches({file.blob: file for file in files}.values()):
        names = "".join(f"{file.blob}\n" for file in batch).encode()
        expected = sum(file.size + 128 for file in batch)
        # Twice as much, for the head is only half of what an output keeps.
        data = _git(workspace, ("cat-file", "--batch"), 2 * expected, names)
        texts |= dict(_contents(data, [file.blob for file in batch]))
    return texts


def _git(workspace: Workspace, arguments: Sequence[str], limit: int, stdin: bytes = b"") -> bytes:
    path = workspace.path
    result = workspace.sandbox.exec(
        ("git", *arguments), cwd=path, env=git_env(path), stdin=stdin, timeout=300, output_limit=limit
    )
    if result.exit_code or result.timed_out or result.truncated:
        said = result.stderr.decode("utf-8", "replace")[-500:]
        raise SandboxError(f"git {arguments[0]} failed in the sandbox: {said}")
    return result.stdout


def _file(line: bytes) -> File | None:
    """A line of ``git ls-tree``: mode, type, blob, size, a tab, the path."""
    head, _, name = line.partition(b"\t")
    path = name.decode("utf-8", "surrogateescape")
    mode, _, rest = head.decode("ascii", "replace").partition(" ")
    words = rest.split()
    if mode not in ("100644", "100755") or len(words) != 3 or not words[2].isdecimal() or not path.isprintable():
        return None
    folders = path.split("/")[:-1]
    size = int(words[2])
    if not 0 < size <= LARGEST or not VENDORED.isdisjoint(folders) or path.lower().endswith(_ENDINGS):
        return None
    return File(path=path, blob=words[1], size=size)


def _batches(files: Iterable[File]) -> Iterator[list[File]]:
    batch: list[File] = []
    size = 0
    for file in files:
        if batch and size + file.size > _AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def _contents(data: bytes, blobs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What ``git cat-file --batch`` printed: for each blob a line of its name, type and size, its bytes, a line end."""
    at = 0
    for blob in blobs:
        end = data.find(b"\n", at)
        words = data[at:end].decode("ascii", "replace").split()
        if end < 0 or len(words) != 3 or words[0] != blob or not words[2].isdecimal():
            raise SandboxError(f"git cat-file did not tell of {blob}: {' '.join(words)!r:.200}")
        size = int(words[2])
        content = data[end + 1 : end + 1 + size]
        yield blob, "" if b"\0" in content[:8192] else content.decode("utf-8", "replace")
        at = end + 1 + size + 1
