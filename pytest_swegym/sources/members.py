"""What is in an archive, one member after the other, tar and zip alike; every read is bounded."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO
from typing import TYPE_CHECKING
from typing import cast

from pytest_swegym.errors import SourceError


if TYPE_CHECKING:
    import tarfile
    import zipfile

#: Longest path and link target; also what tells a member's header from one made to fill the memory.
MAX_PATH = 4096
_MAX_READ = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry: ``kind`` is file, program, folder, link (``aim`` as it stands), or same (a hard link to ``aim``)."""

    name: str
    kind: str
    size: int = 0
    aim: str = ""
    open: Callable[[], IO[bytes]] | None = None


@contextmanager
def members(archive: Path, max_bytes: int) -> Iterator[Iterator[Member]]:
    """The members of a tar (gzip, bzip2, xz or plain) or zip file, told by its first bytes; read them in order."""
    with archive.open("rb") as raw:
        magic = raw.read(6)
        raw.seek(0)
        if magic.startswith(b"PK"):
            import zipfile  # deferred, as all of these: an ordinary test suite unpacks nothing

            with zipfile.ZipFile(raw) as zipped:
                yield _zip_members(zipped)
        else:
            import tarfile

            with (
                _decompressed(raw, magic) as plain,
                tarfile.open(fileobj=cast("IO[bytes]", _Bounded(plain, max_bytes)), mode="r:") as tar,
            ):
                yield _tar_members(tar)


class _Bounded:
    """A stream that refuses to be read too far, or too much at once (tarfile reads a whole header at once)."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_READ or self._stream.tell() + size > self._limit:
            raise SourceError(f"is too large unpacked (limit {self._limit} bytes), or has a header made to fill memory")
        return self._stream.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        if whence != os.SEEK_SET or position > self._limit:
            raise SourceError(f"is too large unpacked (limit {self._limit} bytes)")
        return self._stream.seek(position)


def _decompressed(raw: IO[bytes], magic: bytes) -> IO[bytes]:
    import bz2
    import gzip
    import lzma

    if magic.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if magic.startswith(b"\xfd7zXZ"):
        return lzma.LZMAFile(raw)
    return raw


def _tar_members(tar: tarfile.TarFile) -> Iterator[Member]:
    import tarfile

    refuse = getattr(tarfile, "data_filter", None)  # Python's own refusals, beside ours, where it has them
    for info in tar:
        if refuse:
            refuse(info, "/nowhere")
        if info.isreg():
            kind = "program" if info.mode & stat.S_IXUSR else "file"
            opened = cast("Callable[[], IO[bytes]]", partial(tar.extractfile, info))
            yield Member(name=info.name, kind=kind, size=info.size, open=opened)
        elif info.isdir():
            yield Member(name=info.name, kind="folder")
        elif info.issym() or info.islnk():
            yield Member(name=info.name, kind="link" if info.issym() else "same", aim=info.linkname)
        else:
            raise SourceError(f"holds {info.name!r}, which is neither file, folder nor link")


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        if stat.S_ISLNK(mode):
            if info.file_size > MAX_PATH:
                raise SourceError(f"holds the link {info.filename!r} with a target of {info.file_size} bytes")
            yield Member(name=info.filename, kind="link", aim=os.fsdecode(archive.read(info)))
        elif info.is_dir():
            yield Member(name=info.filename, kind="folder")
        else:
            kind = "program" if mode & stat.S_IXUSR else "file"
            opened = cast("Callable[[], IO[bytes]]", partial(archive.open, info))
            yield Member(name=info.filename, kind=kind, size=info.file_size, open=opened)
