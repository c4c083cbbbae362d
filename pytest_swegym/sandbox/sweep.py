"""Removing what processes that are gone left behind: known by a file lock that nobody holds any more."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from pytest_swegym.sandbox import layers
from pytest_swegym.sandbox.limits import remove_group


#: Seconds after which a folder that was never finished counts as left behind.
_STALE = 3600.0


def sweep(groups: Iterable[Path] = ()) -> list[str]:
    """Remove run folders, control groups in ``groups`` and half-written layers of dead processes; a line for each."""
    said = []
    for folder in sorted(layers.runs_dir().iterdir()):
        if folder.name.startswith("."):
            said += _remove_stale(folder)
        elif _abandoned(folder):
            killed = _end_processes(folder)
            layers.remove_tree(folder)
            said.append(f"removed {folder}" + (f", ended {killed} processes" if killed else ""))
    for folder in sorted(layers.layers_dir().iterdir()):
        if folder.name.startswith("."):
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
        if time.time() - folder.stat().st_mtime < _STALE:
            return []
    except OSError:
        return []
    layers.remove_tree(folder)
    return [f"removed {folder}"]


def _end_processes(folder: Path) -> int:
    """Kill the jails whose files lie in ``folder``, should any have outlived its controller."""
    needle = f"{folder}/".encode()
    killed = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"bwrap") and any(word.startswith(needle) for word in words):
                os.kill(int(name), signal.SIGKILL)
                killed += 1
        except OSError:
            continue
    return killed


def _orphaned(groups: Iterable[Path]) -> list[Path]:
    """Control groups of ours whose run folder is gone."""
    prefix = layers.group_prefix()
    found = [group for parent in groups for group in parent.glob(f"{prefix}*") if group.is_dir()]
    # Listed after the groups: a run that begins just now makes its folder first, and its groups then.
    runs = {folder.name for folder in layers.runs_dir().iterdir()}
    return [group for group in found if not any(group.name.startswith(f"{prefix}{run}-") for run in runs)]
