"""Reading and writing files through commands inside a sandbox, so that no symlink is ever followed on the host."""

from __future__ import annotations

import errno
import os
import posixpath
import tarfile
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.base import ExecResult


#: How each program says it, in the C locale, and what it is.
_PHRASES = (
    ("No such file", errno.ENOENT),
    ("nonexistent directory", errno.ENOENT),
    ("Permission denied", errno.EACCES),
    ("Operation not permitted", errno.EPERM),
    ("Is a directory", errno.EISDIR),
    ("Not a directory", errno.ENOTDIR),
    ("File exists", errno.ENOTDIR),
    ("Read-only file system", errno.EROFS),
    ("No space left on device", errno.ENOSPC),
    ("File name too long", errno.ENAMETOOLONG),
    ("Too many levels of symbolic links", errno.ELOOP),
    ("Text file busy", errno.ETXTBSY),
)
READ_SCRIPT = '[ ! -d "$1" ] || { echo "Is a directory" >&2; exit 1; }\nexec head -c "$2" < "$1"'
WRITE_SCRIPT = """
[ ! -d "$1" ] || { echo "Is a directory" >&2; exit 1; }
mkdir -p -- "$2" || exit 1
if [ -n "$3" ]; then umask 077; fi
cat > "$1" || exit 1
if [ -n "$3" ]; then exec chmod -- "$3" "$1"; fi
"""
UNPACK_SCRIPT = 'mkdir -p -- "$1" || exit 1\nexec tar -x -p -f - -C "$1"'
#: Programs answer in English.
ENV = {"LC_ALL": "C"}
#: Seconds for one file to be read or written.
PATIENCE = 120.0


def read(run: Callable[..., ExecResult], path: str, limit: int) -> bytes:
    """A file's bytes, through ``run``, which runs a command inside. Raises as :meth:`Sandbox.read` does."""
    # Twice the limit, for the head is only half of what an output keeps.
    data = check(run(read_argv(path, limit), output_limit=2 * limit + 2), path)
    if len(data) > limit:
        raise ValueError(f"{path} holds more than {limit} bytes")
    return data


def write(run: Callable[..., ExecResult], path: str, data: bytes, mode: int | None) -> None:
    """Write a file through ``run``, which runs a command inside. Raises as :meth:`Sandbox.write` does."""
    check(run(write_argv(path, mode), stdin=data), path)


def read_argv(path: str, limit: int) -> list[str]:
    """The command that prints a file, up to one byte over the limit."""
    return ["sh", "-c", READ_SCRIPT, "sh", _operand(path), str(limit + 1)]


def write_argv(path: str, mode: int | None) -> list[str]:
    """The command that writes its stdin to a file, making its parent folders."""
    octal = "" if mode is None else format(mode & 0o7777, "o")
    return ["sh", "-c", WRITE_SCRIPT, "sh", _operand(path), posixpath.dirname(path) or ".", octal]


def unpack_argv(target: str) -> list[str]:
    """The command that unpacks the tar archive on its stdin into a folder."""
    return ["sh", "-c", UNPACK_SCRIPT, "sh", _operand(target)]


def _operand(path: str) -> str:
    """A path that no program takes for an option. Raises :class:`FileNotFoundError` for an empty one."""
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return path if path.startswith("/") else f"./{path}"


def check(result: ExecResult, path: str) -> bytes:
    """The output of a file command that went well.

    Raises the :class:`OSError` that its message tells of, :class:`SandboxError` if a program is missing inside.
    """
    if result.exit_code == 0 and not result.timed_out:
        return result.stdout
    message = result.stderr.decode(errors="replace").strip()
    if result.timed_out:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), path)
    if result.exit_code == 127 or "not found" in message:
        raise SandboxError(f"{path}: the sandbox's image lacks a program that is needed here: {message}")
    for phrase, number in _PHRASES:
        if phrase.lower() in message.lower():
            raise OSError(number, os.strerror(number), path)
    raise OSError(errno.EIO, message or f"exit code {result.exit_code}", path)


def pack(source: Path, file: IO[bytes]) -> None:
    """Write a folder's content as a tar archive: modes and symlinks as they are, owners and devices left out."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _walk(source):
            info = archive.gettarinfo(path, os.path.relpath(path, source))
            if info is None or not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
                continue
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            if info.isreg():
                with open(path, "rb") as content:
                    archive.addfile(info, content)
            else:
                archive.addfile(info)


def _walk(folder: Path) -> Iterator[str]:
    """Every path below ``folder``, parents first; symlinks are not followed."""

    def fail(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=fail):
        for name in sorted((*folders, *names)):
            yield os.path.join(parent, name)
