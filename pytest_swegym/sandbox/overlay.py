"""Layers of an overlay as folders: copied by this process, and merged into one."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pytest_swegym.sandbox.layers import copy_tree
from pytest_swegym.sandbox.layers import remove_tree


_OPAQUE = "user.overlay.opaque"
#: Bytes that are copied at a time, within the kernel.
_CHUNK = 2**27

_Put = Callable[[str, str, os.stat_result], None]


def copy(source: Path, target: Path) -> None:
    """Copy a layer with all that matters to an overlay. No process is started, unless only ``cp`` can do it."""
    try:
        _Merge(str(target), _copy_file).add(str(source))
    except (OSError, RecursionError):
        # Files that are closed to us, very deep folders, holes, sockets.
        remove_tree(target)
        copy_tree(source, target)


def merge(layers: Sequence[Path], target: Path) -> None:
    """One layer that shows what ``layers`` show, the lowest first. They must never change: files are linked.

    Raises :class:`OSError`.
    """
    merged = _Merge(str(target), _link_file)
    for layer in layers:
        merged.add(str(layer))


class _Merge:
    """A folder that layers are added to; ``put`` brings a regular file."""

    def __init__(self, target: str, put: _Put) -> None:
        self._target = target
        self._put = put
        self._links: dict[tuple[int, int], str] = {}

    def add(self, layer: str) -> None:
        """Lay ``layer`` over what is there."""
        self._folder(layer, self._target, os.lstat(layer))

    def _folder(self, source: str, target: str, state: os.stat_result) -> None:
        below = _kind(target)
        # What is not a folder hides everything under it, and goes on doing so under the folder in its place.
        hides = below is not None and not stat.S_ISDIR(below)
        if below is not None and (hides or _is_opaque(source)):
            _remove(target)
            below = None
        if below is None:
            os.mkdir(target, 0o700)
        else:
            os.chmod(target, 0o700)
        with os.scandir(source) as entries:
            for entry in entries:
                self._entry(entry.path, f"{target}/{entry.name}")
        _attributes(source, target, state)
        if hides:
            os.setxattr(target, _OPAQUE, b"y")

    def _entry(self, source: str, target: str) -> None:
        state = os.lstat(source)
        if stat.S_ISDIR(state.st_mode):
            self._folder(source, target, state)
            return
        if os.path.lexists(target):
            _remove(target)
        first = self._links.setdefault((state.st_dev, state.st_ino), target) if state.st_nlink > 1 else target
        if first != target and os.path.lexists(first):
            os.link(first, target, follow_symlinks=False)
        elif stat.S_ISREG(state.st_mode):
            self._links[state.st_dev, state.st_ino] = target
            self._put(source, target, state)
        elif stat.S_ISLNK(state.st_mode):
            os.symlink(os.readlink(source), target)
            _attributes(source, target, state)
        elif stat.S_ISFIFO(state.st_mode) or (stat.S_ISCHR(state.st_mode) and state.st_rdev == 0):
            os.mknod(target, state.st_mode, state.st_rdev)
            _attributes(source, target, state)
        else:
            raise OSError(errno.ENOTSUP, "neither a file, folder, link, FIFO nor whiteout", source)


def _link_file(source: str, target: str, state: os.stat_result) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EMLINK, errno.EXDEV):
            raise
        _copy_file(source, target, state)


def _copy_file(source: str, target: str, state: os.stat_result) -> None:
    if state.st_blocks * 512 + 4096 < state.st_size:
        raise OSError(errno.ENOTSUP, "a file with holes", source)
    reader = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while os.copy_file_range(reader, writer, _CHUNK):
                pass
        finally:
            os.close(writer)
    finally:
        os.close(reader)
    _attributes(source, target, state)


def _attributes(source: str, target: str, state: os.stat_result) -> None:
    """Owner, extended attributes, mode and times; a whiteout in a user's own overlay has no attributes to read."""
    if (state.st_uid, state.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(target, state.st_uid, state.st_gid, follow_symlinks=False)
    if stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode):
        for name in os.listxattr(source, follow_symlinks=False):
            os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)
    if not stat.S_ISLNK(state.st_mode):
        os.chmod(target, stat.S_IMODE(state.st_mode))
    os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns), follow_symlinks=False)


def _is_opaque(folder: str) -> bool:
    for name in (_OPAQUE, "trusted.overlay.opaque"):
        with suppress(OSError):
            if os.getxattr(folder, name, follow_symlinks=False) == b"y":
                return True
    return False


def _kind(path: str) -> int | None:
    try:
        return os.lstat(path).st_mode
    except FileNotFoundError:
        return None


def _remove(path: str) -> None:
    if stat.S_ISDIR(os.lstat(path).st_mode):
        shutil.rmtree(path)
    else:
        os.unlink(path)
