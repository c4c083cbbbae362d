"""Removing what processes that are gone left behind: known by a file lock that nobody holds any more."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path

from pytest_swegym.sandbox import layers
from pytest_swegym.sandbox.limits import remove_group


#: Seconds after which a folder that was never finished counts as left behind.
_STALE = 3600.0


def sweep(groups: Iterable[Path] = ()) -> list[str]:
    """Remove run folders, control groups in ``groups`` and half-written layers of dead processes; a line for each."""
    said = []
    runs = sorted(layers.runs_dir().iterdir())
    abandoned = [folder for folder in runs if not folder.name.startswith(".") and _abandoned(folder)]
    killed = _end_processes(abandoned)
    for folder in abandoned:
        layers.remove_tree(folder)
        said.append(f"removed {folder}" + (f", ended {killed[folder]} processes" if killed[folder] else ""))
    unfinished = [folder for folder in (*runs, *sorted(layers.layers_dir().iterdir())) if folder.name.startswith(".")]
    for folder in (*unfinished, *layers.trials()):
        said += _remove_stale(folder)
    said += [f"removed the control group {group}" for group in _orphaned(groups) if remove_group(group)]
    return said


def _abandoned(folder: Path) -> bool:
    """Whether the process that made a run folder is gone: its lock is free."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(handle)


def _remove_stale(folder: Path) -> list[str]:
    try:
        # The clock may have been set meanwhile: what is from the future is not of now either.
        if abs(time.time() - folder.stat().st_mtime) < _STALE or _maker_lives(folder.name):
            return []
    except OSError:
        return []
    layers.remove_tree(folder)
    return [f"removed {folder}"]


def _maker_lives(name: str) -> bool:
    """Whether the process still runs whose number stands before the last part of a half-made folder's name."""
    pid = name.lstrip(".").split("-")[-2:][0]
    return pid.isdigit() and os.path.exists(f"/proc/{pid}")


def _end_processes(folders: Sequence[Path]) -> Counter[Path]:
    """Kill the jails whose files lie in ``folders``, should any have outlived their controller; how many of each."""
    killed: Counter[Path] = Counter()
    for name in os.listdir("/proc") if folders else ():
        if not name.isdigit():
            continue
        try:
            words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        for folder in folders if words[0].endswith(b"bwrap") else ():
            if any(word.startswith(f"{folder}/".encode()) for word in words):
                with contextlib.suppress(OSError):
                    os.kill(int(name), signal.SIGKILL)
                    killed[folder] += 1
    return killed


def _orphaned(groups: Iterable[Path]) -> list[Path]:
    """Control groups of ours whose run folder is gone."""
    prefix = layers.group_prefix()
    found = [group for parent in groups for group in parent.glob(f"{prefix}*") if group.is_dir()]
    # Listed after the groups: a run that begins just now makes its folder first, and its groups then.
    runs = {folder.name for folder in layers.runs_dir().iterdir()}
    return [group for group in found if not any(group.name.startswith(f"{prefix}{run}-") for run in runs)]
