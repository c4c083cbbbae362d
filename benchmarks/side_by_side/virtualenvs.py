"""A virtualenv of its own for each candidate, from the package index; kept between runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pytest_swegym._support.paths import cache_dir


#: What is installed for whom: the newest release that the index has, from these on.
REQUIREMENTS = {
    "docker": ("docker>=7.1",),
    "mini": ("mini-swe-agent>=2.4",),
    # It imports aiohttp without asking for it.
    "swerex": ("swe-rex>=1.4", "aiohttp>=3.9"),
    "inspect": ("inspect-ai>=0.3.200",),
    "swebench": ("swebench>=5.0",),
}


def interpreter(name: str) -> Path:
    """The Python of that virtualenv, made first if need be. Raises :class:`subprocess.CalledProcessError`."""
    folder = cache_dir("side_by_side") / name
    python, done = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join(REQUIREMENTS[name])
    if not done.exists() or done.read_text() != wanted:
        print(f"making a virtualenv with {', '.join(REQUIREMENTS[name])}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip(python, *REQUIREMENTS[name])
        done.write_text(wanted)
    return python


def pip(python: Path, *arguments: str) -> None:
    """Raises :class:`subprocess.CalledProcessError`; what pip says of it goes to stderr."""
    subprocess.run([str(python), "-m", "pip", "install", "-qq", *arguments], check=True, stdout=subprocess.DEVNULL)
