"""Where layers and the folders of running sandboxes lie on the host; crash-safe by renames and file locks."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.paths import write_atomic
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.jail import find_bwrap
from pytest_swegym.sandbox.limits import PREFIX


META = "snapshot.json"
TRIAL = "trial-"
#: Files up to which a folder is removed by this process itself.
_SMALL = 500


class RunFolder:
    """The folder of what this object's sandboxes write: locked while the process lives, free to sweep afterwards."""

    def __init__(self) -> None:
        self.id = f"{os.getpid()}-{secrets.token_hex(4)}"
        runs = runs_dir()
        self.path = runs / self.id
        # Born under a name that sweeps leave alone for a while, so that none finds it before its lock is held.
        hidden = runs / f".{self.id}"
        hidden.mkdir(mode=0o700)
        self._lock = os.open(hidden / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        hidden.rename(self.path)
        #: How the names of its sandboxes' control groups begin.
        self.groups = f"{group_prefix()}{self.id}-"
        self._numbers = itertools.count(1)

    def new(self, kind: str) -> Path:
        """A fresh folder."""
        path = self.path / f"{kind}-{next(self._numbers)}"
        path.mkdir(mode=0o700)
        return path

    def close(self) -> None:
        """Remove the folder. Twice is fine."""
        if self._lock >= 0:
            remove_tree(self.path)
            os.close(self._lock)
            self._lock = -1


def runs_dir() -> Path:
    """The folder of all run folders."""
    return _private(cache_dir("bubblewrap", "run"))


def group_prefix() -> str:
    """How the names of control groups begin whose run folders are in this cache; other caches have their own."""
    return f"{PREFIX}{content_key(str(runs_dir()))[:8]}-"


def layers_dir() -> Path:
    """The folder of all saved layers."""
    return _private(cache_dir("bubblewrap", "layers"))


def trials() -> list[Path]:
    """The folders in which it was tried whether a sandbox starts."""
    return sorted(cache_dir("bubblewrap").glob(f"{TRIAL}*"))


def _private(folder: Path) -> Path:
    # What a sandbox of root wrote belongs to root, setuid bits too: no other user may reach it.
    folder.parent.chmod(0o700)
    return folder


def find_snapshot(key: str) -> Snapshot | None:
    """The saved snapshot ``key``, if all of its layers are there."""
    try:
        data = json.loads((layers_dir() / key / META).read_text())
        snapshot = Snapshot.from_dict(data)
    except (OSError, ValueError, TypeError):
        return None
    binds = snapshot.ref.get("binds", {}).values()
    whole = all(os.path.isdir(layer) for layer in snapshot.ref["layers"]) and all(map(os.path.exists, binds))
    return snapshot if whole else None


def save_layer(key: str, fill: Callable[[Path], None], describe: Callable[[str], Snapshot]) -> Snapshot:
    """Make the layer ``key``: ``fill`` puts its ``fs`` folder where it is told, ``describe`` gets its final path.

    The folder appears under its name only when it is whole. If another process was first, its layer counts.
    """
    final = layers_dir() / key
    temporary = layers_dir() / f".{key}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary.mkdir(mode=0o700)
    try:
        fill(temporary / "fs")
        snapshot = describe(str(final / "fs"))
        write_atomic(temporary / META, json.dumps(snapshot.to_dict()))
        try:
            temporary.rename(final)
        except OSError:
            found = find_snapshot(key)
            if found is not None:
                return found
            remove_tree(final)  # a broken one: its layers, or the interpreter under it, were removed
            temporary.rename(final)
        return snapshot
    finally:
        remove_tree(temporary)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a layer with all that matters to an overlay: whiteouts, extended attributes, hard links, times."""
    argv = ["cp", "-aT", "--remove-destination", "--reflink=auto", "--", str(source), str(target)]
    env = {"PATH": os.defpath, "LC_ALL": "C"}
    result = subprocess.run(argv, capture_output=True, text=True, env=env)
    bwrap = find_bwrap()
    if result.returncode != 0 and bwrap is not None and os.geteuid() != 0:
        # What is closed to its owner is open to the owner's own root, in a user namespace.
        owner = [bwrap, "--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "CAP_DAC_OVERRIDE"]
        argv = [*owner, "--die-with-parent", "--dev-bind", "/", "/", *argv]
        result = subprocess.run(argv, capture_output=True, text=True, env=env)
    if result.returncode != 0:
        raise SandboxError(f"could not copy the layer {source}: {result.stderr.strip()[:2000]}")


def remove_tree(path: Path) -> None:
    """Remove a folder, whatever depth and modes an untrusted program gave it. Absent is fine; never raises."""
    for attempt in range(4):
        if not os.path.lexists(path):
            return
        if _is_small(path):
            shutil.rmtree(path, ignore_errors=True)
            continue
        if attempt:
            # An overlay's own work folder, and any folder inside, may be closed to their owner.
            subprocess.run(["chmod", "-R", "u+rwX", "--", str(path)], capture_output=True)
        subprocess.run(["rm", "-rf", "--", str(path)], capture_output=True)


def _is_small(path: Path) -> bool:
    """Whether a folder is soon removed without a process for it: few files, none of them closed to us or deep."""
    count = 0
    try:
        for parent, folders, names in os.walk(path, onerror=_raise):
            count += len(folders) + len(names) + 1
            if count > _SMALL or len(parent) > 2000:
                return False
    except OSError:
        return False
    return True


def _raise(error: OSError) -> None:
    raise error
