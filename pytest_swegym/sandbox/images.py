"""Images without a daemon."""

from __future__ import annotations

from collections.abc import Callable

from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox.base import Snapshot


def base(image: str, python_inside: Callable[[Snapshot], str]) -> Snapshot:
    """To come."""
    raise EnvironmentBuildError(f"image {image!r}: use --swegym-sandbox=docker")
