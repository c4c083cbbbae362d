"""Small file systems of our own, to be filled; they are gone with our mount namespace."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def make_disk(image: Path, place: Path, *, megabytes: int) -> None:
    """An ext4 file system of that size in the file ``image``, mounted at ``place``."""
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    (place / "lost+found").rmdir()


@contextmanager
def full(place: Path) -> Iterator[None]:
    """Meanwhile no byte can be written on that file system."""
    filler = place / ".filler"
    with filler.open("wb", buffering=0) as file:
        try:
            step = 64 << 20
            end = 0
            while step:
                try:
                    os.posix_fallocate(file.fileno(), end, step)
                    end += step
                except OSError:
                    step //= 2
            yield
        finally:
            file.truncate(0)
            filler.unlink()
