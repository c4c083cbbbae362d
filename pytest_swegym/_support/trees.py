"""A folder that came as a tar archive from where nobody can be trusted: written anew, with nothing but a tree in it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from collections.abc import Mapping


#: Members of an archive that are read.
MEMBERS = 200_000


def clean_tree(data: bytes, limit: int) -> bytes:
    """The files, folders and symlinks of ``data`` as an archive whose members all lie below one folder.

    No owner, special bit, device, pipe or extended header is kept; a hard link becomes the file it names. Symlinks stay
    as they are, wherever they lead, and nothing lies below one. Raises :class:`ValueError` that says what is wrong with
    an archive that is damaged, leaves its folder, or holds more than ``limit`` bytes.
    """
    out = io.BytesIO()
    try:
        # As a stream: a forged size cannot lead the reader backwards.
        with (
            tarfile.open(fileobj=io.BytesIO(data), mode="r|") as archive,
            tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as clean,
        ):
            for member, content in _members(archive, limit):
                clean.addfile(member, io.BytesIO(content))
    except (tarfile.TarError, EOFError, OSError, OverflowError, UnicodeError, MemoryError) as error:
        raise ValueError(f"it is no readable archive: {error}") from None
    return out.getvalue()


def make_tree(files: Mapping[str, str]) -> bytes:
    """An archive of texts by their paths; those that begin with ``#!`` can be run."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, text in files.items():
            member, content = tarfile.TarInfo(name), text.encode("utf-8", "surrogateescape")
            member.mode, member.size = text_mode(text), len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def text_mode(text: str) -> int:
    """The permissions of a file that is given as text."""
    return 0o755 if text.startswith("#!") else 0o644


def _members(archive: tarfile.TarFile, limit: int) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    kinds: dict[str, bytes] = {"": tarfile.DIRTYPE}
    files: dict[str, tuple[int, bytes]] = {}
    total = 0
    for number, member in enumerate(archive):
        name = _path(member.name)
        if number >= MEMBERS:
            raise ValueError(f"it has more than {MEMBERS} files")
        if not name or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            continue
        _check_place(name, member, kinds)
        mode, content = member.mode & 0o777, b""
        if member.islnk():
            mode, content = _linked(name, member, files)
        size = len(content) if member.islnk() else member.size
        total += max(size, 0)
        if size < 0 or total > limit:
            raise ValueError(f"it is larger than {limit >> 20} MiB")
        if member.isreg():
            file = archive.extractfile(member)
            content = file.read() if file is not None else b""
        if member.isreg() or member.islnk():
            files[name] = mode, content
        yield _fresh(name, member, mode, len(content)), content


def _path(name: str) -> str:
    """A member's path, without ``.`` in it; empty for the folder itself."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise ValueError(f"{name!r:.200} leads out of it")
    return "/".join(parts)


def _check_place(name: str, member: tarfile.TarInfo, kinds: dict[str, bytes]) -> None:
    """Every folder above a member is a folder of the archive, and no name is there twice."""
    parent = name.rpartition("/")[0]
    if kinds.get(parent) != tarfile.DIRTYPE:
        raise ValueError(f"{name!r:.200} lies in no folder of it")
    if name in kinds:
        raise ValueError(f"{name!r:.200} is in it twice")
    kinds[name] = member.type if not member.isreg() else tarfile.REGTYPE


def _linked(name: str, member: tarfile.TarInfo, files: dict[str, tuple[int, bytes]]) -> tuple[int, bytes]:
    try:
        return files[_path(member.linkname)]
    except KeyError:
        raise ValueError(f"{name!r:.200} is a link to something that is not in it") from None


def _fresh(name: str, member: tarfile.TarInfo, mode: int, size: int) -> tarfile.TarInfo:
    fresh = tarfile.TarInfo(name)
    fresh.type = tarfile.REGTYPE if member.isreg() or member.islnk() else member.type
    fresh.mode, fresh.size = mode, size
    fresh.linkname = member.linkname if member.issym() else ""
    fresh.mtime = min(max(int(member.mtime), 0), 2**33 - 1)
    return fresh
