"""Benchmarks are scripts beside each other: their folders are looked in last."""

from __future__ import annotations

import sys
from pathlib import Path


BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
for folder in ("", "side_by_side", "side_by_side/drivers"):
    sys.path.append(str(BENCHMARKS / folder))
