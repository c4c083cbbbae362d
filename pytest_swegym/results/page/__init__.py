"""What happened in runs, as one page: written beside the records, or served while a run goes on."""

from __future__ import annotations

from pytest_swegym.results.page.folders import find_runs
from pytest_swegym.results.page.watch import Watch
from pytest_swegym.results.page.writer import PageWriter
from pytest_swegym.results.page.writer import write_pages


__all__ = ["PageWriter", "Watch", "find_runs", "write_pages"]
