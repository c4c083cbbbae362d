"""``swegym sweep``: remove what interrupted runs left behind."""

from __future__ import annotations

import argparse
import os
import shutil

from pytest_swegym.environments.disk import sweep_files
from pytest_swegym.errors import InfraError
from pytest_swegym.sandbox import Backend
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.registry import NAMES
from pytest_swegym.settings import add_option
from pytest_swegym.settings import option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``swegym sweep``."""
    add_option(parser.add_argument, option("sandbox"), prefix="")


def main(options: argparse.Namespace) -> int:
    """Sweep one sandbox backend, or every one that works here."""
    asked = options.swegym_sandbox
    # The host itself is no sandbox: nothing of ours stays on it.
    by_name = bool(asked and asked != "auto")
    names = [asked] if by_name else [name for name in NAMES if name not in ("auto", "unsafe-host")]
    failed = False
    for name in names:
        backend = make_backend(name)
        reason = backend.available()
        if reason is not None:
            if by_name or _expected(name):
                print(f"{name}: skipped: {reason}")
            failed = failed or by_name
            continue
        failed = not _sweep(name, backend) or failed
    _tell("files of the cache", sweep_files())
    return int(failed)


def _expected(name: str) -> bool:
    """Few have podman: that it does not answer is no news where it is not installed."""
    return name != "podman" or bool(shutil.which("podman") or os.environ.get("SWEGYM_PODMAN_URL"))


def _sweep(name: str, backend: Backend) -> bool:
    try:
        lines = backend.sweep()
    except InfraError as error:
        print(f"{name}: {error}")
        return False
    finally:
        backend.close()
    _tell(name, lines)
    return True


def _tell(name: str, lines: list[str]) -> None:
    print(f"{name}: nothing to remove" if not lines else f"{name}: removed {len(lines)}")
    for line in lines:
        print(f"  {line}")
