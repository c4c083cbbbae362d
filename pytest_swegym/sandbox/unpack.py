"""Unpacking the layers of an untrusted image archive: nothing it names is ever written outside the target folder."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from pytest_swegym.sandbox.layers import remove_tree


_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


def unpack(archive: tarfile.TarFile, name: str, root: Path) -> None:
    """Unpack the layer called ``name`` over what earlier layers left in ``root``.

    Links are never followed: a folder that a path leads through is a real folder in ``root``, or is made one. Owners,
    devices and set-uid bits are left out. Raises :class:`tarfile.TarError` or :class:`ValueError`.
    """
    blob = archive.extractfile(name)
    if blob is None:
        raise ValueError(f"the layer {name} is not a file")
    with blob, tarfile.open(fileobj=blob, mode="r:*") as layer:
        for member in layer:
            parts = _parts(member.name)
            if parts:
                _place(layer, member, root, parts)


def _parts(name: str) -> list[str]:
    """The components of a member's path. Raises :class:`ValueError` if it leads upwards."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise ValueError(f"the member {name!r} leads out of the image")
    return parts


def _place(layer: tarfile.TarFile, member: tarfile.TarInfo, root: Path, parts: list[str]) -> None:
    parent, name = real_folder(root, parts[:-1]), parts[-1]
    path = parent / name
    if name == _OPAQUE:
        for child in parent.iterdir():
            _remove(child)
    elif name.startswith(_WHITEOUT):
        _remove(parent / name[len(_WHITEOUT) :])
    elif member.isdir():
        real_folder(root, parts).chmod(member.mode & 0o1777 | 0o700)
    elif member.issym():
        _remove(path)
        path.symlink_to(member.linkname)
    elif member.islnk():
        source = _parts(member.linkname)
        target = real_folder(root, source[:-1]) / source[-1]
        if target != path:
            _remove(path)
            os.link(target, path, follow_symlinks=False)
    elif member.isreg():
        _remove(path)
        _write(layer, member, path)


def _write(layer: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = layer.extractfile(member)
    if content is None:
        raise ValueError(f"the member {member.name!r} has no content")
    with content, open(path, "xb") as file:
        shutil.copyfileobj(content, file, 2**20)
    path.chmod(member.mode & 0o777 | 0o600)
    os.utime(path, (member.mtime, member.mtime))


def real_folder(root: Path, parts: list[str]) -> Path:
    """The folder at that path, made of real folders only; a link or file in the way is replaced, as overlays do."""
    path = root
    for part in parts:
        path = path / part
        if path.is_symlink() or not path.is_dir():
            _remove(path)
            path.mkdir(mode=0o755)
    return path


def _remove(path: Path) -> None:
    if path.name in ("", ".", ".."):
        raise ValueError("a whiteout of no name")
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        remove_tree(path)
