"""Archives into folders, safely: an archive is untrusted, and nothing of it may land outside or grow without bound."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pytest_swegym.errors import SourceError
from pytest_swegym.sources.base import fresh
from pytest_swegym.sources.members import MAX_PATH
from pytest_swegym.sources.members import Member
from pytest_swegym.sources.members import members


#: What one archive may hold, unpacked (tar's own headers included).
MAX_BYTES = 1 * 2**30
MAX_MEMBERS = 100_000
_BLOCK = 2**18


def unpack(
    archive: Path, target: Path, *, what: str, max_bytes: int = MAX_BYTES, max_members: int = MAX_MEMBERS
) -> None:
    """Unpack a tar or zip file into ``target``, an absent or empty folder.

    A single top folder is left out of the paths, and so is every ``.git``. Files get mode 644 or 755. ``what`` names
    the archive in errors. Raises :class:`SourceError` for an archive that is damaged, too large, or holds absolute
    paths, ``..``, links that lead outside, or devices; ``target`` is then left empty.
    """
    import tarfile  # deferred: with its decompressors it is not needed by an ordinary test suite
    import zipfile
    import zlib
    from lzma import LZMAError

    damaged = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError, ValueError, RuntimeError)
    with fresh(target):
        try:
            with members(archive, max_bytes) as found:
                _write(_counted(found, max_bytes, max_members), target)
            _lift(target)
            _check_links(target)
        except SourceError as error:
            raise SourceError(f"{what} {error}") from error
        except damaged as error:
            raise SourceError(f"{what} cannot be unpacked: {type(error).__name__}: {error}") from error


def _counted(found: Iterator[Member], max_bytes: int, max_members: int) -> Iterator[Member]:
    total = 0
    for number, member in enumerate(found, start=1):
        total += member.size
        if number > max_members or total > max_bytes:
            raise SourceError(f"is too large unpacked (limits: {max_members} members, {max_bytes} bytes)")
        yield member


def _write(found: Iterator[Member], target: Path) -> None:
    """Files first and links last, so that nothing is ever written through a link."""
    links: dict[str, str] = {}
    for member in found:
        name = _safe(member.name)
        if not name or ".git" in name.lower().split("/"):
            continue
        place = target / name
        links.pop(name, None)  # of two members with one name the later wins, as in tar itself
        if member.kind == "folder":
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if member.kind == "link":
            place.unlink(missing_ok=True)
            links[name] = member.aim
        elif member.kind == "same":
            _same(target, name, _safe(member.aim), links)
        else:
            _file(member, place)
    for name, aim in links.items():
        (target / name).symlink_to(aim)


def _same(target: Path, name: str, first: str, links: dict[str, str]) -> None:
    """A hard link becomes a copy of the member it names."""
    if first in links:
        links[name] = links[first]
    elif first != name:
        (target / name).unlink(missing_ok=True)
        shutil.copy(target / first, target / name)


def _file(member: Member, place: Path) -> None:
    if member.open is None:
        raise SourceError(f"holds {member.name!r}, which is neither file, folder nor link")
    place.unlink(missing_ok=True)
    left = member.size
    with member.open() as source, place.open("wb") as copy:
        while left and (block := source.read(min(_BLOCK, left))):
            copy.write(block)
            left -= len(block)
    if left:
        raise SourceError(f"is cut short at {member.name!r}")
    place.chmod(0o755 if member.kind == "program" else 0o644)


def _safe(name: str) -> str:
    """A member's path without ``.`` parts and last slash; refused if it could leave the folder."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name or len(name) > MAX_PATH:
        raise SourceError(f"holds the path {name[:200]!r}, which is not a path inside it")
    return "/".join(parts)


def _lift(target: Path) -> None:
    """Leave out a single top folder."""
    entries = list(target.iterdir())
    if len(entries) != 1 or entries[0].is_symlink() or not entries[0].is_dir():
        return
    names = os.listdir(entries[0])
    aside = "top"
    while aside in names:
        aside += "-"
    top = entries[0].rename(target / aside)
    for name in names:
        (top / name).rename(target / name)
    top.rmdir()


def _check_links(target: Path) -> None:
    """Follow every link as the finished tree has it: a chain of harmless links can lead outside too."""
    root = os.path.realpath(target)
    for folder, folders, files in os.walk(target):
        for path in (os.path.join(folder, name) for name in (*folders, *files)):
            if not os.path.islink(path):
                continue
            aim, real = os.readlink(path), os.path.realpath(path)
            if aim.startswith("/") or (real != root and not real.startswith(root + os.sep)):
                raise SourceError(f"holds a link that leads outside: {os.path.relpath(path, target)!r} -> {aim!r}")
