"""Baselines as files: the JSON form, and beside it what was compiled in that run."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pytest_swegym._support.paths import write_atomic
from pytest_swegym.errors import ConfigError
from pytest_swegym.grading.baseline import Baseline


def load(path: Path) -> Baseline | None:
    """The baseline that was measured before; ``None`` if there is none, or a damaged one."""
    compiled = _compiled(path)
    try:
        baseline = Baseline.from_dict(json.loads(path.read_text(encoding="utf-8")))
        os.utime(path)  # the disk budget removes what was not used for longest
    except (OSError, ValueError, ConfigError):
        return None
    with suppress(OSError):
        os.utime(compiled)
    return replace(baseline, compiled=compiled)


def save(path: Path, baseline: Baseline, archive: bytes) -> Baseline:
    """Keep it, with the ``archive`` of what was compiled."""
    write_atomic(_compiled(path), archive)
    write_atomic(path, json.dumps(baseline.to_dict()))
    return replace(baseline, compiled=_compiled(path))


def _compiled(path: Path) -> Path:
    """It may be gone: the disk budget removes each file for itself."""
    return path.with_suffix(".tar")
