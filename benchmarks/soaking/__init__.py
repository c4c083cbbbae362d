"""The parts of ``benchmarks/soak.py``: tasks with known verdicts, faults, and the ledger that finds what was wrong."""

from __future__ import annotations
