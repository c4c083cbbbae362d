"""Saved layers on their way to another machine: a line that says what they are, then their files as a tar archive."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_swegym._support.shelf import Shelf
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import layers
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.jail import find_bwrap


FORMAT = "swegym.parcel/1"
#: Bytes that are read at a time; of the first line, and of a whole parcel, at most.
CHUNK, _LINE_LIMIT, LIMIT = 4 * 2**20, 2**20, 64 * 2**30
_LAYER = re.compile(r"([0-9a-f]{24})/(fs|under-\d{1,4})")
#: All that matters to an overlay: owners, hard links, holes, extended attributes, whiteouts, times.
_TAR = ("tar", "--file=-", "--format=posix", "--numeric-owner", "--xattrs", "--xattrs-include=*")
_ENV = {"PATH": os.defpath, "LC_ALL": "C"}


def sent(shelf: str, key: str, body: Iterable[bytes], **said: Any) -> Iterator[bytes]:
    """A parcel: what is ``said`` of it, with its card, its ``body``, and the digest of that."""
    card = Shelf(shelf).read(key)
    about = {"kind": card.kind, "title": card.title} if card is not None else {}
    yield json.dumps({"format": FORMAT, "key": key, **about, **said}).encode() + b"\n"
    digest = hashlib.sha256()
    for data in body:
        digest.update(data)
        yield data
    yield digest.digest()


def received(key: str, chunks: Iterable[bytes]) -> tuple[dict[str, Any], Iterator[bytes]]:
    """What is said of a parcel, and its body. Raises :class:`SandboxError` if it is none of ``key``.

    The body raises it at its end if it is not whole, and where it is too large.
    """
    stream, first = iter(chunks), b""
    while b"\n" not in first and len(first) <= _LINE_LIMIT:
        data = next(stream, None)
        if data is None:
            break
        first += data
    line, _, rest = first.partition(b"\n")
    try:
        said = json.loads(line[:_LINE_LIMIT])
        good = said["format"] == FORMAT and said["key"] == key
    except (ValueError, LookupError, TypeError, RecursionError):
        good = False
    if not good:
        raise SandboxError(f"what was sent as snapshot {key} is no parcel of it")
    return said, _whole(key, rest, stream)


def _whole(key: str, first: bytes, stream: Iterator[bytes]) -> Iterator[bytes]:
    digest, total, held = hashlib.sha256(), 0, first
    size = digest.digest_size
    for data in stream:
        held += data
        if len(held) > size:
            body, held = held[:-size], held[-size:]
            total += len(body)
            if total > LIMIT:
                raise SandboxError(f"the parcel of snapshot {key} is larger than {LIMIT >> 30} GiB")
            digest.update(body)
            yield body
    if len(held) > size:
        digest.update(held[:-size])
        yield held[:-size]
    if held[-size:] != digest.digest():
        raise SandboxError(f"the parcel of snapshot {key} did not come whole")


def note(shelf: str, key: str, said: Mapping[str, Any]) -> None:
    """The card of what was received, for ``swegym disk``."""
    Shelf(shelf).write(key, kind=str(said.get("kind", "")), title=str(said.get("title", "")))


# -- layers of the embedded backend --------------------------------------------------------------


def keys_of(snapshot: Snapshot) -> list[str]:
    """The keys of the saved layers in a snapshot's chain, the lowest first; some of a saved one lie in its own folder.

    Raises :class:`SandboxError` if it rests on a folder that is no layer of ours.
    """
    home = layers.layers_dir()
    found = []
    for layer in snapshot.ref["layers"]:
        match = _LAYER.fullmatch(os.path.relpath(layer, home))
        if match is None:
            raise SandboxError(f"snapshot {snapshot.key} rests on {layer}, which only this machine has")
        found.append(match[1])
    return list(dict.fromkeys(found))


def pack(shelf: str, snapshot: Snapshot) -> Iterator[bytes]:
    """The layer of a saved snapshot; the names of its chain are relative to where layers are kept."""
    keys_of(snapshot)
    home = layers.layers_dir()
    data = snapshot.to_dict()
    data["ref"] = {**data["ref"], "layers": [os.path.relpath(layer, home) for layer in data["ref"]["layers"]]}
    yield from sent(shelf, snapshot.key, _archived(home / snapshot.key), snapshot=data, root=os.geteuid() == 0)


def unpack(shelf: str, key: str, chunks: Iterable[bytes]) -> Snapshot:
    """Save a layer that another machine packed. What it lies on must be here, the lowest made by this machine."""
    found = layers.find_snapshot(key)
    if found is not None:
        return found
    said, body = received(key, chunks)
    if said.get("root") is not (os.geteuid() == 0):
        raise SandboxError(f"snapshot {key} was made by {'root' if said.get('root') else 'a user'}, unlike those here")
    snapshot = _here(key, said.get("snapshot"))
    own = {Path(layer).name for layer in snapshot.ref["layers"] if Path(layer).parent.name == key}

    def fill(target: Path) -> None:
        folder = target.parent
        _extract(folder, body)
        if {entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)} != own:
            raise SandboxError(f"the parcel of snapshot {key} has other layers than it says")

    try:
        saved = layers.save_layer(key, fill, lambda layer: snapshot)
    except OSError as error:
        raise SandboxError(f"could not keep the snapshot {key}: {error}") from error
    note(shelf, key, said)
    return saved


def _here(key: str, data: Any) -> Snapshot:
    """The snapshot as it will be on this machine. Nothing that it shows of the host is taken on trust."""
    try:
        names = [_LAYER.fullmatch(str(name)) for name in data["ref"]["layers"]]
        chain = [match[0] for match in names if match]
        if data["key"] != key or len(chain) != len(names) or chain[-1] != f"{key}/fs":
            raise ValueError("layers")
        env = {str(name): str(value) for name, value in data["env"].items()}
        ground, python = layers.find_snapshot(chain[0].split("/")[0]), str(data["python"])
        told = {name: data["ref"][name] for name in ("binds", "hidden", "toolchain")}
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SandboxError(f"the parcel of snapshot {key} is damaged: {error}") from None
    home = layers.layers_dir()
    missing = [name for name in chain if name.split("/")[0] != key and not (home / name).is_dir()]
    if ground is None or missing or any(ground.ref[name] != value for name, value in told.items()):
        raise SandboxError(f"snapshot {key} rests on a Python or a layer that this machine does not have")
    ref = {**told, "layers": [str(home / name) for name in chain]}
    return Snapshot(key=key, backend=ground.backend, ref=ref, env=env, python=python)


def _archived(folder: Path) -> Iterator[bytes]:
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    argv = [*_owners_root(), *_TAR, "--create", "--sparse", f"--directory={folder}", "--", *names]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=_ENV)
        try:
            while process.stdout is not None and (data := process.stdout.read(CHUNK)):
                yield data
            _check(process, errors, f"could not pack the layer {folder}")
        finally:
            _end(process)


def _extract(folder: Path, body: Iterable[bytes]) -> None:
    """Unpack below ``folder``: tar makes no name absolute, follows no ``..`` and no link of the archive's out of it."""
    owner = "--same-owner" if os.geteuid() == 0 else "--no-same-owner"
    argv = [*_TAR, "--extract", owner, "--same-permissions", "--delay-directory-restore", f"--directory={folder}"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=_ENV)
        try:
            stdin = process.stdin
            if stdin is not None:
                with suppress(BrokenPipeError):  # it says why
                    for data in body:
                        stdin.write(data)
                    stdin.close()
            _check(process, errors, f"could not unpack a layer into {folder}")
        finally:
            _end(process)


def _owners_root() -> list[str]:
    """What is closed to its owner is open to the owner's own root, in a user namespace."""
    bwrap = find_bwrap()
    if os.geteuid() == 0 or bwrap is None:
        return []
    root = [bwrap, "--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "CAP_DAC_OVERRIDE"]
    return [*root, "--die-with-parent", "--dev-bind", "/", "/"]


def _check(process: subprocess.Popen[bytes], errors: Any, what: str) -> None:
    if process.wait() != 0:
        errors.seek(0)
        raise SandboxError(f"{what}: {errors.read(2000).decode(errors='replace').strip()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()
    process.wait()
